import { string, topic } from '../../../src/index.ts';
import type {
  Consumer,
  HandlerContext,
  Log,
  Message,
  MessageOf,
  RunOptions,
} from '../../../src/index.ts';
import { AN_HOUR_MS, openTab } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { eventually, settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

export const orders = topic('orders', { key: string(), value: string(), partitions: 4 });
export type Orders = typeof orders;
type Order = MessageOf<Orders>;

/** Reads what there is, and its fetches wait for news. */
export const asReader = { topics: [orders], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;

export const asMember = { ...asReader, group: 'billing' } as const;

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
    await eventually(() => this.#inHand.has(name));
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
  await eventually(async () => {
    const [{ partitions }] = await log.admin.describeGroups(['billing']);
    return partitions.filter(({ target }) => target === consumer.memberId).length === 2;
  });
  await settle(); // the others hear of it
  return consumer;
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
