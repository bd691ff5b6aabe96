import { randomId } from '../../platform/random-id.ts';
import { encodeRecords } from '../mirror/encode-records.ts';
import { MirrorClient } from '../mirror/mirror-client.ts';
import type { WebSocketLike } from '../mirror/mirror-port.ts';
import { CLOSE_FATAL } from '../mirror/mirror-port.ts';
import type { MirroredPartition } from '../mirror/mirror-protocol.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SinkRecord } from '../sink/sink.ts';
import { kafkaErrorType } from './kafka-client.ts';
import type { KafkaClient, StoredMessage, StoredMessages } from './kafka-client.ts';
import type { KafkaConnection } from './kafka-connection.ts';

/** https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number */
export const CLOSE_FAILED = 1011;

/** A web socket of a server. */
export type MirrorSocket = WebSocketLike & { close(code: number, reason: string): void };

/** Whether a page of the request's origin may open a socket, which no browser asks for it (no CORS). */
export function mayConnect(request: Request, origins: readonly string[]): boolean {
  const origin = request.headers.get('origin');
  if (origin === null || origins.includes('*') || origins.includes(origin)) return true;
  try {
    return new URL(origin).host === (request.headers.get('host') ?? new URL(request.url).host);
  } catch {
    return false; // 'null', of a sandboxed frame
  }
}

/** The most bytes of a reason: https://www.rfc-editor.org/rfc/rfc6455#section-5.5 */
const MAX_REASON_BYTES = 123;

/** Closes a socket with a reason, or as much of it as there may be. */
export function closeFor(socket: MirrorSocket, code: number, reason: string): void {
  const bytes = new TextEncoder().encode(reason).subarray(0, MAX_REASON_BYTES);
  const text = new TextDecoder().decode(bytes).replace(/\ufffd+$/, ''); // a character that was cut
  try {
    socket.close(code, text);
  } catch {
    // The socket is closed already.
  }
}

/** The most bytes of messages in one message to a mirror, unless a single one has more. */
const MAX_BYTES = 1_000_000;

/**
 * Sends a topic of Kafka to a mirror in a browser, at its offsets, from where the mirror ends, for as long
 * as the socket is open. Committed messages only.
 */
export async function sendToMirror(
  kafka: KafkaClient,
  connection: KafkaConnection,
  topic: string,
  socket: MirrorSocket,
): Promise<void> {
  const closing = new AbortController();
  for (const type of ['close', 'error']) socket.addEventListener(type, () => closing.abort());
  const client = new MirrorClient({ port: socket, timeoutMs: 30_000 });
  const consumer = kafka.consumer({
    groupId: `tablog-mirror-${randomId()}`, // nobody shares the reading, and nothing is committed
    readUncommitted: false,
    allowAutoTopicCreation: false,
  });
  const { signal } = closing;
  try {
    const [{ clusterId }, offsets] = await connection.use((admin) =>
      Promise.all([admin.describeCluster(), admin.fetchTopicOffsets(topic)]),
    );
    const ends = new Map<number, number>();
    const sourceOf = (partition: number): MirroredPartition => ({
      topicId: `${clusterId}.${topic}`,
      log: 'kafka',
      topic,
      partition,
      partitions: offsets.length,
    });
    for (const { partition, high } of offsets) {
      const sourceEnd = Number(high);
      const about = { source: sourceOf(partition), sourceEnd, end: 0 };
      const end = await client.call({ call: 'position', ...about }, signal);
      if (end > sourceEnd) throw lostRecords(topic, partition, end, sourceEnd);
      ends.set(partition, end);
    }
    const failed = new Promise<never>((_, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
      const closed = (): void => reject(new SinkError('retry', 'the socket closed'));
      signal.addEventListener('abort', closed);
      if (signal.aborted) closed();
    });
    failed.catch(() => {}); // it may fail while nobody waits yet
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const { partition, highWatermark } = batch;
        const sourceEnd = Number(highWatermark);
        const from = ends.get(partition);
        if (from === undefined) {
          throw new SinkError('retry', `${topic} has grown to more partitions`);
        }
        if (from > sourceEnd) throw lostRecords(topic, partition, from, sourceEnd);
        for (const records of parts(batch, from)) {
          const about = { source: sourceOf(partition), sourceEnd };
          const request = { call: 'append', end: ends.get(partition)!, ...about } as const;
          ends.set(partition, await client.call(request, signal, encodeRecords(records)));
        }
      },
    });
    for (const [partition, end] of ends) consumer.seek({ topic, partition, offset: String(end) });
    await failed;
  } catch (error) {
    if (!signal.aborted) {
      const { fatal, reason } = whyEnded(error, topic);
      closeFor(socket, fatal ? CLOSE_FATAL : CLOSE_FAILED, reason);
    }
  } finally {
    client.close();
    await consumer.disconnect();
  }
}

/** The reason for the follower, and whether another attempt would change nothing. */
function whyEnded(error: unknown, topic: string): { fatal: boolean; reason: string } {
  const type = kafkaErrorType(error);
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return { fatal: false, reason: `Kafka has no topic '${topic}': create it there` };
  }
  if (type === 'OFFSET_OUT_OF_RANGE') {
    return {
      fatal: true,
      reason: `'${topic}' was made anew: delete the mirror, which then begins anew`,
    };
  }
  // KafkaJS wraps what its handlers throw.
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof SinkError) return { fatal: each.kind === 'fatal', reason: each.message };
  }
  return { fatal: false, reason: (error as Error).message };
}

/** The messages from an offset on, in parts that are not too large. */
function* parts({ messages }: StoredMessages, from: number): Generator<SinkRecord[]> {
  let part: SinkRecord[] = [];
  let bytes = 0;
  for (const message of messages) {
    const record = recordOf(message);
    if (record.offset < from) continue; // a batch begins before the place that was sought
    const size = (message.key?.length ?? 0) + (message.value?.length ?? 0);
    if (bytes + size > MAX_BYTES && part.length > 0) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(record);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

function recordOf({ offset, timestamp, key, value, headers = {} }: StoredMessage): SinkRecord {
  return {
    id: offset,
    topic: '',
    offset: Number(offset),
    timestamp: Number(timestamp),
    key,
    value,
    headers: Object.entries(headers).flatMap(([name, values]) =>
      (Array.isArray(values) ? values : [values]).map(
        (each) =>
          [
            name,
            each === undefined
              ? null
              : typeof each === 'string'
                ? new TextEncoder().encode(each)
                : each,
          ] as const,
      ),
    ),
  };
}

function lostRecords(topic: string, partition: number, end: number, high: number): SinkError {
  return new SinkError(
    'fatal',
    `${topic} ${partition} was made anew, and ends at ${high} before the mirror's ${end}: delete the mirror`,
  );
}
