/**
 * A sparse index from time to offset, small enough to live in the partition's head.
 *
 * The partition is cut into strides of `strideBytes`, and each entry has the largest timestamp of
 * its stride. Producers choose the timestamps, so these can go back: the first record at or after a
 * time lies in the first stride whose largest timestamp is at or after that time.
 */
export interface TimeIndex {
  /**
   * Pairs, ascending: the offset at which a stride begins, and the largest timestamp of the stride.
   */
  readonly entries: Float64Array;
  /**
   * For each entry, the time since which its timestamp is known to be ahead of the clock; 0: the
   * timestamp is not ahead. Missing: no timestamp is ahead. A shorter array than that of the
   * entries: an older build has added entries since.
   */
  readonly aheadSince?: Float64Array;
  /** The least size of a stride before the next one begins. */
  readonly strideBytes: number;
  /** The size of the last stride so far. */
  readonly lastBytes: number;
}

/**
 * 128 entries are 2 KiB. When there are more, each two are merged, and strides are twice as long.
 */
const MAX_ENTRIES = 128;
const FIRST_STRIDE_BYTES = 64 * 1024;

export const EMPTY_TIME_INDEX: TimeIndex = {
  entries: new Float64Array(0),
  strideBytes: FIRST_STRIDE_BYTES,
  lastBytes: 0,
};

/** The index after a segment of `bytes` at `offset`, with `maxTimestamp`. */
export function extendTimeIndex(
  index: TimeIndex,
  offset: number,
  maxTimestamp: number,
  bytes: number,
): TimeIndex {
  const { entries, strideBytes, lastBytes } = index;
  const marks = marksOf(index);
  if (entries.length > 0 && lastBytes < strideBytes) {
    const extended = entries.slice();
    const last = extended.length - 1;
    extended[last] = Math.max(extended[last]!, maxTimestamp);
    // The mark moves on: records appended to the stride now are younger than the mark.
    const aheadSince = marks?.with(-1, 0);
    return { entries: extended, ...marked(aheadSince), strideBytes, lastBytes: lastBytes + bytes };
  }
  const extended = new Float64Array(entries.length + 2);
  extended.set(entries);
  extended.set([offset, maxTimestamp], entries.length);
  const aheadSince = marks && new Float64Array(marks.length + 1);
  aheadSince?.set(marks!);
  const longer = { entries: extended, ...marked(aheadSince), strideBytes, lastBytes: bytes };
  return extended.length < MAX_ENTRIES * 2 ? longer : coarser(longer);
}

/**
 * The index without the strides that lie before `startOffset`. New strides are as short as in a
 * partition that never had the deleted records.
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
  const aheadSince = marksOf(index)?.slice(from / 2);
  return { entries: left, ...marked(aheadSince), strideBytes, lastBytes };
}

/**
 * An offset at or before the first record with a timestamp of at least `timestamp`; `undefined`:
 * there is no such record.
 */
export function lookUpTime({ entries }: TimeIndex, timestamp: number): number | undefined {
  for (let i = 0; i < entries.length; i += 2) {
    if (entries[i + 1]! >= timestamp) return entries[i];
  }
  return undefined;
}

/**
 * An offset at or before the first record from `cutoff` or later, by a clock that says `now`;
 * `undefined`: there is no such record. A timestamp that is ahead of the clock counts as the time
 * at which it was first seen ahead.
 */
export function lookUpAge(index: TimeIndex, cutoff: number, now: number): number | undefined {
  const { entries } = index;
  const marks = marksOf(index);
  for (let i = 0; i < entries.length; i += 2) {
    const timestamp = entries[i + 1]!;
    const from = timestamp > now ? seenAt(marks?.[i / 2], now) : timestamp;
    if (from >= cutoff) return entries[i];
  }
  return undefined;
}

/**
 * The index with marks at exactly the timestamps that are ahead of a clock that says `now`; the
 * same object where nothing changes.
 */
export function markAhead(index: TimeIndex, now: number): TimeIndex {
  const { aheadSince: before, ...unmarked } = index;
  const marks = marksOf(index);
  const aheadSince = index.entries
    .filter((_, i) => i % 2 === 1)
    .map((timestamp, i) => (timestamp > now ? seenAt(marks?.[i], now) : 0));
  const isAny = aheadSince.some((mark) => mark !== 0);
  const isSame = isAny ? marks?.every((mark, i) => mark === aheadSince[i]) : before === undefined;
  return isSame === true ? index : { ...unmarked, ...(isAny && { aheadSince }) };
}

/** The time at which a timestamp was first seen ahead: its mark, else now. */
function seenAt(mark: number | undefined, now: number): number {
  return mark === undefined || mark === 0 ? now : mark;
}

function marksOf({ entries, aheadSince }: TimeIndex): Float64Array | undefined {
  return aheadSince?.length === entries.length / 2 ? aheadSince : undefined;
}

function marked(aheadSince: Float64Array | undefined): Pick<TimeIndex, 'aheadSince'> {
  return aheadSince === undefined ? {} : { aheadSince };
}

function coarser(index: TimeIndex): TimeIndex {
  const { entries, strideBytes, lastBytes } = index;
  const half = new Float64Array(entries.length / 2);
  for (let i = 0; i < half.length; i += 2) {
    half[i] = entries[2 * i]!;
    half[i + 1] = Math.max(entries[2 * i + 1]!, entries[2 * i + 3]!);
  }
  // The merged stride keeps the later mark, and none where one stride has none, because that one
  // may be younger.
  const aheadSince = marksOf(index)
    ?.map((mark, i, all) => (mark === 0 || all[i + 1] === 0 ? 0 : Math.max(mark, all[i + 1]!)))
    .filter((_, i) => i % 2 === 0);
  const doubled = { strideBytes: strideBytes * 2, lastBytes: strideBytes + lastBytes };
  return { entries: half, ...marked(aheadSince), ...doubled };
}
