import { setMaxListeners } from 'node:events';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  STORAGE_FULL,
  STORAGE_UNAVAILABLE,
  WORKER_LOST,
} from '../../../src/base/error-rules.ts';
import type { ErrorRule } from '../../../src/base/error-rule.ts';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import { Connection } from '../../../src/client/connection/connection.ts';
import { Log } from '../../../src/client/log.ts';
import { TablogError, string, topic } from '../../../src/index.ts';
import type { Consumer, Message, RecordMetadata, Producer } from '../../../src/index.ts';
import type { Broker, Method } from '../../../src/protocol/broker.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { Random } from '../../checker/random.ts';
import { stubChannels } from '../../checker/sim-channels.ts';
import { SimLiveness } from '../../checker/sim-liveness.ts';
import { Realm, RoundTrip, SimTime } from '../../checker/sim-time.ts';
import { FaultStore } from '../../support/fault-store.ts';
import { RoughStore } from '../../support/rough-store.ts';
import { fill } from '../../support/group-fixture.ts';
import { loadParts } from '../../support/load-parts.ts';
import { openTab, readAll } from '../../support/log-fixture.ts';
import { lengthOf, seedsOf } from '../../support/seeds.ts';

const told = (rule: ErrorRule): TablogError => new TablogError(rule, 'a fault of the test');

const seeds = seedsOf(lengthOf(100, 200));

const PARTITIONS = 3;
/** Of each partition. */
const RECORDS = 15;
const STEPS = 40;
/** Long enough for every timeout there is, in a row. */
const DRAIN_MS = 600_000;

const source = topic('in', { value: string(), partitions: PARTITIONS });
const sink = topic('out', { value: string(), partitions: PARTITIONS });
const audit = topic('audit', { value: string() });

/** Nothing comes of every fourth record: its transaction may have no records. */
const isLeftOut = ({ offset }: { readonly offset: number }): boolean => offset % 4 === 3;

/** A transaction of a walk, and what its tab was told of it. */
interface Told {
  readonly id: string;
  /** What it sends. */
  readonly values: readonly string[];
  outcome: readonly RecordMetadata[] | TablogError | undefined;
}

interface Tab {
  readonly log: Log;
  readonly realm: Realm;
  readonly producer: Producer;
  die(): void;
}

/** Has the transactions of a connection fail, each in its own way, as long as `isRough`. */
function roughStore(inner: Store, random: Random, isRough: () => boolean): FaultStore {
  return new RoughStore(inner, {
    update(store) {
      if (!isRough() || !random.chance(0.06)) return;
      const closes = random.chance(0.4) ? { closes: told(STORAGE_UNAVAILABLE) } : {};
      const error = random.pick([OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE, STORAGE_FULL]);
      const stored = error === OUTCOME_UNKNOWN && random.chance(0.6);
      store.failNext({ error: told(error), stored, ...closes });
    },
  });
}

/** Members of a group copy a topic while tabs crash and stand still, and calls and storage fail. */
class Walk {
  readonly told: Told[] = [];
  readonly codes = new Set<string>();
  readonly #random: Random;
  readonly #store = openMemoryStore(0);
  readonly #time = new SimTime();
  readonly #liveness = new SimLiveness();
  readonly #isShared: boolean;
  #channels!: ReturnType<typeof stubChannels>;
  #worker: { readonly realm: Realm; readonly broker: LogBroker } | undefined;
  #tabs: Tab[] = [];
  #names = 0;
  #isRough = true;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#isShared = this.#random.chance(0.5);
    setMaxListeners(0, this.#store.closed); // one a connection
  }

  async run(): Promise<string[]> {
    const log = await this.#openCalm();
    await log.admin.createTopics([source, sink, audit]);
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await fill(log, RECORDS, partitions, 'in');
    await log.close();
    this.#channels = stubChannels(
      this.#time,
      () => this.#delay(),
      () => this.#isRough && this.#random.chance(0.2),
    );
    if (this.#isShared) {
      const realm = new Realm(this.#time);
      this.#worker = { realm, broker: this.#newBroker(realm) };
    }
    for (let step = 0; step < STEPS; step++) await this.#step();
    await this.#drain();
    vi.unstubAllGlobals();
    return this.#check();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const running = this.#tabs.filter(({ realm }) => realm.state === 'running');
    const act = random.next();
    if (running.length === 0 || (act < 0.15 && this.#tabs.length < 4)) this.#open();
    else if (act < 0.22) this.#kill(random.pick(running));
    else if (act < 0.3) random.pick(running).realm.freeze();
    else if (act < 0.42) random.pick(this.#tabs).realm.thaw();
    await this.#time.advance(random.pick([5, 20, 100, 500, 2000]));
  }

  #kill(tab: Tab): void {
    this.#tabs = this.#tabs.filter((other) => other !== tab);
    tab.die();
  }

  /** All goes well from now on. */
  async #drain(): Promise<void> {
    this.#isRough = false;
    for (const { realm } of this.#tabs) realm.thaw();
    this.#open();
    const rows = (): Promise<{ readonly offset: number }[]> => this.#store.readAll('offsets');
    for (let ms = 0; ms < DRAIN_MS; ms += 1000) {
      const offsets = (await rows()).map(({ offset }) => offset);
      if (offsets.length === PARTITIONS && offsets.every((offset) => offset === RECORDS)) break;
      await this.#time.advance(1000);
    }
    await this.#time.advance(60_000); // whatever is late
    for (const tab of this.#tabs) tab.die();
  }

  #open(): void {
    const realm = new Realm(this.#time);
    const broker = this.#worker?.broker ?? this.#newBroker(realm);
    const port = this.#port(broker, realm);
    const host = { open: () => ({ broker: port, close() {} }) };
    const connection = new Connection({ log: 'walk', host, workerUrl: undefined, clock: realm });
    const log = this.#channels.inRealm(realm, () => new Log('walk', connection));
    const random = this.#random;
    const producer = log.producer({
      deliveryTimeoutMs: random.pick([0, 300, 120_000, 120_000]),
      transactionTimeoutMs: 1200,
      compression: random.pick(['none', 'gzip', 'lz4', 'snappy']),
      ...(random.chance(0.4) ? { transactionalId: `id${random.int(1, 3)}` } : {}),
    });
    const die = (): void => {
      realm.die();
      this.#liveness.die(connection.clientId);
      broker.forget(connection.clientId);
    };
    const tab = { log, realm, producer, die };
    this.#tabs.push(tab);
    void this.#live(tab);
  }

  #newBroker(realm: Realm): LogBroker {
    const openStore = async (): Promise<FaultStore> =>
      roughStore(this.#store, this.#random, () => this.#isRough);
    const liveness = this.#liveness.in(realm);
    return this.#channels.inRealm(
      realm,
      () => new LogBroker({ name: 'walk', openStore, clock: realm, liveness }),
    );
  }

  #delay(): number {
    return this.#random.chance(0.6) ? 0 : this.#random.int(1, 30);
  }

  /** Calls take a while on their way, there and back; some get lost, and some arrive late. */
  #port(broker: LogBroker, realm: Realm): Broker {
    const random = this.#random;
    const worker = this.#worker?.realm ?? realm;
    const roundTrip = new RoundTrip(this.#time, () => this.#delay(), realm, worker);
    const make = async (method: Method, request: never): Promise<unknown> => {
      const call = (): Promise<unknown> => broker[method](request);
      if (!this.#isRough || random.chance(0.85)) return call();
      if (random.chance(0.3)) throw told(random.pick([WORKER_LOST, OUTCOME_UNKNOWN]));
      if (method === 'transact' && random.chance(0.4)) {
        worker.after(random.int(100, 5000), () => void call().catch(() => {}));
      } else await call();
      throw told(OUTCOME_UNKNOWN);
    };
    return new Proxy(broker, {
      get: (_, method: Method) => (request: never) => roundTrip.call(() => make(method, request)),
    });
  }

  /** Consumes, transforms and produces for as long as the tab lives. */
  async #live(tab: Tab): Promise<void> {
    const random = this.#random;
    for (;;) {
      const how = random.pick(['messages', 'batches', 'run', 'several'] as const);
      const commit = how === 'several' ? 'manual' : random.pick(['processed', 'manual'] as const);
      const consumer = tab.log.consumer({
        topics: [source],
        group: 'g',
        memberId: `m${++this.#names}`,
        from: 'earliest',
        commit,
        sessionTimeoutMs: 3000,
        rebalanceTimeoutMs: 1000,
        maxWaitMs: 1000,
      });
      for (let again = true; again;) {
        again = false;
        try {
          await this.#read(tab, consumer, how);
        } catch (error) {
          const name = error instanceof TablogError ? error.code : String(error);
          this.codes.add(name);
          // Who commits by hand has the message behind it, and who knows nothing looks where it is.
          again = commit === 'processed' && name !== 'OUTCOME_UNKNOWN' && random.chance(0.5);
        }
        await pause(tab.realm, 100);
      }
      await consumer.close().catch(() => {});
    }
  }

  async #read(
    tab: Tab,
    consumer: Consumer<typeof source>,
    how: 'messages' | 'batches' | 'run' | 'several',
  ): Promise<void> {
    const copy = (messages: readonly Message[]): Promise<void> =>
      this.#copy(tab, consumer, messages);
    if (how === 'run') return consumer.run({ eachMessage: (message) => copy([message]) });
    if (how === 'batches') {
      for await (const { messages } of consumer.batches({ max: 4 })) await copy(messages);
      return;
    }
    let several: Message[] = [];
    for await (const message of consumer) {
      several.push(message);
      const isEnd = consumer.assignment.every((where) => consumer.position(where) === RECORDS);
      if (how === 'several' && !isEnd && this.#random.chance(0.7)) continue;
      await copy(several);
      several = [];
    }
  }

  async #copy(
    { producer, realm }: Tab,
    consumer: Consumer<typeof source>,
    messages: readonly Message[],
  ): Promise<void> {
    const random = this.#random;
    const id = `x${this.told.length}`;
    const kept = messages.filter((message) => !isLeftOut(message));
    const values = kept.map(({ partition, offset }) => `${id} ${partition}@${offset}`);
    const each: Told = { id, values, outcome: undefined };
    this.told.push(each);
    try {
      const { placements } = await producer.transaction(async (tx) => {
        const isEarly = random.chance(0.5);
        if (isEarly) tx.commitOffsets(consumer);
        kept.forEach(({ partition }, i) => tx.send(sink, { value: values[i]!, partition }));
        if (random.chance(0.3)) await pause(realm, random.int(0, 1500));
        if (kept.length > 0) tx.send(audit, { value: `${id} ${kept.length}` });
        if (!isEarly) tx.commitOffsets(consumer);
      });
      each.outcome = placements;
    } catch (error) {
      each.outcome = error as TablogError;
      throw error;
    }
  }

  /** What there is now, looked at by a tab in which nothing fails. */
  #openCalm(): Promise<Log> {
    const broker = (): LogBroker =>
      new LogBroker({ name: 'calm', openStore: async () => new FaultStore(this.#store) });
    return openTab({ open: () => ({ broker: broker(), close() {} }) }, 'calm');
  }

  /** What is wrong. */
  async #check(): Promise<string[]> {
    const log = await this.#openCalm();
    const wrong: string[] = [];
    const [copied, counts] = [await readAll(log, sink), await readAll(log, audit)];
    const offsets = await log.admin.listGroupOffsets('g');
    await log.close();
    for (const { partition, offset } of offsets) {
      if (offset !== RECORDS) wrong.push(`partition ${partition} is committed up to ${offset}`);
    }
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const found = copied.filter((message) => message.partition === partition);
      const got = found.map(({ value }) => value!.split(' ')[1]);
      const due = Array.from({ length: RECORDS }, (_, offset) => ({ offset }))
        .filter((input) => !isLeftOut(input))
        .map(({ offset }) => `${partition}@${offset}`);
      if (got.join() !== due.join()) wrong.push(`copied: ${got.join()}, not ${due.join()}`);
    }
    const places = new Map(
      [...copied, ...counts].map((message) => [placeOf(message), message.value]),
    );
    for (const { id, values, outcome } of this.told) {
      const all = values.length === 0 ? [] : [...values, `${id} ${values.length}`];
      const isOf = ({ value }: { readonly value: string | null }): boolean =>
        value!.startsWith(`${id} `);
      const there = [...copied, ...counts].filter(isOf).map(({ value }) => value);
      const name =
        outcome instanceof TablogError ? outcome.code : outcome === undefined ? 'dead' : 'ack';
      if (there.length > 0 && there.length !== all.length) wrong.push(`${id} is half there`);
      if (name === 'ack') {
        const said = (outcome as readonly RecordMetadata[]).map((place) =>
          places.get(placeOf(place)),
        );
        if (said.join() !== all.join()) wrong.push(`${id} was told: ${said.join()}`);
      } else if (name !== 'OUTCOME_UNKNOWN' && name !== 'dead' && there.length > 0) {
        wrong.push(`${id} is there, and was told ${name}`);
      }
    }
    return wrong;
  }
}

function placeOf({
  topic: of,
  partition,
  offset,
}: Pick<RecordMetadata, 'topic' | 'partition' | 'offset'>): string {
  return `${of}/${partition}@${offset}`;
}

function pause(realm: Realm, ms: number): Promise<void> {
  return new Promise((resolve) => void realm.after(ms, resolve));
}

describe('exactly once', () => {
  beforeAll(loadParts);

  test(`whatever happens, in ${seeds.length} walks`, { timeout: 3_600_000 }, async () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const walk = new Walk(seed);
      expect(await walk.run(), `TABLOG_SEED=${seed}`).toEqual([]);
      for (const name of walk.codes) outcomes.add(name);
    }
    if (seeds.length < 100) return;
    for (const name of ['FENCED', 'OUTCOME_UNKNOWN', 'TRANSACTION_TIMED_OUT', 'STORAGE_FULL']) {
      expect(outcomes).toContain(name);
    }
  });
});
