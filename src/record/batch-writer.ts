import {
  BATCH_HEADER_BYTES,
  CODEC,
  FIELD,
  LENGTH_PREFIX_BYTES,
  MAGIC,
  viewOf,
  writeInt64,
} from './batch-format.ts';
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

/** Who wrote a batch, for brokers that check sequences; default: nobody. */
export interface ProducerStamp {
  readonly id: number;
  readonly epoch: number;
  readonly sequence: number;
}

const NO_PRODUCER: ProducerStamp = { id: -1, epoch: -1, sequence: -1 };

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
    const { key, value, headers, timestamp } = record;
    if (this.#count === 0) this.#baseTimestamp = this.#maxTimestamp = timestamp;
    const timestampDelta = timestamp - this.#baseTimestamp;
    const offsetDelta = this.#count;
    const keyBytes = fieldBytes(key);
    const valueBytes = fieldBytes(value);

    let size =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(offsetDelta) +
      sizedBytes(keyBytes) +
      sizedBytes(valueBytes) +
      varintBytes(headers.length);
    for (const [name, headerValue] of headers) {
      size += sizedBytes(utf8Bytes(name)) + sizedBytes(fieldBytes(headerValue));
    }
    this.#reserve(MAX_VARINT_BYTES + size);

    const bytes = this.#bytes;
    let at = writeVarint(bytes, this.#end, size);
    bytes[at++] = 0;
    at = writeVarlong(bytes, at, timestampDelta);
    at = writeVarint(bytes, at, offsetDelta);
    at = writeField(bytes, at, key, keyBytes);
    at = writeField(bytes, at, value, valueBytes);
    at = writeVarint(bytes, at, headers.length);
    for (const [name, headerValue] of headers) {
      at = writeField(bytes, at, name, utf8Bytes(name));
      at = writeField(bytes, at, headerValue, fieldBytes(headerValue));
    }
    this.#end = at;
    this.#count++;
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    return offsetDelta;
  }

  /**
   * The finished batch, exactly as long as it is, with base offset 0; the writer is empty again.
   * Its CRC is still to be computed, by `sealBatch`: the broker does, off the page's thread.
   */
  finish(producer: ProducerStamp = NO_PRODUCER): Uint8Array<ArrayBuffer> {
    const batch = this.#bytes.slice(0, this.#end);
    const view = viewOf(batch);
    view.setInt32(FIELD.batchLength, batch.length - LENGTH_PREFIX_BYTES);
    view.setInt8(FIELD.magic, MAGIC);
    view.setInt16(FIELD.attributes, CODEC.none);
    view.setInt32(FIELD.lastOffsetDelta, this.#count - 1);
    writeInt64(view, FIELD.baseTimestamp, this.#baseTimestamp);
    writeInt64(view, FIELD.maxTimestamp, this.#maxTimestamp);
    writeInt64(view, FIELD.producerId, producer.id);
    view.setInt16(FIELD.producerEpoch, producer.epoch);
    view.setInt32(FIELD.baseSequence, producer.sequence);
    view.setInt32(FIELD.recordCount, this.#count);
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

/** The most bytes that a record of these parts can take; cheap, and never too low. */
export function maxRecordBytes(record: RecordParts): number {
  let bytes = 32 + maxFieldBytes(record.key) + maxFieldBytes(record.value);
  for (const [name, value] of record.headers) {
    bytes += 2 * MAX_VARINT_BYTES + maxFieldBytes(name) + maxFieldBytes(value);
  }
  return bytes;
}

/** Bytes of a record's key, value and headers: what `maxRecordBytes` of a topic bounds. */
export function payloadBytes(record: RecordParts): number {
  let bytes = Math.max(fieldBytes(record.key), 0) + Math.max(fieldBytes(record.value), 0);
  for (const [name, value] of record.headers) {
    bytes += utf8Bytes(name) + Math.max(fieldBytes(value), 0);
  }
  return bytes;
}

/** The length of a field as the format has it: -1 for null. */
function fieldBytes(field: Field): number {
  if (field === null) return -1;
  return typeof field === 'string' ? utf8Bytes(field) : field.length;
}

function maxFieldBytes(field: Field): number {
  if (field === null) return 0;
  return typeof field === 'string' ? field.length * 3 : field.length;
}

function sizedBytes(length: number): number {
  return varintBytes(length) + (length > 0 ? length : 0);
}

function writeField(bytes: Uint8Array, at: number, field: Field, length: number): number {
  at = writeVarint(bytes, at, length);
  if (length <= 0) return at;
  if (typeof field === 'string') return writeUtf8(bytes, at, field, length);
  bytes.set(field!, at);
  return at + length;
}
