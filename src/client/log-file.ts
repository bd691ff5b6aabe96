import { show } from '../base/argument.ts';
import { randomId } from '../base/random-id.ts';
import { fromErrorData } from '../protocol/error-data.ts';
import { FIELD, viewOf } from '../record/batch-format.ts';
import { readBatches } from '../record/batch-reader.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import { placeBatch, sealBatch } from '../record/batch-seal.ts';
import type { Connection } from './connection.ts';

/** What a Kafka log file can be imported from. */
export type LogFile = Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array>;

/** A fetch brings whole batches of about so much. */
const CHUNK_BYTES = 1024 * 1024;

/** It is stored in one transaction, from memory. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** The stored batches of a partition, end to end; what is appended meanwhile is left out. */
export async function* exportBatches(
  connection: Connection,
  topicId: string,
  partition: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const bounds = await connection.call('listOffsets', [
    { topicId, partition, at: 'earliest' },
    { topicId, partition, at: 'latest' },
  ]);
  const [start, end] = bounds as [number, number];
  for (let offset = start; offset < end;) {
    const [fetched] = await connection.call('fetch', {
      clientId: randomId(), // nobody cancels it
      fetchId: 0,
      maxWaitMs: 0,
      partitions: [{ topicId, partition, offset, maxBytes: CHUNK_BYTES }],
    });
    if (fetched === undefined) return; // deleted meanwhile
    if ('error' in fetched) throw fromErrorData(fetched.error);
    for (const segment of fetched.segments) {
      for (const batch of readBatches(new Uint8Array(segment))) {
        if (batch.baseOffset >= end) return;
        const isCut = offset > start && batch.baseOffset < offset;
        yield isCut ? startedAt(batch, offset) : batch.bytes;
      }
    }
    offset = fetched.nextOffset;
  }
}

/**
 * What compaction has left meanwhile of batches that are in the file in part: one without records, cut
 * to the rest.
 */
function startedAt(batch: RecordBatch, offset: number): Uint8Array {
  const bytes = batch.bytes.slice();
  viewOf(bytes).setInt32(FIELD.lastOffsetDelta, batch.nextOffset - offset - 1);
  placeBatch(bytes, offset);
  sealBatch(bytes);
  return bytes;
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
