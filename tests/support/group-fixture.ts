import { onTestFinished, vi } from 'vitest';
import { topic } from '../../src/index.ts';
import type {
  AssignedPartition,
  Consumer,
  ConsumerOptions,
  Log,
  Message,
  TopicFilter,
  TopicLike,
} from '../../src/index.ts';
import type { InlineHost } from '../../src/inline.ts';
import type { Store } from '../../src/store/store.ts';
import { AN_HOUR_MS, memoryHost, openTab } from './log-fixture.ts';
import { stubHost } from './stub-broker.ts';
import type { StubHost } from './stub-broker.ts';
import { World } from './world.ts';
import { systemClock } from '../../src/platform/clock.ts';

/** A topic of four partitions, which the members of most tests share. */
export const four = topic('t', { partitions: 4 });

/**
 * A member's default options. `maxWaitMs` is so long that only hints end a fetch without records.
 */
export const options = {
  group: 'g',
  topics: ['t'],
  from: 'earliest',
  maxWaitMs: AN_HOUR_MS,
} as const satisfies ConsumerOptions;

/** The options in which a member differs from `options`. */
type MemberOptions = Partial<ConsumerOptions<TopicFilter>>;

/** One log in `count` tabs, with these topics. */
export async function openTabs(count: number, ...topics: readonly TopicLike[]): Promise<Log[]> {
  return openTabsOn(Array<InlineHost>(count).fill(memoryHost()), ...topics);
}

/** As `openTabs`, with one tab for each host. All hosts must share a store. */
export async function openTabsOn(
  hosts: readonly InlineHost[],
  ...topics: readonly TopicLike[]
): Promise<Log[]> {
  const first = await openTab(hosts[0]);
  await first.admin.createTopics(topics);
  const others: Log[] = [];
  for (const host of hosts.slice(1)) others.push(await openTab(host, first.name));
  return [first, ...others];
}

/** One log in two tabs. A test can delay the calls of the second tab, and make them fail. */
export async function openStubbed(
  ...topics: readonly TopicLike[]
): Promise<{ log: Log; stubbed: Log; host: StubHost }> {
  const shared = memoryHost();
  const host = stubHost(shared);
  const [log, stubbed] = await openTabsOn([shared, host], ...topics);
  return { log: log!, stubbed: stubbed!, host };
}

/** A host with its store, which a test can read and change. */
export function storeHost(): { host: InlineHost; store: Store } {
  const world = new World();
  const open = (name: string): ReturnType<InlineHost['open']> => {
    const { broker } = world.broker({ name, clock: systemClock });
    return { broker, close: () => broker.close() };
  };
  return { host: { open }, store: world.store };
}

/** A member of a group, with all of its events and messages. */
export class Member {
  readonly consumer: Consumer;
  /** The consumer's events in their order, such as 'assigned t/0 t/1'. */
  readonly events: string[] = [];
  /** The places of the messages in the order of delivery, such as 't/0@5'. */
  readonly read: string[] = [];

  constructor(log: Log, given: MemberOptions = {}) {
    this.consumer = log.consumer({ ...options, ...given } as ConsumerOptions);
    for (const event of ['assigned', 'revoked', 'lost'] as const) {
      this.consumer.on(event, ({ partitions }) => {
        this.events.push(`${event} ${names(partitions).join(' ')}`);
      });
    }
    this.consumer.on('reset', ({ topic: of, partition, outOfRange, offset }) => {
      this.events.push(`reset ${of}/${partition} from ${outOfRange} to ${offset}`);
    });
  }

  get owns(): string[] {
    return names(this.consumer.assignment);
  }

  /** Reads until the consumer closes; rejects with the error that ends the loop. */
  async loop(each: (message: Message) => unknown = () => {}): Promise<void> {
    for await (const message of this.consumer) {
      this.read.push(place(message));
      await each(message);
    }
  }
}

/** A member that has all partitions of its assignment. */
export async function joined(log: Log, given: MemberOptions = {}): Promise<Member> {
  const member = new Member(log, given);
  await member.consumer.ready;
  return member;
}

/** A ready member that reads in the background until its consumer closes. */
export async function reading(
  log: Log,
  given: MemberOptions = {},
  each?: (message: Message) => unknown,
): Promise<Member> {
  const member = new Member(log, given);
  member.loop(each).catch(() => {});
  await member.consumer.ready;
  return member;
}

/**
 * The next message of a loop that never ends, as in a tab that dies while it processes a message.
 */
export async function readOne(consumer: Consumer): Promise<Message> {
  const { value } = await consumer[Symbol.asyncIterator]().next();
  return value as Message;
}

function names(partitions: readonly AssignedPartition[]): string[] {
  return partitions.map(({ topic: of, partition }) => `${of}/${partition}`).sort();
}

function place({ topic: of, partition, offset }: Message): string {
  return `${of}/${partition}@${offset}`;
}

/** Sends `count` records to each of these partitions. */
export async function fill(
  log: Log,
  count: number,
  partitions: readonly number[] = [0],
  to: TopicLike = 't',
): Promise<void> {
  const records = partitions.flatMap((partition) =>
    Array.from({ length: count }, (_, i) => ({ value: String(i), partition })),
  );
  await log.producer().sendBatch(to, records);
}

/** The committed offsets of a group by partition, such as { 't/0': 5 }. */
export async function committed(log: Log, group = 'g'): Promise<Record<string, number>> {
  const offsets = await log.admin.listGroupOffsets(group);
  return Object.fromEntries(
    offsets.map(({ topic: of, partition, offset }) => [`${of}/${partition}`, offset]),
  );
}

/** Delays the hints between tabs by `delayMs`, which a test can change, until the test ends. */
export function delayHints(delayMs: number): { delayMs: number } {
  const delay = { delayMs };
  const channels = new Map<string, Set<SlowChannel>>();
  class SlowChannel extends EventTarget {
    readonly #others: Set<SlowChannel>;

    constructor(name: string) {
      super();
      this.#others = channels.get(name) ?? new Set();
      channels.set(name, this.#others.add(this));
    }

    postMessage(data: unknown): void {
      const others = [...this.#others].filter((channel) => channel !== this);
      setTimeout(() => {
        for (const channel of others) {
          if (!this.#others.has(channel)) continue;
          channel.dispatchEvent(new MessageEvent('message', { data: structuredClone(data) }));
        }
      }, delay.delayMs);
    }

    close(): void {
      this.#others.delete(this);
    }
  }
  vi.stubGlobal('BroadcastChannel', SlowChannel);
  onTestFinished(() => void vi.unstubAllGlobals());
  return delay;
}
