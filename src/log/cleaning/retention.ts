import type { PartitionHead } from '../head.ts';
import type { Segment } from '../segment.ts';
import { lookUpAge } from '../time-index.ts';

/**
 * The first offset that may be from `cutoff` or later, by a clock that says `now`; all records
 * before it are older.
 *
 * A user can set a browser's clock, so a record can be stamped a year ahead, and would keep all
 * records behind it for that year. (Kafka 4 refuses a record more than an hour ahead,
 * `message.timestamp.after.max.ms` of KIP-937; here the broker's clock is no better than the
 * producer's.) So a timestamp that is ahead of the clock counts as the time at which retention
 * first saw it ahead. When the clock has passed the timestamp, the timestamp itself counts, so a
 * clock that was set back for a while deletes nothing.
 */
export function startByTime(
  { startOffset, endOffset, timeIndex }: PartitionHead,
  cutoff: number,
  now: number,
): number {
  return Math.max(lookUpAge(timeIndex, cutoff, now) ?? endOffset, startOffset);
}

/**
 * The number of first rows that can be deleted so that at least `maxBytes` of the partition's
 * `bytes` stay, as in Kafka, and all records from the offset `protectedFrom` on.
 */
export function rowsBeyond(
  bytes: number,
  maxBytes: number,
  rows: readonly Segment[],
  protectedFrom: number,
): number {
  let left = bytes;
  const first = rows.findIndex((row) => {
    left -= row.bytes.byteLength;
    return left < maxBytes || row.nextOffset > protectedFrom;
  });
  return first === -1 ? rows.length : first;
}

/** The last time at which the clock was trusted, and the first time at which it was doubted. */
export interface TimeTrust {
  readonly seenAt: number;
  readonly doubtedAt: number | null;
}

/** The largest step between two readings of the clock. A larger step is doubted. */
const MAX_STEP_MS = 30 * 86_400_000;

/** The time after which a doubted clock is trusted, if it has not jumped again. */
const DOUBT_MS = 3_600_000;

/** Milliseconds since 1970; `undefined`: the clock may be wrong, so no record counts as old. */
export type BelievedTime = () => number | undefined;

/**
 * Whether retention can trust the clock's `now`. A clock that jumps by years and is set right soon
 * after must not empty a log, so a time far from the last one is trusted an hour later only.
 */
export function trustTime(
  trust: TimeTrust,
  now: number,
): { readonly trust: TimeTrust; readonly isTrusted: boolean } {
  if (isNear(now, trust.seenAt)) {
    return { trust: { seenAt: now, doubtedAt: null }, isTrusted: true };
  }
  const { seenAt, doubtedAt } = trust;
  if (doubtedAt === null || now < doubtedAt || !isNear(now, doubtedAt)) {
    return { trust: { seenAt, doubtedAt: now }, isTrusted: false };
  }
  if (now - doubtedAt < DOUBT_MS) return { trust, isTrusted: false };
  return { trust: { seenAt: now, doubtedAt: null }, isTrusted: true };
}

/** The clock's time, for as long as the clock does not jump away from the reading in `trust`. */
export function believedTime(
  clock: { now(): number },
  { trust, isTrusted }: ReturnType<typeof trustTime>,
): BelievedTime {
  return () => {
    const now = clock.now();
    return isTrusted && isNear(now, trust.seenAt) ? now : undefined;
  };
}

function isNear(now: number, then: number): boolean {
  return Math.abs(now - then) <= MAX_STEP_MS;
}
