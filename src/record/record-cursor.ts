import type { TablogError } from '../base/error.ts';
import { corruptBatch } from './batch-error.ts';
import { ATTRIBUTE, FIELD, readInt64, viewOf } from './batch-format.ts';
import { decodeLeniently } from './text-codec.ts';
import { readAscii } from './utf8.ts';

/** The shift of the last byte: the fifth byte of a varint, the tenth of a varlong. */
const MAX_VARINT_SHIFT = 28;
const MAX_VARLONG_SHIFT = 63;

/** A header of a record: its name, and its value's bytes or null. */
export type Header = readonly [name: string, value: Uint8Array | null];

/** A whole batch: a `RecordBatch`, or the fields of one whose header was checked before. */
interface BatchBytes {
  readonly bytes: Uint8Array;
}

/**
 * Iterates over the records of one batch without an object per record. After `next()` the fields
 * tell where the current record's parts lie in `bytes`. A length of -1 is null.
 *
 * Each length is checked against the rest of the record before it is used, and throws
 * `BATCH_CORRUPT` when it is larger.
 */
export class RecordCursor {
  readonly bytes: Uint8Array;
  offset = -1;
  timestamp = 0;
  keyAt = 0;
  keyLength = -1;
  valueAt = 0;
  valueLength = -1;
  headersAt = 0;
  headerCount = 0;
  /** Bytes of key, value and headers. */
  payloadBytes = 0;
  /** The position of the record's length field, with which the record begins. */
  recordAt = 0;

  readonly #baseOffset: number;
  readonly #nextOffset: number;
  readonly #baseTimestamp: number;
  /** With append time every record has the batch's max timestamp. */
  readonly #appendTime: number | undefined;
  #left: number;
  #at = 0;
  #recordEnd = 0;

  /** `records`: the batch's records, inflated where they are compressed. */
  constructor(batch: BatchBytes, records: Uint8Array = batch.bytes.subarray(FIELD.records)) {
    const view = viewOf(batch.bytes);
    this.bytes = records;
    this.#baseOffset = readInt64(view, FIELD.baseOffset);
    this.#nextOffset = this.#baseOffset + view.getInt32(FIELD.lastOffsetDelta) + 1;
    this.#baseTimestamp = readInt64(view, FIELD.baseTimestamp);
    const isAppendTime = (view.getInt16(FIELD.attributes) & ATTRIBUTE.appendTime) !== 0;
    this.#appendTime = isAppendTime ? readInt64(view, FIELD.maxTimestamp) : undefined;
    this.#left = view.getInt32(FIELD.recordCount);
  }

  /** The offset after the batch. It stays when compaction removes the last records. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** The position after the record. */
  get recordEnd(): number {
    return this.#recordEnd;
  }

  /** Moves to the next record; `false` after the last. */
  next(): boolean {
    const { bytes } = this;
    this.#recordEnd = bytes.length;
    if (this.#left === 0) {
      if (this.#at !== bytes.length) throw this.#damaged();
      return false;
    }
    this.#left--;
    this.recordAt = this.#at;
    const length = this.#varint();
    if (length < 0 || length > bytes.length - this.#at) throw this.#damaged();
    this.#recordEnd = this.#at + length;
    this.#at++; // attributes: none is defined
    const timestampDelta = this.#varlong();
    const offsetDelta = this.#varint();
    this.timestamp = this.#appendTime ?? this.#baseTimestamp + timestampDelta;
    const offset = this.#baseOffset + offsetDelta;
    if (offsetDelta < 0 || offset >= this.#nextOffset) throw this.#damaged();
    this.keyLength = this.#length();
    this.keyAt = this.#skip(this.keyLength);
    this.valueLength = this.#length();
    this.valueAt = this.#skip(this.valueLength);
    this.headerCount = this.#varint();
    this.headersAt = this.#at;
    this.payloadBytes = Math.max(this.keyLength, 0) + Math.max(this.valueLength, 0);
    if (this.headerCount !== 0) this.#skipHeaders();
    if (this.#at !== this.#recordEnd) throw this.#damaged();
    this.offset = offset;
    return true;
  }

  #skipHeaders(): void {
    if (this.headerCount < 0) throw this.#damaged();
    for (let i = 0; i < this.headerCount; i++) {
      const nameLength = this.#length();
      if (nameLength < 0) throw this.#damaged();
      this.#skip(nameLength);
      const valueLength = this.#length();
      this.#skip(valueLength);
      this.payloadBytes += nameLength + Math.max(valueLength, 0);
    }
  }

  /** Steps over a field, and returns the position of its first byte. */
  #skip(length: number): number {
    const at = this.#at;
    this.#at += Math.max(length, 0);
    return at;
  }

  /** Reads the length of a field: -1 for null. Checks that the record is long enough. */
  #length(): number {
    const length = this.#varint();
    if (length < -1 || length > this.#recordEnd - this.#at) throw this.#damaged();
    return length;
  }

  #varint(): number {
    const value = this.#varlong(MAX_VARINT_SHIFT);
    if (value !== (value | 0)) throw this.#damaged();
    return value;
  }

  #varlong(maxShift = MAX_VARLONG_SHIFT): number {
    const { bytes } = this;
    const end = this.#recordEnd;
    let at = this.#at;
    let byte = at < end ? bytes[at++]! : 0x80;
    let zigzag = byte & 0x7f;
    // The low 28 bits are an integer. Higher bits are rare, and need a float.
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (at >= end || shift > maxShift) throw this.#damaged();
      byte = bytes[at++]!;
      if (shift < 28) zigzag |= (byte & 0x7f) << shift;
      else zigzag += (byte & 0x7f) * 2 ** shift;
    }
    this.#at = at;
    if (zigzag < 0x1000_0000) return (zigzag >>> 1) ^ -(zigzag & 1);
    if (zigzag > Number.MAX_SAFE_INTEGER) throw this.#damaged();
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  #damaged(): TablogError {
    const after = this.offset < 0 ? 'its first record' : `the record after offset ${this.offset}`;
    return corruptBatch(`${after} does not fit into its bytes`);
  }
}

/** Reads the headers of a record that a cursor has checked. */
export function readHeaders(bytes: Uint8Array, at: number, count: number): Header[] {
  const headers: Header[] = [];
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
    const nameBytes = bytes.subarray(at, nameEnd);
    const name = readAscii(nameBytes) ?? decodeLeniently(nameBytes);
    at = nameEnd;
    const valueLength = length();
    const value = valueLength < 0 ? null : bytes.subarray(at, at + valueLength);
    at += Math.max(valueLength, 0);
    headers.push([name, value]);
  }
  return headers;
}
