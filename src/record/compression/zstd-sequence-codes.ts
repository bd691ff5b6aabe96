import { FseTable } from './zstd-fse-table.ts';

/**
 * The codes of one part of a sequence (RFC 8878, 3.1.1.3.2.1): a code is a base, plus a number of
 * extra bits.
 */
export interface SequenceCodes {
  readonly maxLog: number;
  readonly bases: readonly number[];
  readonly bits: readonly number[];
  /** The predefined table, for blocks that describe none. */
  readonly table: () => FseTable;
}

/** Bases such that each code's range begins where the one before ends. */
function codesOf(first: number, bits: readonly number[]): Pick<SequenceCodes, 'bases' | 'bits'> {
  let base = first;
  const bases = bits.map((count) => {
    base += 2 ** count;
    return base - 2 ** count;
  });
  return { bases, bits };
}

/** `count` times `of`, followed by `others`. */
function run(count: number, of: number, ...others: number[]): number[] {
  return [...Array<number>(count).fill(of), ...others];
}

const ONES_OF_MATCHES = run(37, 1, ...run(7, -1));

export const LITERAL_LENGTHS: SequenceCodes = {
  maxLog: 9,
  ...codesOf(0, run(16, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)),
  table: () =>
    new FseTable(
      [4, 3, ...run(11, 2), 1, 1, 1, ...run(9, 2), 3, 2, ...run(5, 1), ...run(4, -1)],
      6,
    ),
};

export const MATCH_LENGTHS: SequenceCodes = {
  maxLog: 9,
  ...codesOf(3, run(32, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)),
  table: () => new FseTable([1, 4, 3, ...run(6, 2), ...ONES_OF_MATCHES], 6),
};

export const OFFSETS: SequenceCodes = {
  maxLog: 8,
  ...codesOf(
    1,
    Array.from({ length: 32 }, (_, code) => code),
  ),
  table: () => new FseTable([...run(6, 1), 2, 2, 2, ...run(15, 1), ...run(5, -1)], 5),
};
