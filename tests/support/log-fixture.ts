import { onTestFinished } from 'vitest';
import { openLog } from '../../src/index.ts';
import type {
  Consumer,
  ListedOffset,
  Log,
  Message,
  MessageOf,
  TopicLike,
} from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import type { InlineHost } from '../../src/inline.ts';
import type { Method } from '../../src/protocol/broker.ts';
import { checkRequest } from '../../src/protocol/port/check-request.ts';

/** So long that a test which waits for it runs into the test's time limit. */
export const AN_HOUR_MS = 3_600_000;

/**
 * A host with a new store. Every log that is opened with the host has its own broker over the
 * store. The broker refuses requests as a worker does, so every test shows that a tab makes no such
 * request.
 */
export function memoryHost(): InlineHost {
  return checkedHost(inline({ storage: 'memory' }));
}

/** The host with its brokers behind the check that a worker has at its port. */
function checkedHost(host: InlineHost): InlineHost {
  return {
    ...host,
    open(log) {
      const opened = host.open(log);
      const broker = new Proxy(opened.broker, {
        get: (real, method: Method) => async (request: never) => {
          checkRequest(method, request);
          return real[method](request);
        },
      });
      return { broker, close: () => opened.close() };
    },
  };
}

/** Opens a log as one tab, and closes it when the test ends. */
export async function openTab(
  host: InlineHost = memoryHost(),
  name: string = crypto.randomUUID(),
): Promise<Log> {
  const log = await openLog(name, { host });
  onTestFinished(() => log.close());
  return log;
}

/** One log in two tabs, with these topics. */
export async function openTwoTabs(...topics: readonly TopicLike[]): Promise<[Log, Log]> {
  const host = memoryHost();
  const first = await openTab(host);
  await first.admin.createTopics(topics);
  return [first, await openTab(host, first.name)];
}

/** A new log with these topics. */
export async function logWith(...topics: readonly TopicLike[]): Promise<Log> {
  const log = await openTab();
  await log.admin.createTopics(topics);
  return log;
}

/** The next `count` messages of the consumer, read in a loop that ends after them. */
export async function take<T extends TopicLike>(
  consumer: Consumer<T>,
  count: number,
): Promise<MessageOf<T>[]> {
  const messages: MessageOf<T>[] = [];
  if (count === 0) return messages;
  for await (const message of consumer) {
    if (messages.push(message) === count) break;
  }
  return messages;
}

/** All messages that a topic has now, sorted by partition and offset. */
export async function readAll<T extends TopicLike>(log: Log, topic: T): Promise<MessageOf<T>[]> {
  const [{ partitions }] = await log.admin.describeTopics([topic]);
  const count = partitions.reduce(
    (sum, { startOffset, endOffset }) => sum + endOffset - startOffset,
    0,
  );
  const consumer = log.consumer({ topics: [topic], from: 'earliest' });
  const messages = await take(consumer, count);
  await consumer.close();
  return messages.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** The number of offsets between the start and the end of a topic's partitions. */
export async function countOf(log: Log, topic: TopicLike): Promise<number> {
  const [{ partitions }] = await log.admin.describeTopics([topic]);
  return partitions.reduce((sum, { startOffset, endOffset }) => sum + endOffset - startOffset, 0);
}

/** The offsets of `listOffsets`, by partition. */
export function offsetsOf(listed: readonly ListedOffset[]): number[] {
  return listed.map(({ offset }) => offset);
}

/** The values of messages of plain topics, as text. */
export function texts(
  messages: readonly Message<string, unknown, Uint8Array>[],
): (string | null)[] {
  return messages.map(({ value }) => (value === null ? null : new TextDecoder().decode(value)));
}

/** `count` records with the texts '0', '1', and so on. */
export function numbered(count: number): { readonly value: string }[] {
  return Array.from({ length: count }, (_, i) => ({ value: String(i) }));
}
