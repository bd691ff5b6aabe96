import { kindFor, mistake } from '../base/argument.ts';
import { WORKER_LOST } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
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

const RULE = `a log file is a Blob, bytes or a stream of bytes, ${MAX_FILE_BYTES} at the most`;

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
    if (fetched === undefined) {
      // It was in memory, and whoever is asked next has other records.
      const happened = `the worker with the records was gone at offset ${offset} of ${end}`;
      throw new TablogError(WORKER_LOST, happened, { details: { offset, endOffset: end } });
    }
    if ('error' in fetched) throw fromErrorData(fetched.error);
    for (const segment of fetched.segments) {
      for (const batch of readBatches(new Uint8Array(segment))) {
        if (batch.baseOffset >= end) return;
        if (batch.isGap) continue;
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

/** Files one after the other in a buffer of their own, and the size of each. */
export interface JoinedFiles {
  readonly file: ArrayBuffer;
  readonly sizes: readonly number[];
}

/** Joins the files. Throws before it has read much more than is allowed. */
export async function joinFiles(files: LogFile | readonly LogFile[]): Promise<JoinedFiles> {
  const parts: BlobPart[] = [];
  const sizes: number[] = [];
  let size = 0;
  const write = (part: LogFile): void => {
    const bytes = part instanceof Blob ? part.size : (part as Partial<ArrayBuffer>)?.byteLength;
    size += bytes ?? NaN;
    if (!(size <= MAX_FILE_BYTES)) {
      throw mistake(RULE, bytes === undefined ? part : size, kindFor(bytes));
    }
    parts.push(part as BlobPart);
  };
  for (const file of Array.isArray(files) ? (files as readonly LogFile[]) : [files as LogFile]) {
    const before = size;
    if (file instanceof ReadableStream) await file.pipeTo(new WritableStream({ write }));
    else write(file);
    sizes.push(size - before);
  }
  return { file: await new Blob(parts).arrayBuffer(), sizes };
}
