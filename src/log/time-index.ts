/**
 * A sparse index from time to offset, small enough to live in the partition's head.
 *
 * Timestamps are the producers' and may go back, so an entry does not say "here time was t" but
 * "every record before this offset has a timestamp of at most t", which never decreases. The first
 * record at or after a time then lies after the last entry whose t is before that time.
 */
export interface TimeIndex {
  /** Pairs of offset and max timestamp before it, ascending. */
  readonly entries: Float64Array;
  /** At least this many bytes of log lie between two entries. */
  readonly strideBytes: number;
  readonly bytesSinceEntry: number;
}

/** 128 entries are 2 KiB; when they are full every other one goes and the stride doubles. */
const MAX_ENTRIES = 128;
const FIRST_STRIDE_BYTES = 64 * 1024;

export const EMPTY_TIME_INDEX: TimeIndex = {
  entries: new Float64Array(0),
  strideBytes: FIRST_STRIDE_BYTES,
  bytesSinceEntry: FIRST_STRIDE_BYTES,
};

/** The index after a segment of `bytes` at `offset`; `maxBefore` is the max timestamp before it. */
export function extendTimeIndex(
  index: TimeIndex,
  offset: number,
  maxBefore: number,
  bytes: number,
): TimeIndex {
  const { strideBytes, bytesSinceEntry } = index;
  if (bytesSinceEntry < strideBytes) {
    return { ...index, bytesSinceEntry: bytesSinceEntry + bytes };
  }
  const entries = new Float64Array(index.entries.length + 2);
  entries.set(index.entries);
  entries.set([offset, maxBefore], index.entries.length);
  if (entries.length < MAX_ENTRIES * 2) return { entries, strideBytes, bytesSinceEntry: bytes };
  return {
    entries: entries.filter((_, i) => i % 4 < 2),
    strideBytes: strideBytes * 2,
    bytesSinceEntry: bytes,
  };
}

/** An offset at or before the first record with a timestamp of at least `timestamp`. */
export function offsetBefore(index: TimeIndex, timestamp: number): number | undefined {
  let found: number | undefined;
  for (let i = 0; i < index.entries.length; i += 2) {
    if (index.entries[i + 1]! >= timestamp) break;
    found = index.entries[i];
  }
  return found;
}
