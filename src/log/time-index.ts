/**
 * A sparse index from time to offset, small enough to live in the partition's head.
 *
 * The partition is cut into strides of so many bytes, and each entry has the largest timestamp of its
 * stride. Timestamps are the producers' and may go back: what is at or after a time lies in the first
 * stride that has it, or later.
 */
export interface TimeIndex {
  /** Pairs, ascending: the offset at which a stride begins, and the largest timestamp in it. */
  readonly entries: Float64Array;
  /** The least that a stride has before the next one begins. */
  readonly strideBytes: number;
  /** What the last stride has so far. */
  readonly lastBytes: number;
}

/** 128 entries are 2 KiB; when they are full every two become one, and strides twice as long. */
const MAX_ENTRIES = 128;
const FIRST_STRIDE_BYTES = 64 * 1024;

export const EMPTY_TIME_INDEX: TimeIndex = {
  entries: new Float64Array(0),
  strideBytes: FIRST_STRIDE_BYTES,
  lastBytes: 0,
};

/** The index after a segment of `bytes` at `offset`, with `maxTimestamp`. */
export function extendTimeIndex(
  { entries, strideBytes, lastBytes }: TimeIndex,
  offset: number,
  maxTimestamp: number,
  bytes: number,
): TimeIndex {
  if (entries.length > 0 && lastBytes < strideBytes) {
    const extended = entries.slice();
    const last = extended.length - 1;
    extended[last] = Math.max(extended[last]!, maxTimestamp);
    return { entries: extended, strideBytes, lastBytes: lastBytes + bytes };
  }
  const extended = new Float64Array(entries.length + 2);
  extended.set(entries);
  extended.set([offset, maxTimestamp], entries.length);
  const index = { entries: extended, strideBytes, lastBytes: bytes };
  return extended.length < MAX_ENTRIES * 2 ? index : coarser(index);
}

/**
 * The index without the strides that lie before `startOffset`. The strides to come are as short as
 * those of a partition that never had more than what is left.
 */
export function trimTimeIndex(index: TimeIndex, startOffset: number): TimeIndex {
  const { entries, lastBytes } = index;
  let { strideBytes } = index;
  let from = 0;
  while (from + 2 < entries.length && entries[from + 2]! <= startOffset) from += 2;
  if (from === 0) return index;
  const left = entries.slice(from);
  for (let count = left.length / 2; count * 4 <= MAX_ENTRIES; count *= 2) {
    if (strideBytes > FIRST_STRIDE_BYTES) strideBytes /= 2;
  }
  return { entries: left, strideBytes, lastBytes };
}

/**
 * An offset at or before the first record with a timestamp of at least `timestamp`; `undefined`: there
 * is none.
 */
export function lookUpTime({ entries }: TimeIndex, timestamp: number): number | undefined {
  for (let i = 0; i < entries.length; i += 2) {
    if (entries[i + 1]! >= timestamp) return entries[i];
  }
  return undefined;
}

function coarser({ entries, strideBytes, lastBytes }: TimeIndex): TimeIndex {
  const half = new Float64Array(entries.length / 2);
  for (let i = 0; i < half.length; i += 2) {
    half[i] = entries[2 * i]!;
    half[i + 1] = Math.max(entries[2 * i + 1]!, entries[2 * i + 3]!);
  }
  return { entries: half, strideBytes: strideBytes * 2, lastBytes: strideBytes + lastBytes };
}
