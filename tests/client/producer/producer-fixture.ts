import { onTestFinished } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../../src/base/error-rules.ts';
import type { ErrorRule } from '../../../src/base/error-rule.ts';
import { TablogError } from '../../../src/base/error.ts';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import { Connection } from '../../../src/client/connection/connection.ts';
import { Log } from '../../../src/client/log.ts';
import { topic } from '../../../src/index.ts';
import type { RecordMetadata, Producer, ProducerOptions } from '../../../src/index.ts';
import type { Request, Response } from '../../../src/protocol/broker.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { FaultStore } from '../../support/fault-store.ts';
import { AN_HOUR_MS, readAll, texts } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { idle } from '../../support/waiting.ts';

/** Of each record a batch, and of each full batch a request. */
export const alone: ProducerOptions = { batchBytes: 1, lingerMs: AN_HOUR_MS };

const PARTITIONS = 3;

export function told(rule: ErrorRule): TablogError {
  return new TablogError(rule, 'so says the test');
}

export interface Tab {
  readonly log: Log;
  readonly host: StubHost;
}

/** A log whose tabs have a clock and connections that a test moves and breaks. */
export class World {
  readonly clock = new ManualClock();
  readonly #name = crypto.randomUUID();
  readonly #store: Store;

  constructor(store: Store = openMemoryStore(0)) {
    this.#store = store;
  }

  /** `connect`: how its broker gets at the store. */
  tab(connect: () => Store = () => new FaultStore(this.#store)): Tab {
    const { clock } = this;
    const name = this.#name;
    const open = (): { broker: LogBroker; close(): void } => {
      const broker = new LogBroker({ name, openStore: async () => connect(), clock });
      return { broker, close: () => broker.close() };
    };
    const host = stubHost({ open });
    const log = new Log(name, new Connection({ log: name, host, workerUrl: undefined, clock }));
    onTestFinished(() => this.passing(log.close()));
    return { log, host };
  }

  /** What becomes of it, while time goes on. */
  async passing<T>(promise: Promise<T>): Promise<T> {
    const settled = promise.then(
      () => true,
      () => true,
    );
    for (let waitedMs = 0; waitedMs < AN_HOUR_MS; waitedMs += 100) {
      for (let turn = 0; turn < 5; turn++) {
        if (await Promise.race([settled, idle()])) return promise;
      }
      this.clock.advance(100);
    }
    throw new Error('it did not settle within an hour');
  }
}

/** Lets everything happen that takes no time. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await idle();
}

export interface Bench extends Tab {
  readonly world: World;
  readonly producer: Producer;
  /** The connections of the tab's broker. */
  readonly connections: FaultStore[];
  /** The values in one partition, in order. */
  readonly values: (partition?: number) => Promise<(string | null)[]>;
}

export async function bench(options: ProducerOptions = alone): Promise<Bench> {
  const store = openMemoryStore(0);
  const world = new World(store);
  const connections: FaultStore[] = [];
  const connect = (): FaultStore => {
    const connection = new FaultStore(store);
    connections.push(connection);
    return connection;
  };
  const { log, host } = world.tab(connect);
  await log.admin.createTopics([topic('t', { partitions: PARTITIONS })]);
  const { log: reader } = world.tab();
  await log.admin.listOffsets([{ topic: 't', at: 'latest' }]); // the topic is known now
  const values = async (partition = 0): Promise<(string | null)[]> =>
    texts((await readAll(reader, 't')).filter((message) => message.partition === partition));
  return { world, log, host, producer: log.producer(options), connections, values };
}

export const send = (producer: Producer, value: string, partition = 0): Promise<RecordMetadata> =>
  producer.send('t', { value, partition });

/** Without lingering. */
export function sendNow(producer: Producer, value: string, partition = 0): Promise<RecordMetadata> {
  const sent = send(producer, value, partition);
  void producer.flush();
  return sent;
}

type Produce = (request: Request<'produce'>) => Promise<Response<'produce'>>;

/** What becomes of a request. */
export type Fate = (request: Request<'produce'>, real: Produce) => Promise<Response<'produce'>>;

export const fails =
  (rule: ErrorRule): Fate =>
  () =>
    Promise.reject(told(rule));

export const says =
  (rule: ErrorRule): Fate =>
  ({ appends }) =>
    Promise.resolve(appends.map(() => ({ error: toErrorData(told(rule)) })));

export const storedAndLost: Fate = async (request, real) => {
  await real(request);
  throw told(OUTCOME_UNKNOWN);
};

export const well: Fate = (request, real) => real(request);

/** The next requests meet these fates, one each, as soon as all that is sent at once has come. */
export function fate(host: StubHost, ...fates: readonly Fate[]): void {
  const left = [...fates];
  host.answer('produce', async (request, real) => {
    const next = left.shift() ?? well;
    await idle();
    return next(request, real);
  });
}
