import { corruptBatch } from '../batch-error.ts';
import type { BackwardBits } from './zstd-backward-bits.ts';

const MIN_LOG = 5;
const NO_MORE_ZEROS = 3;

/** A table of finite state entropy (RFC 8878, 4.1): each state is a symbol and leads to others. */
export class FseTable {
  /** The bits of an initial state. */
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly #bits: Uint8Array;
  readonly #bases: Uint16Array;

  /**
   * `counts`: for each symbol the number of its states; -1: one state, for a symbol of less than
   * one. The counts fill the table.
   */
  constructor(counts: readonly number[], log: number) {
    const size = 1 << log;
    this.log = log;
    this.symbols = new Uint8Array(size);
    this.#bits = new Uint8Array(size);
    this.#bases = new Uint16Array(size);
    const next = counts.map((count) => Math.abs(count));
    let rare = size;
    counts.forEach((count, symbol) => {
      if (count < 0) this.symbols[--rare] = symbol;
    });
    const step = (size >> 1) + (size >> 3) + 3;
    let at = 0;
    counts.forEach((count, symbol) => {
      for (let i = 0; i < count; i++) {
        this.symbols[at] = symbol;
        do at = (at + step) & (size - 1);
        while (at >= rare);
      }
    });
    for (let state = 0; state < size; state++) {
      const symbol = this.symbols[state]!;
      const number = next[symbol]!++;
      const bits = log - (31 - Math.clz32(number));
      this.#bits[state] = bits;
      this.#bases[state] = (number << bits) - size;
    }
  }

  /** The table of a single symbol, which takes no bits. */
  static ofOne(symbol: number): FseTable {
    const table = new FseTable([1], 0);
    table.symbols[0] = symbol;
    return table;
  }

  next(state: number, bits: BackwardBits): number {
    return this.#bases[state]! + bits.read(this.#bits[state]!);
  }
}

/**
 * Reads the table description at the beginning of `bytes`; returns the table and where its
 * description ends.
 */
export function readFseTable(
  bytes: Uint8Array,
  maxLog: number,
  maxSymbol: number,
): { readonly table: FseTable; readonly end: number } {
  let bit = 0;
  const read = (count: number): number => {
    const at = bit >> 3;
    if (at >= bytes.length) throw badTable();
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const value = (word >>> (bit & 7)) & ((1 << count) - 1);
    bit += count;
    return value;
  };
  const log = read(4) + MIN_LOG;
  if (log > maxLog) throw badTable();
  const counts: number[] = [];
  let left = 1 << log;
  while (left > 0) {
    if (counts.length > maxSymbol) throw badTable();
    // A count can be up to `left` + 1; small counts take one bit less.
    const width = 32 - Math.clz32(left + 1);
    const short = (1 << (width - 1)) - 1;
    const shorts = (1 << width) - 2 - left;
    let value = read(width);
    if ((value & short) < shorts) {
      bit--;
      value &= short;
    } else if (value > short) value -= shorts;
    const count = value - 1;
    left -= Math.abs(count);
    counts.push(count);
    for (let zeros = count === 0 ? NO_MORE_ZEROS : 0; zeros === NO_MORE_ZEROS;) {
      zeros = read(2);
      for (let i = 0; i < zeros; i++) counts.push(0);
    }
  }
  const end = (bit + 7) >> 3;
  if (left < 0 || end > bytes.length || counts.length > maxSymbol + 1) throw badTable();
  return { table: new FseTable(counts, log), end };
}

function badTable(): Error {
  return corruptBatch('its zstd has a table that does not add up');
}
