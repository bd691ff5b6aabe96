import { FIELD, viewOf } from '../../src/record/batch-format.ts';
import { RecordBatch, readBatches } from '../../src/record/batch-reader.ts';
import {
  placeBatch,
  sealBatch,
  stampAppendTime,
  stampProducer,
} from '../../src/record/batch-seal.ts';
import type { ProducerStamp } from '../../src/record/batch-seal.ts';
import { BatchWriter } from '../../src/record/batch-writer.ts';
import type { Field, RecordParts } from '../../src/record/batch-writer.ts';
import { gunzipRecords, gzipBatch } from '../../src/record/compression/gzip.ts';
import { RecordCursor, readHeaders } from '../../src/record/record-cursor.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

export interface BatchOptions {
  readonly producer?: ProducerStamp;
  /** Further attribute bits, set in addition to the bits of the other options. */
  readonly attributes?: number;
  readonly baseOffset?: number;
  readonly gzip?: boolean;
  /** Gives all records this timestamp. */
  readonly appendTime?: number;
}

/** A finished and sealed batch. */
export function batchOf(records: readonly RecordParts[], options: BatchOptions = {}): Bytes {
  const writer = new BatchWriter();
  for (const record of records) writer.append(record);
  let batch = writer.finish();
  if (options.producer !== undefined) stampProducer(batch, options.producer);
  if (options.appendTime !== undefined) stampAppendTime(batch, options.appendTime);
  if (options.gzip) batch = gzipBatch(batch);
  if (options.attributes) setAttributes(batch, options.attributes);
  placeBatch(batch, options.baseOffset ?? 0);
  sealBatch(batch);
  return batch;
}

/** A record with these parts. Default: null key and value, no headers, timestamp 0. */
export function recordOf(parts: Partial<RecordParts> = {}): RecordParts {
  return { key: null, value: null, headers: [], timestamp: 0, ...parts };
}

export interface RawHeader {
  /** Default 1. */
  readonly recordCount?: number;
  /** Default: one less than the record count. */
  readonly lastOffsetDelta?: number;
  readonly baseOffset?: number;
  readonly baseTimestamp?: number;
  readonly attributes?: number;
}

/** A sealed batch of the given header and record bytes, which need not be valid. */
export function rawBatch(records: Iterable<number>, header: RawHeader = {}): Bytes {
  const body = Uint8Array.from(records);
  const batch = new Uint8Array(FIELD.records + body.length);
  batch.set(batchOf([]));
  batch.set(body, FIELD.records);
  const count = header.recordCount ?? 1;
  const view = viewOf(batch);
  view.setInt32(FIELD.batchLength, batch.length - FIELD.leaderEpoch);
  view.setInt16(FIELD.attributes, header.attributes ?? 0);
  view.setInt32(FIELD.recordCount, count);
  view.setInt32(FIELD.lastOffsetDelta, header.lastOffsetDelta ?? count - 1);
  view.setBigInt64(FIELD.baseOffset, BigInt(header.baseOffset ?? 0));
  view.setBigInt64(FIELD.baseTimestamp, BigInt(header.baseTimestamp ?? 0));
  view.setBigInt64(FIELD.maxTimestamp, BigInt(header.baseTimestamp ?? 0));
  sealBatch(batch);
  return batch;
}

/** A batch as compaction leaves it: without records, but with their range of offsets. */
export function compactedBatch(offsets: number): Bytes {
  return rawBatch([], { recordCount: 0, lastOffsetDelta: offsets - 1 });
}

/** A record as tests compare it: bytes as hex. */
export interface PlainRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string | null])[];
}

/** The records that a reader must get from a batch of `records`. */
export function plainOf(records: readonly RecordParts[], baseOffset = 0): PlainRecord[] {
  return records.map(({ key, value, headers, timestamp }, i) => ({
    offset: baseOffset + i,
    timestamp,
    key: hexOf(key),
    value: hexOf(value),
    headers: headers.map(([name, field]) => [name, hexOf(field)] as const),
  }));
}

/** Every record of one batch, which may be compressed with gzip. */
export function readBatch(bytes: Uint8Array, limit = 64 * 1024 * 1024): PlainRecord[] {
  const batch = new RecordBatch(bytes);
  const inflated = batch.codec === 'gzip' ? gunzipRecords(batch.recordBytes, limit) : undefined;
  const cursor = new RecordCursor(batch, inflated);
  const records: PlainRecord[] = [];
  while (cursor.next()) records.push(currentRecord(cursor));
  return records;
}

/** Every record of the whole batches in `bytes`. */
export function readRecords(bytes: Uint8Array): PlainRecord[] {
  return [...readBatches(bytes)].flatMap((batch) => readBatch(batch.bytes));
}

/** The record at which `cursor` stands. */
export function currentRecord(cursor: RecordCursor): PlainRecord {
  const { bytes, keyAt, keyLength, valueAt, valueLength, headersAt, headerCount } = cursor;
  const part = (at: number, length: number): string | null =>
    length < 0 ? null : hexOf(bytes.subarray(at, at + length));
  return {
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: part(keyAt, keyLength),
    value: part(valueAt, valueLength),
    headers: readHeaders(bytes, headersAt, headerCount).map(([name, value]) => [
      name,
      hexOf(value),
    ]),
  };
}

/** The bytes, or the UTF-8 bytes of a string, as hex; null stays null. */
export function hexOf(field: Field): string | null {
  if (field === null) return null;
  const bytes = typeof field === 'string' ? Buffer.from(field) : field;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** A copy of the batch after `change`, with a valid CRC. */
export function resealed(batch: Uint8Array, change: (copy: Bytes, view: DataView) => void): Bytes {
  const copy = Uint8Array.from(batch);
  change(copy, viewOf(copy));
  sealBatch(copy);
  return copy;
}

function setAttributes(batch: Uint8Array, bits: number): void {
  const view = viewOf(batch);
  view.setInt16(FIELD.attributes, view.getInt16(FIELD.attributes) | bits);
}
