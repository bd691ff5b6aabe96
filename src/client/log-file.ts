import { show } from '../base/argument.ts';
import { randomId } from '../base/random-id.ts';
import { fromErrorData } from '../protocol/error-data.ts';
import type { Connection } from './connection.ts';
import type { TopicRegistry } from './topic-registry.ts';

/** What a Kafka log file can be imported from. */
export type LogFile = Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array>;

/** A fetch brings whole batches of about so much. */
const CHUNK_BYTES = 1024 * 1024;

/** It is stored in one transaction, from memory. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** The stored batches of a partition, end to end; what is appended meanwhile is left out. */
export function exportPartition(
  connection: Connection,
  registry: TopicRegistry,
  topic: string,
  partition: number,
): ReadableStream<Uint8Array> {
  let place: { readonly topicId: string; offset: number; readonly end: number } | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (place === undefined) {
        const { id: topicId } = await registry.load(topic);
        const [offset, end] = await connection.call('listOffsets', [
          { topicId, partition, at: 'earliest' },
          { topicId, partition, at: 'latest' },
        ]);
        place = { topicId, offset: offset!, end: end! };
      }
      const { topicId, offset, end } = place;
      if (offset >= end) return controller.close();
      const [fetched] = await connection.call('fetch', {
        clientId: randomId(), // nobody cancels it
        fetchId: 0,
        maxWaitMs: 0,
        partitions: [{ topicId, partition, offset, maxBytes: CHUNK_BYTES }],
      });
      if (fetched === undefined) return controller.close(); // deleted meanwhile
      if ('error' in fetched) throw fromErrorData(fetched.error);
      for (const segment of fetched.segments) controller.enqueue(new Uint8Array(segment));
      place.offset = fetched.nextOffset;
    },
  });
}

/** The file in a buffer of its own. */
export async function bufferOf(file: LogFile): Promise<ArrayBuffer> {
  if (file instanceof Uint8Array) return checkSize(file.slice().buffer);
  if (file instanceof ArrayBuffer) return checkSize(file.slice(0));
  if (file instanceof Blob || file instanceof ReadableStream) {
    return checkSize(await new Response(file as BodyInit).arrayBuffer());
  }
  throw new TypeError(`a log file is a Blob, bytes or a stream of bytes, got ${show(file)}`);
}

function checkSize(buffer: ArrayBuffer): ArrayBuffer {
  if (buffer.byteLength <= MAX_FILE_BYTES) return buffer;
  throw new RangeError(
    `a log file has ${MAX_FILE_BYTES} bytes at the most, got ${buffer.byteLength}`,
  );
}
