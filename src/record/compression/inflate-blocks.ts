import { corruptBatch } from '../batch-error.ts';
import type { InflatedBytes } from './inflated-bytes.ts';
import { PrefixCode, lengthOf, symbolOf } from './prefix-code.ts';

const BLOCK = { stored: 0, fixed: 1, dynamic: 2 } as const;

const END_OF_BLOCK = 256;

/** Extra bits of each length, whose symbols follow that of the end, and of each distance. */
const LENGTH_BITS = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5,
] as const;
const DISTANCE_BITS = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
] as const;
/** The longest match has a symbol of its own, without extra bits. */
const LENGTHS: Ranges = withSymbol(258, rangesOf(3, LENGTH_BITS));
const DISTANCES: Ranges = rangesOf(1, DISTANCE_BITS);

/** The order in which a block gives the lengths of the code that describes its other codes. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;

/** Symbols of that code which repeat the length before, or zero. */
const REPEAT_LAST = 16;
const REPEAT_ZERO = 17;

/** The meaning of each symbol: a base, plus a number of extra bits. */
interface Ranges {
  readonly bases: readonly number[];
  readonly bits: readonly number[];
}

function rangesOf(first: number, bits: readonly number[]): Ranges {
  let base = first;
  const bases = bits.map((count) => {
    base += 2 ** count;
    return base - 2 ** count;
  });
  return { bases, bits };
}

function withSymbol(base: number, { bases, bits }: Ranges): Ranges {
  return { bases: [...bases, base], bits: [...bits, 0] };
}

/** The codes of blocks that describe none (RFC 1951, 3.2.6), made at the first such block. */
let fixed: Codes | undefined;

interface Codes {
  readonly literals: PrefixCode;
  readonly distances: PrefixCode;
}

function fixedCodes(): Codes {
  const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280);
  return {
    literals: new PrefixCode().set(lengths.fill(8, 280)),
    distances: new PrefixCode().set(new Uint8Array(32).fill(5)),
  };
}

/**
 * Inflates the blocks of deflate (RFC 1951). The work for a byte of input is bounded, also where
 * the bytes are made to take as long as they can.
 */
export class BlockInflater {
  readonly #bytes: Uint8Array;
  readonly #inflated: InflatedBytes;
  /** The codes of a block that describes its own. */
  readonly #codes: Codes = { literals: new PrefixCode(), distances: new PrefixCode() };
  readonly #described = new PrefixCode();
  readonly #lengths = new Uint8Array(288 + 32);
  /** The position after the bits in `#hold`. */
  #at = 0;
  /** Bits that were taken from the bytes, the next one lowest. */
  #hold = 0;
  #held = 0;

  constructor(bytes: Uint8Array, inflated: InflatedBytes) {
    this.#bytes = bytes;
    this.#inflated = inflated;
  }

  /** Inflates the blocks that begin at `from`, up to the last one; returns where they end. */
  inflate(from: number): number {
    this.#at = from;
    for (let isLast = false; !isLast;) {
      isLast = this.#read(1) === 1;
      const type = this.#read(2);
      if (type === BLOCK.stored) this.#copyStored();
      else if (type === BLOCK.fixed) this.#inflateBlock((fixed ??= fixedCodes()));
      else if (type === BLOCK.dynamic) {
        this.#readCodes();
        this.#inflateBlock(this.#codes);
      } else throw corruptBatch('its gzip has a block of no known type');
    }
    this.#align();
    return this.#at;
  }

  #copyStored(): void {
    this.#align();
    const bytes = this.#bytes;
    const at = this.#at + 4;
    if (at > bytes.length) throw tooShort();
    const size = bytes[at - 4]! | (bytes[at - 3]! << 8);
    const check = bytes[at - 2]! | (bytes[at - 1]! << 8);
    if (size !== (check ^ 0xffff)) throw corruptBatch('its gzip has a block without its size');
    if (at + size > bytes.length) throw tooShort();
    this.#inflated.literals(bytes, at, size);
    this.#at = at + size;
  }

  #readCodes(): void {
    const literals = this.#read(5) + 257;
    const distances = this.#read(5) + 1;
    const described = this.#read(4) + 4;
    const lengths = this.#lengths.fill(0);
    for (let i = 0; i < described; i++) lengths[ORDER[i]!] = this.#read(3);
    this.#described.set(lengths.subarray(0, ORDER.length));
    lengths.fill(0, 0, ORDER.length);
    const end = literals + distances;
    for (let at = 0; at < end;) {
      const symbol = this.#symbol(this.#described);
      if (symbol < REPEAT_LAST) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === REPEAT_LAST && at === 0) throw badLengths();
      const length = symbol === REPEAT_LAST ? lengths[at - 1]! : 0;
      const count =
        symbol === REPEAT_LAST
          ? 3 + this.#read(2)
          : symbol === REPEAT_ZERO
            ? 3 + this.#read(3)
            : 11 + this.#read(7);
      if (at + count > end) throw badLengths();
      lengths.fill(length, at, at + count);
      at += count;
    }
    this.#codes.literals.set(lengths.subarray(0, literals));
    this.#codes.distances.set(lengths.subarray(literals, end));
  }

  #inflateBlock({ literals, distances }: Codes): void {
    const inflated = this.#inflated;
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol < END_OF_BLOCK) inflated.literal(symbol);
      else if (symbol === END_OF_BLOCK) return;
      else {
        const length = this.#range(LENGTHS, symbol - END_OF_BLOCK - 1);
        inflated.match(this.#range(DISTANCES, this.#symbol(distances)), length);
      }
    }
  }

  #range({ bases, bits }: Ranges, symbol: number): number {
    if (symbol >= bases.length) throw corruptBatch('its gzip has a symbol that means nothing');
    const extra = bits[symbol]!;
    return extra === 0 ? bases[symbol]! : bases[symbol]! + this.#read(extra);
  }

  #symbol(code: PrefixCode): number {
    this.#fill();
    const decoded = code.decode(this.#hold);
    this.#skip(lengthOf(decoded));
    return symbolOf(decoded);
  }

  /** Reads up to 13 bits. */
  #read(count: number): number {
    this.#fill();
    const value = this.#hold & ((1 << count) - 1);
    this.#skip(count);
    return value;
  }

  /** Holds at least 25 bits, or all that are left. */
  #fill(): void {
    const bytes = this.#bytes;
    while (this.#held <= 24 && this.#at < bytes.length) {
      this.#hold |= bytes[this.#at++]! << this.#held;
      this.#held += 8;
    }
  }

  #skip(count: number): void {
    if (count > this.#held) throw tooShort();
    this.#hold >>>= count;
    this.#held -= count;
  }

  /** Leaves the byte that was begun, and puts back the whole ones that are held. */
  #align(): void {
    this.#at -= this.#held >> 3;
    this.#hold = 0;
    this.#held = 0;
  }
}

function tooShort(): Error {
  return corruptBatch('its gzip ends too early');
}

function badLengths(): Error {
  return corruptBatch('its gzip has a code that does not add up');
}
