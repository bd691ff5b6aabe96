import type { RecordParts } from '../../record/batch-writer.ts';
import { readHeaders } from '../../record/record-cursor.ts';
import type { RecordCursor } from '../../record/record-cursor.ts';

/** A record as stored: its place in the fetched batch, which the record keeps in memory. */
export class RawRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly #bytes: Uint8Array;
  readonly #keyAt: number;
  readonly #keyLength: number;
  readonly #valueAt: number;
  readonly #valueLength: number;
  readonly #headersAt: number;
  readonly #headerCount: number;

  constructor(cursor: RecordCursor) {
    this.offset = cursor.offset;
    this.timestamp = cursor.timestamp;
    this.#bytes = cursor.bytes;
    this.#keyAt = cursor.keyAt;
    this.#keyLength = cursor.keyLength;
    this.#valueAt = cursor.valueAt;
    this.#valueLength = cursor.valueLength;
    this.#headersAt = cursor.headersAt;
    this.#headerCount = cursor.headerCount;
  }

  get key(): Uint8Array | null {
    return this.#field(this.#keyAt, this.#keyLength);
  }

  /** The record's parts, for writing it to another topic. */
  get parts(): RecordParts {
    return {
      key: this.key,
      value: this.#field(this.#valueAt, this.#valueLength),
      headers: readHeaders(this.#bytes, this.#headersAt, this.#headerCount),
      timestamp: this.timestamp,
    };
  }

  #field(at: number, length: number): Uint8Array | null {
    return length < 0 ? null : this.#bytes.subarray(at, at + length);
  }
}
