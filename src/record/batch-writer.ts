import {
  BATCH_HEADER_BYTES,
  CODEC,
  FIELD,
  LENGTH_PREFIX_BYTES,
  MAGIC,
  viewOf,
  writeInt64,
} from './batch-format.ts';
import { stampProducer } from './batch-seal.ts';
import type { ProducerStamp } from './batch-seal.ts';
import { utf8Bytes, writeUtf8 } from './utf8.ts';
import {
  MAX_VARINT_BYTES,
  varintBytes,
  varlongBytes,
  writeVarint,
  writeVarlong,
} from './varint.ts';

/** A field of a record: bytes, text to be written as UTF-8, or null, which differs from empty. */
export type Field = Uint8Array | string | null;

/** The parts of a record, before it has an offset. */
export interface RecordParts {
  readonly key: Field;
  readonly value: Field;
  /** Names and values in order; a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: Field])[];
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

const NOBODY: ProducerStamp = { id: -1, epoch: -1, sequence: -1 };

const MIN_CAPACITY = 4096;

/** Writes records into an uncompressed RecordBatch. It grows one buffer, and reuses it. */
export class BatchWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(MIN_CAPACITY);
  #end = BATCH_HEADER_BYTES;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;

  get recordCount(): number {
    return this.#count;
  }

  /** The size of the batch so far, with its header. */
  get byteLength(): number {
    return this.#end;
  }

  /**
   * Adds a record and returns its offset delta within the batch.
   * Throws a `TypeError`, and adds nothing, where a text has no UTF-8.
   */
  append(record: RecordParts): number {
    const { timestamp } = record;
    const base = this.#count === 0 ? timestamp : this.#baseTimestamp;
    // Most text is ASCII, whose size is its length. A record with other text is written again.
    this.#end = this.#write(record, base, lengthOf) ?? this.#write(record, base, utf8Bytes)!;
    this.#baseTimestamp = base;
    this.#maxTimestamp = this.#count === 0 ? timestamp : Math.max(this.#maxTimestamp, timestamp);
    return this.#count++;
  }

  /**
   * Returns the position after the record; `undefined` when a text was longer than `textBytes`
   * said.
   */
  #write(record: RecordParts, baseTimestamp: number, textBytes: TextBytes): number | undefined {
    const { key, value, headers, timestamp } = record;
    const timestampDelta = timestamp - baseTimestamp;
    const offsetDelta = this.#count;
    const keyBytes = fieldBytes(key, textBytes);
    const valueBytes = fieldBytes(value, textBytes);
    let size =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(offsetDelta) +
      sizedBytes(keyBytes) +
      sizedBytes(valueBytes) +
      varintBytes(headers.length);
    for (const [name, headerValue] of headers) {
      size += sizedBytes(textBytes(name)) + sizedBytes(fieldBytes(headerValue, textBytes));
    }
    this.#reserve(MAX_VARINT_BYTES + size);

    const bytes = this.#bytes;
    let at = writeVarint(bytes, this.#end, size);
    bytes[at++] = 0;
    at = writeVarlong(bytes, at, timestampDelta);
    at = writeVarint(bytes, at, offsetDelta);
    at = writeField(bytes, at, key, keyBytes);
    at = writeField(bytes, at, value, valueBytes);
    if (at < 0) return undefined;
    at = writeVarint(bytes, at, headers.length);
    for (const [name, headerValue] of headers) {
      at = writeField(bytes, at, name, textBytes(name));
      at = writeField(bytes, at, headerValue, fieldBytes(headerValue, textBytes));
      if (at < 0) return undefined;
    }
    return at;
  }

  /**
   * The finished batch, with base offset 0 and in a buffer of its exact size; the writer is empty
   * again. The CRC is missing: the broker's `sealBatch` computes it, off the page's thread.
   * @internal TypeScript before 5.7 cannot parse the generic `Uint8Array`.
   */
  finish(): Uint8Array<ArrayBuffer> {
    const batch = this.#bytes.slice(0, this.#end);
    const view = viewOf(batch);
    view.setInt32(FIELD.batchLength, batch.length - LENGTH_PREFIX_BYTES);
    view.setInt8(FIELD.magic, MAGIC);
    view.setInt16(FIELD.attributes, CODEC.none);
    view.setInt32(FIELD.lastOffsetDelta, this.#count - 1);
    writeInt64(view, FIELD.baseTimestamp, this.#baseTimestamp);
    writeInt64(view, FIELD.maxTimestamp, this.#maxTimestamp);
    view.setInt32(FIELD.recordCount, this.#count);
    stampProducer(batch, NOBODY);
    this.#end = BATCH_HEADER_BYTES;
    this.#count = 0;
    return batch;
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }
}

/** An upper bound of the size of a record, computed without reading its texts. */
export function maxRecordBytes(record: RecordParts): number {
  return overheadBytes(record) + sumFields(record, (text) => text.length * 3);
}

/** The size of a record, or a few bytes more. */
export function recordBytes(record: RecordParts): number {
  return overheadBytes(record) + payloadBytes(record);
}

/** Bytes of a record's key, value and headers, which a topic's `maxRecordBytes` bounds. */
export function payloadBytes(record: RecordParts): number {
  return sumFields(record, utf8Bytes);
}

function overheadBytes({ headers }: RecordParts): number {
  return 32 + headers.length * 2 * MAX_VARINT_BYTES;
}

function sumFields({ key, value, headers }: RecordParts, textBytes: TextBytes): number {
  let bytes = Math.max(fieldBytes(key, textBytes), 0) + Math.max(fieldBytes(value, textBytes), 0);
  for (const [name, headerValue] of headers) {
    bytes += textBytes(name) + Math.max(fieldBytes(headerValue, textBytes), 0);
  }
  return bytes;
}

type TextBytes = (text: string) => number;

function lengthOf(text: string): number {
  return text.length;
}

/** The length of a field as the format has it: -1 for null. */
function fieldBytes(field: Field, textBytes: TextBytes): number {
  if (field === null) return -1;
  return typeof field === 'string' ? textBytes(field) : field.length;
}

function sizedBytes(length: number): number {
  return varintBytes(length) + (length > 0 ? length : 0);
}

/**
 * Returns the position after the field; -1 when a text takes more than `length` bytes, or `at` is
 * -1.
 */
function writeField(bytes: Uint8Array, at: number, field: Field, length: number): number {
  if (at < 0) return at;
  at = writeVarint(bytes, at, length);
  if (length <= 0) return at;
  if (typeof field !== 'string') bytes.set(field!, at);
  else if (!writeUtf8(bytes, at, field, length)) return -1;
  return at + length;
}
