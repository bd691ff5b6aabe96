import { corruptBatch } from '../batch-error.ts';

/**
 * A bit stream that is read from its end to its beginning (RFC 8878, 4). The highest bit set in its
 * last byte is the marker in front of the first bit read. Bits from before the beginning read as
 * zeros; `left` is negative then, for the caller to check.
 */
export class BackwardBits {
  readonly #bytes: Uint8Array;
  #left: number;

  constructor(bytes: Uint8Array) {
    const last = bytes.at(-1);
    if (last === undefined || last === 0) {
      throw corruptBatch('its zstd has a bit stream without an end');
    }
    this.#bytes = bytes;
    this.#left = bytes.length * 8 - 1 - Math.clz32(last << 24);
  }

  /** The number of bits that are not read yet. */
  get left(): number {
    return this.#left;
  }

  /** Passes over `count` bits. */
  skip(count: number): void {
    this.#left -= count;
  }

  /** The next `count` bits, up to 16, without reading past them. */
  peek(count: number): number {
    const bytes = this.#bytes;
    const bit = this.#left - count;
    const at = bit >> 3;
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    return (word >>> (bit & 7)) & ((1 << count) - 1);
  }

  /** Reads the next `count` bits, up to 32. */
  read(count: number): number {
    if (count > 16) return this.read(count - 16) * 65_536 + this.read(16);
    const bits = this.peek(count);
    this.#left -= count;
    return bits;
  }
}
