import { corruptBatch } from './batch-error.ts';
import type { RecordBatch } from './batch-reader.ts';

/** Where the last byte's bits go: the fifth of a varint, the tenth of a varlong. */
const MAX_VARINT_SHIFT = 28;
const MAX_VARLONG_SHIFT = 63;

/** A header of a record: its name, and its value's bytes or null. */
export type Header = readonly [name: string, value: Uint8Array | null];

/**
 * Walks the records of one batch without making an object for each: after `next()` the fields say
 * where the current record's parts lie in `bytes`. A length of -1 is null.
 *
 * Every length is checked against what is left of the record before it is used; whatever does not
 * fit throws `BATCH_CORRUPT`.
 */
export class RecordCursor {
  readonly bytes: Uint8Array;
  offset = 0;
  timestamp = 0;
  keyAt = 0;
  keyLength = -1;
  valueAt = 0;
  valueLength = -1;
  headersAt = 0;
  headerCount = 0;
  /** Bytes of key, value and headers. */
  payloadBytes = 0;

  readonly #baseOffset: number;
  readonly #nextOffset: number;
  readonly #baseTimestamp: number;
  /** With append time every record has the batch's max timestamp. */
  readonly #appendTime: number | undefined;
  #left: number;
  #at = 0;
  #recordEnd = 0;

  /** `bytes`: the batch's records, inflated. */
  constructor(batch: RecordBatch, bytes: Uint8Array = batch.recordBytes) {
    this.bytes = bytes;
    this.#baseOffset = batch.baseOffset;
    this.#nextOffset = batch.nextOffset;
    this.#baseTimestamp = batch.baseTimestamp;
    this.#appendTime = batch.isAppendTime ? batch.maxTimestamp : undefined;
    this.#left = batch.recordCount;
  }

  /** Moves to the next record; `false` after the last. */
  next(): boolean {
    if (this.#left === 0) {
      if (this.#at !== this.bytes.length) {
        throw corruptBatch(`${this.bytes.length - this.#at} bytes are left after its last record`);
      }
      return false;
    }
    this.#left--;
    this.#recordEnd = this.bytes.length;
    const length = this.#varint();
    if (length < 0 || length > this.bytes.length - this.#at) {
      throw corruptBatch(`a record's length ${length} goes past its end`);
    }
    this.#recordEnd = this.#at + length;
    this.#at++; // attributes: none is defined
    const timestampDelta = this.#varlong();
    const offsetDelta = this.#varint();
    this.timestamp = this.#appendTime ?? this.#baseTimestamp + timestampDelta;
    this.offset = this.#baseOffset + offsetDelta;
    if (offsetDelta < 0 || this.offset >= this.#nextOffset) {
      throw corruptBatch(`a record's offset delta ${offsetDelta} is outside the batch`);
    }
    this.keyLength = this.#length('key');
    this.keyAt = this.#at;
    this.#at += Math.max(this.keyLength, 0);
    this.valueLength = this.#length('value');
    this.valueAt = this.#at;
    this.#at += Math.max(this.valueLength, 0);
    this.headerCount = this.#varint();
    this.headersAt = this.#at;
    this.payloadBytes = Math.max(this.keyLength, 0) + Math.max(this.valueLength, 0);
    if (this.headerCount !== 0) this.#skipHeaders();
    if (this.#at !== this.#recordEnd) {
      throw corruptBatch(`a record's length does not match its fields`);
    }
    return true;
  }

  #skipHeaders(): void {
    if (this.headerCount < 0) throw corruptBatch(`a record has ${this.headerCount} headers`);
    for (let i = 0; i < this.headerCount; i++) {
      const nameLength = this.#length('header name');
      if (nameLength < 0) throw corruptBatch('a header has no name');
      this.#at += nameLength;
      const valueLength = Math.max(this.#length('header value'), 0);
      this.#at += valueLength;
      this.payloadBytes += nameLength + valueLength;
    }
  }

  #length(what: string): number {
    const length = this.#varint();
    if (length < -1 || length > this.#recordEnd - this.#at) {
      throw corruptBatch(`a ${what}'s length ${length} goes past the record`);
    }
    return length;
  }

  #varint(): number {
    const value = this.#varlong(MAX_VARINT_SHIFT);
    if (value === (value | 0)) return value;
    throw corruptBatch(`the varint ${value} is beyond 32 bits`);
  }

  #varlong(maxShift = MAX_VARLONG_SHIFT): number {
    const bytes = this.bytes;
    const end = this.#recordEnd;
    let at = this.#at;
    let byte = at < end ? bytes[at++]! : 0x80;
    let zigzag = byte & 0x7f;
    // The low 28 bits as integers; above them, rarely reached, as a float.
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (at >= end || shift > maxShift) throw corruptBatch('a varint goes past its end');
      byte = bytes[at++]!;
      if (shift < 28) zigzag |= (byte & 0x7f) << shift;
      else zigzag += (byte & 0x7f) * 2 ** shift;
    }
    this.#at = at;
    if (zigzag < 0x1000_0000) return (zigzag >>> 1) ^ -(zigzag & 1);
    if (zigzag > Number.MAX_SAFE_INTEGER) throw corruptBatch('a varint is beyond safe integers');
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }
}

/** Reads the headers of a record that a cursor has checked. */
export function readHeaders(bytes: Uint8Array, at: number, count: number): Header[] {
  const headers: Header[] = [];
  const decoder = new TextDecoder();
  const length = (): number => {
    let zigzag = 0;
    let byte = 0x80;
    for (let shift = 0; byte > 0x7f; shift += 7) {
      byte = bytes[at++]!;
      zigzag += (byte & 0x7f) * 2 ** shift;
    }
    return zigzag % 2 === 0 ? zigzag / 2 : -1;
  };
  for (let i = 0; i < count; i++) {
    const nameEnd = length() + at;
    const name = decoder.decode(bytes.subarray(at, nameEnd));
    at = nameEnd;
    const valueLength = length();
    const value = valueLength < 0 ? null : bytes.subarray(at, at + valueLength);
    at += Math.max(valueLength, 0);
    headers.push([name, value]);
  }
  return headers;
}
