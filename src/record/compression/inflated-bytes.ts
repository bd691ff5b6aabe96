import { corruptBatch, inflatedTooLarge } from '../batch-error.ts';

/** The first guess of output bytes per input byte; the buffer grows where there are more. */
const GUESSED_RATIO = 4;
const MIN_CAPACITY = 1024;

/** The longest run for which a loop copies faster than a call. */
const LOOP_MAX_BYTES = 32;

/**
 * The output of a decoder: literals from the input, and matches from earlier output. The limit is
 * checked at each copy.
 */
export class InflatedBytes {
  readonly #codec: string;
  readonly #limit: number;
  #bytes: Uint8Array;
  #size = 0;

  constructor(codec: string, inputBytes: number, limit: number) {
    this.#codec = codec;
    this.#limit = limit;
    this.#bytes = new Uint8Array(
      Math.min(Math.max(inputBytes * GUESSED_RATIO, MIN_CAPACITY), limit),
    );
  }

  get size(): number {
    return this.#size;
  }

  /** Throws `INFLATED_TOO_LARGE` where `count` bytes more exceed the limit. */
  mustFit(count: number): void {
    if (this.#size + count > this.#limit) throw inflatedTooLarge(this.#limit);
  }

  /** Adds one byte. */
  literal(byte: number): void {
    if (this.#size === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#size++] = byte;
  }

  /** Copies bytes from the input; the caller has checked that they are there. */
  literals(input: Uint8Array, from: number, count: number): void {
    this.#reserve(count);
    const bytes = this.#bytes;
    let at = this.#size;
    if (count > LOOP_MAX_BYTES) bytes.set(input.subarray(from, from + count), at);
    else for (const end = from + count; from < end;) bytes[at++] = input[from++]!;
    this.#size += count;
  }

  /** Copies `count` bytes from `distance` bytes back; a distance below `count` repeats them. */
  match(distance: number, count: number): void {
    if (distance < 1 || distance > this.#size) {
      throw corruptBatch(`its ${this.#codec} refers to bytes before its beginning`);
    }
    this.#reserve(count);
    const bytes = this.#bytes;
    let at = this.#size;
    let from = at - distance;
    if (count > LOOP_MAX_BYTES && distance >= count) bytes.copyWithin(at, from, from + count);
    else for (const end = from + count; from < end;) bytes[at++] = bytes[from++]!;
    this.#size += count;
  }

  /** The output in a buffer of its exact size. */
  finish(): Uint8Array {
    return this.#bytes.length === this.#size ? this.#bytes : this.#bytes.slice(0, this.#size);
  }

  #reserve(count: number): void {
    this.mustFit(count);
    if (this.#size + count <= this.#bytes.length) return;
    const capacity = Math.max(this.#bytes.length * 2, this.#size + count);
    const grown = new Uint8Array(Math.min(capacity, this.#limit));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}
