import { onTestFinished } from 'vitest';
import { Connection } from '../../../src/client/connection/connection.ts';
import { Log } from '../../../src/client/log.ts';
import { string, topic } from '../../../src/index.ts';
import type {
  Consumer,
  HandlerContext,
  Message,
  MessageOf,
  RunOptions,
} from '../../../src/index.ts';
import type { InlineHost } from '../../../src/inline.ts';
import { AN_HOUR_MS, openTab, settle } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';

export const orders = topic('orders', { key: string(), value: string(), partitions: 4 });
export type Orders = typeof orders;
type Order = MessageOf<Orders>;

/** Only a test that fails waits this long. */
const PATIENCE_MS = 10_000;

/** Reads what there is, and its fetches wait for news. */
export const asReader = { topics: [orders], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;

export const asMember = { ...asReader, group: 'billing' } as const;

/** Opens a log, as one tab does, with a clock of the tab's own; the broker has the system's. */
export function openTabWith(
  clock: ManualClock,
  host: InlineHost,
  name: string = crypto.randomUUID(),
): Log {
  const connection = new Connection({ log: name, host, workerUrl: undefined, clock });
  connection.open().catch(() => {}); // whoever calls next hears of a failure
  const log = new Log(name, connection);
  onTestFinished(() => log.close());
  return log;
}

/** Sends records `key:number` to one partition; a text without a colon has no key. */
export async function send(log: Log, partition: number, ...values: string[]): Promise<void> {
  const producer = log.producer();
  const records = values.map((value) => {
    const key = value.includes(':') ? value.split(':')[0]! : null;
    return { key, value, partition };
  });
  await producer.sendBatch(orders, records);
  await producer.close();
}

/** A message that a handler has, until the test says how it ends. */
interface InHand {
  readonly message: Order;
  readonly context: HandlerContext;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** Handlers that the test ends, one by one. */
export class Hands {
  /** What was handed out, in order: each attempt counts. */
  readonly started: string[] = [];
  /** What was processed, in order. */
  readonly done: string[] = [];
  readonly #inHand = new Map<string, InHand>();

  /** To be given to `run`. */
  readonly handle = (message: Order, context: HandlerContext): Promise<void> => {
    const name = message.value!;
    this.started.push(name);
    return new Promise<void>((resolve, reject) => {
      this.#inHand.set(name, { message, context, done: resolve, fail: reject });
    });
  };

  get inHand(): string[] {
    return [...this.#inHand.keys()];
  }

  /** Waits until it is in hand. */
  async get(name: string): Promise<InHand> {
    await until(() => this.#inHand.has(name));
    return this.#inHand.get(name)!;
  }

  /** Lets these succeed, one after the other, as soon as they are in hand. */
  async end(...names: string[]): Promise<void> {
    for (const name of names) {
      const { done } = await this.get(name);
      this.#inHand.delete(name);
      this.done.push(name);
      done();
    }
  }

  async fail(name: string, error: unknown = new Error(name)): Promise<void> {
    const { fail } = await this.get(name);
    this.#inHand.delete(name);
    fail(error);
  }
}

/** Runs with handlers that the test ends. */
export function handOut(
  consumer: Consumer<Orders>,
  options: Partial<RunOptions<Orders>> = {},
): Hands & { readonly over: Promise<void> } {
  const hands = new Hands();
  const over = consumer.run({ eachMessage: hands.handle, ...options });
  over.catch(() => {}); // a test that expects it looks
  return Object.assign(hands, { over });
}

/** The value of a message, for lists of what a handler saw. */
export function valueOf(message: Message<string, string, string>): string {
  return message.value!;
}

/** `name` 0 to `count` - 1: `a:0`, `a:1`. */
export function series(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}:${i}`);
}

/** What the group has committed of the topic, by partition. */
export async function committed(log: Log): Promise<number[]> {
  const offsets: number[] = [];
  for (const { topic: of, partition, offset } of await log.admin.listGroupOffsets('billing')) {
    if (of === orders.name) offsets[partition] = offset;
  }
  return offsets;
}

/** One more member, in a tab of its own; resolves when the partitions 2 and 3 are to be its. */
export async function joinAnother(host: StubHost, log: Log): Promise<Consumer<Orders>> {
  const tab = await openTab(host, log.name);
  const consumer = tab.consumer(asMember);
  await until(async () => {
    const [{ partitions }] = await log.admin.describeGroups(['billing']);
    return partitions.filter(({ target }) => target === consumer.memberId).length === 2;
  });
  await settle(); // the others hear of it
  return consumer;
}

/** Removes the member that asked last from its group, as one that did not answer. */
export async function expel(host: StubHost, log: Log): Promise<void> {
  const opened = host.open(log.name);
  const { member } = host.requests('syncGroup').at(-1)!;
  await opened.broker.leaveGroup({ member, offsets: [] });
  opened.close();
}

/** Lets everything else happen until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`it does not come about: ${String(isSo)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A log with these records in one partition, opened by a tab whose clock the test moves. */
export async function openClocked(
  partition: number,
  ...values: string[]
): Promise<{ readonly clock: ManualClock; readonly host: StubHost; readonly log: Log }> {
  const clock = new ManualClock();
  const host = stubHost();
  const log = openTabWith(clock, host);
  await log.admin.createTopics([orders]);
  if (values.length > 0) await send(log, partition, ...values);
  return { clock, host, log };
}
