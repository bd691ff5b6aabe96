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

/** A field of a record: bytes, text to be written as UTF-8, or null, which is not the same as empty. */
export type Field = Uint8Array | string | null;

/** What a record is made of, before it has an offset. */
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

/** Packs records into one uncompressed RecordBatch, in one growing buffer that is used again. */
export class BatchWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(MIN_CAPACITY);
  #end = BATCH_HEADER_BYTES;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;

  get recordCount(): number {
    return this.#count;
  }

  /** Bytes the batch has so far, its header included. */
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
    // Text is taken for ASCII, whose size is known without a look; what is not is written again.
    this.#end = this.#write(record, base, lengthOf) ?? this.#write(record, base, utf8Bytes)!;
    this.#baseTimestamp = base;
    this.#maxTimestamp = this.#count === 0 ? timestamp : Math.max(this.#maxTimestamp, timestamp);
    return this.#count++;
  }

  /** Writes the record behind the others; the position after it, or `undefined`: texts are longer. */
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

/** The most bytes that a record can take, without a look at its texts. */
export function maxRecordBytes(record: RecordParts): number {
  return overheadBytes(record) + sumFields(record, (text) => text.length * 3);
}

/** The bytes that a record takes, or a few more. */
export function recordBytes(record: RecordParts): number {
  return overheadBytes(record) + payloadBytes(record);
}

/** Bytes of a record's key, value and headers: what `maxRecordBytes` of a topic bounds. */
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

/** The position after the field; -1 where a text takes more than `length` bytes, now or before. */
function writeField(bytes: Uint8Array, at: number, field: Field, length: number): number {
  if (at < 0) return at;
  at = writeVarint(bytes, at, length);
  if (length <= 0) return at;
  if (typeof field !== 'string') bytes.set(field!, at);
  else if (!writeUtf8(bytes, at, field, length)) return -1;
  return at + length;
}
