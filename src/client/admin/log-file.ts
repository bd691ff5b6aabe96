import { abortable } from '../../base/abortable.ts';
import { mistake } from '../../base/argument.ts';
import { isBlob, isBytes, isReadableStream } from '../../base/brand.ts';
import { WORKER_LOST } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { randomId } from '../../platform/random-id.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { MAX_REQUEST_BYTES } from '../../protocol/wire.ts';
import { concat } from '../../record/concat.ts';
import { FIELD, viewOf } from '../../record/batch-format.ts';
import { readBatches } from '../../record/batch-reader.ts';
import type { RecordBatch } from '../../record/batch-reader.ts';
import { placeBatch, sealBatch } from '../../record/batch-seal.ts';
import type { Connection } from '../connection/connection.ts';

/** The forms of a Kafka log file that can be imported. */
export type LogFile = Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array>;

/** The approximate size of a fetch, which brings whole batches. */
const CHUNK_BYTES = 1024 * 1024;

/** An import is one request, and is stored in one transaction, from memory. */
const RULE = `a log file is a Blob, bytes or a stream of bytes, ${MAX_REQUEST_BYTES} at the most`;

/**
 * The stored batches of a partition, end to end. Batches that are appended meanwhile are left out.
 */
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
      clientId: randomId(), // never cancelled
      fetchId: 0,
      maxWaitMs: 0,
      partitions: [{ topicId, partition, offset, maxBytes: CHUNK_BYTES }],
    });
    if (fetched === undefined) {
      // The records were in memory, and the next worker has other records.
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
 * The rest of a batch that compaction has emptied while the part before `offset` was exported: a
 * batch without records, which begins at `offset`.
 */
function startedAt(batch: RecordBatch, offset: number): Uint8Array {
  const bytes = batch.bytes.slice();
  viewOf(bytes).setInt32(FIELD.lastOffsetDelta, batch.nextOffset - offset - 1);
  placeBatch(bytes, offset);
  sealBatch(bytes);
  return bytes;
}

/** Files end to end in one buffer, and the size of each. */
export interface JoinedFiles {
  readonly file: ArrayBuffer;
  readonly sizes: readonly number[];
}

/**
 * Joins the files. Throws as soon as more bytes are read than the limit allows, or `signal` aborts.
 */
export async function joinFiles(
  given: LogFile | readonly LogFile[],
  signal?: AbortSignal,
): Promise<JoinedFiles> {
  const files = Array.isArray(given) ? (given as readonly LogFile[]) : [given as LogFile];
  checkSize(
    files,
    files.reduce((sum, file) => sum + (isBlob(file) ? file.size : 0), 0),
  );
  const parts: Uint8Array[] = [];
  const sizes: number[] = [];
  let size = 0;
  const addPart = (part: ArrayBuffer | Uint8Array): void => {
    size += (part as Partial<ArrayBuffer> | null | undefined)?.byteLength ?? NaN;
    checkSize(part, size);
    parts.push(isBytes(part) ? part : new Uint8Array(part));
  };
  for (const file of files) {
    const before = size;
    if (isReadableStream(file)) await readStream(file, addPart, signal);
    else addPart(isBlob(file) ? await abortable(signal, readBlob(file)) : file);
    sizes.push(size - before);
  }
  return { file: concat(parts, size).buffer, sizes };
}

/** Reads through FileReader where there is no `Blob.arrayBuffer()`, as in jsdom. */
function readBlob(blob: Blob): Promise<ArrayBuffer> {
  if (typeof blob.arrayBuffer === 'function') return blob.arrayBuffer();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve(reader.result as ArrayBuffer));
    reader.addEventListener('error', () => reject(reader.error!));
    reader.readAsArrayBuffer(blob);
  });
}

async function readStream(
  stream: ReadableStream<Uint8Array>,
  addPart: (chunk: Uint8Array) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await abortable(signal, reader.read());
      if (done) return;
      addPart(value);
    }
  } catch (error) {
    reader.cancel(error).catch(() => {}); // the stream itself may have failed
    throw error;
  }
}

function checkSize(part: unknown, size: number): void {
  if (size <= MAX_REQUEST_BYTES) return;
  throw Number.isNaN(size) ? mistake(RULE, part) : mistake(RULE, size, RangeError);
}
