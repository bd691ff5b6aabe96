/** The bytes that are hashed, and so the shortest match of LZ4 and Snappy. */
export const MIN_MATCH_BYTES = 4;

/** LZ4: a block ends in at least 5 literals, and no match begins within its last 12 bytes. */
const LAST_LITERALS = 5;
const LAST_MATCH_START = 12;

const HASH_BITS = 14;

/**
 * The search takes a longer step after every 64 misses in a row, so that it passes noise quickly.
 */
const SKIP_BITS = 6;

/**
 * Called with the literals from `from` to `to`, and the match of `length` bytes, `distance` back,
 * behind them.
 */
export type OnMatch = (from: number, to: number, distance: number, length: number) => void;

/** Finds repeated bytes within a block of up to 64 KiB. */
export class MatchFinder {
  /** By hash: the last position of such bytes in the block, plus one. */
  readonly #table = new Uint16Array(1 << HASH_BITS);

  /**
   * Reports the matches of the block in order; returns where the literals after the last match
   * begin.
   */
  search(bytes: Uint8Array, from: number, to: number, onMatch: OnMatch): number {
    const table = this.#table.fill(0);
    const lastStart = to - LAST_MATCH_START;
    const lastEnd = to - LAST_LITERALS;
    let literals = from;
    let misses = 0;
    for (let at = from; at < lastStart;) {
      const word = wordAt(bytes, at);
      const hash = Math.imul(word, 0x9e37_79b1) >>> (32 - HASH_BITS);
      const candidate = from + table[hash]! - 1;
      table[hash] = at - from + 1;
      if (candidate < from || candidate >= at || wordAt(bytes, candidate) !== word) {
        at += 1 + (misses++ >> SKIP_BITS);
        continue;
      }
      misses = 0;
      let end = at + MIN_MATCH_BYTES;
      for (let other = candidate + MIN_MATCH_BYTES; end < lastEnd; end++, other++) {
        if (bytes[end] !== bytes[other]) break;
      }
      onMatch(literals, at, at - candidate, end - at);
      at = end;
      literals = end;
    }
    return literals;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
