import { corruptBatch } from '../batch-error.ts';

/** The longest code of deflate. */
const MAX_BITS = 15;

/** Codes of up to this many bits, which are most, take one look into a table. */
const FAST_BITS = 9;
const FAST_MASK: number = (1 << FAST_BITS) - 1;

/** An entry of the table has the symbol above the length of its code. */
const LENGTH_BITS = 4;
const LENGTH_MASK: number = (1 << LENGTH_BITS) - 1;

/** A symbol, and the number of bits of its code. */
export type Decoded = number;

export function symbolOf(decoded: Decoded): number {
  return decoded >> LENGTH_BITS;
}

export function lengthOf(decoded: Decoded): number {
  return decoded & LENGTH_MASK;
}

/**
 * A prefix code of deflate (RFC 1951, 3.2.2), given by the length of each symbol's code. A block
 * can describe its codes in a few bytes, so a code is made in few steps: the table is small, and
 * longer codes are followed bit by bit.
 */
export class PrefixCode {
  readonly #fast = new Uint16Array(1 << FAST_BITS);
  /** How many codes there are of each length. */
  readonly #counts = new Uint16Array(MAX_BITS + 1);
  /** The symbols in the order of their codes. */
  readonly #symbols = new Uint16Array(288);

  /** Replaces the code. Throws `BATCH_CORRUPT` for lengths that no code has. */
  set(lengths: Uint8Array): this {
    const counts = this.#counts.fill(0);
    for (const length of lengths) counts[length]!++;
    const used = lengths.length - counts[0]!;
    counts[0] = 0;
    const places = new Uint16Array(MAX_BITS + 2);
    const codes = new Uint16Array(MAX_BITS + 2);
    let left = 1;
    for (let length = 1; length <= MAX_BITS; length++) {
      left = left * 2 - counts[length]!;
      if (left < 0) throw badCode();
      places[length + 1] = places[length]! + counts[length]!;
      codes[length + 1] = (codes[length]! + counts[length]!) << 1;
    }
    // A block without matches, or with matches of one distance, has a code of none or one symbol.
    if (left > 0 && used > 1) throw badCode();
    const fast = this.#fast.fill(0);
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      const length = lengths[symbol]!;
      if (length === 0) continue;
      this.#symbols[places[length]!++] = symbol;
      const code = codes[length]!++;
      if (length > FAST_BITS) continue;
      const entry = (symbol << LENGTH_BITS) | length;
      const step = 1 << length;
      for (let at = reversed(code, length); at <= FAST_MASK; at += step) fast[at] = entry;
    }
    return this;
  }

  /** The symbol whose code the lowest bits of `bits` are. */
  decode(bits: number): Decoded {
    const entry = this.#fast[bits & FAST_MASK]!;
    return entry === 0 ? this.#decodeLong(bits) : entry;
  }

  #decodeLong(bits: number): Decoded {
    let code = 0;
    let first = 0;
    let place = 0;
    for (let length = 1; length <= MAX_BITS; length++) {
      code = (code << 1) | ((bits >>> (length - 1)) & 1);
      const count = this.#counts[length]!;
      first <<= 1;
      if (code - first < count) {
        return (this.#symbols[place + code - first]! << LENGTH_BITS) | length;
      }
      place += count;
      first += count;
    }
    throw badCode();
  }
}

/** Codes lie in the bytes with their first bit lowest. */
function reversed(code: number, length: number): number {
  let bits = 0;
  for (let i = 0; i < length; i++) bits |= ((code >> i) & 1) << (length - 1 - i);
  return bits;
}

function badCode(): Error {
  return corruptBatch('its gzip has a code that does not add up');
}
