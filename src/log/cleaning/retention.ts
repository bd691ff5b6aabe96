import type { PartitionHead } from '../head.ts';
import type { Segment } from '../segment.ts';
import { lookUpAge } from '../time-index.ts';

/**
 * The first offset that may be from `cutoff` or later, by a clock that says `now`; all records
 * before it are older.
 *
 * A browser's clock is its user's, so a record may be stamped a year ahead, and retention would
 * keep everything behind it for that year. (Kafka 4 refuses a record more than an hour ahead,
 * `message.timestamp.after.max.ms` of KIP-937; here the broker's clock is no better than the
 * producer's.) A timestamp that is ahead of the clock counts as of when retention first saw it
 * ahead. As soon as it is not ahead, it counts itself, so a clock that was set back and is right
 * again deletes nothing.
 */
export function startByTime(
  { startOffset, endOffset, timeIndex }: PartitionHead,
  cutoff: number,
  now: number = Infinity,
): number {
  return Math.max(lookUpAge(timeIndex, cutoff, now) ?? endOffset, startOffset);
}

/**
 * How many of the partition's first rows can go so that at least `maxBytes` of its `bytes` stay, as in
 * Kafka, and nothing from the offset `protectedFrom` on is lost.
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

/** What is known of the clock: when it was last believed, and since when it is doubted. */
export interface TimeTrust {
  readonly seenAt: number;
  readonly doubtedAt: number | null;
}

/** A clock that has moved further since it was last looked at is doubted. */
const MAX_STEP_MS = 30 * 86_400_000;

/** A clock that still says the same after this is believed. */
const DOUBT_MS = 3_600_000;

/** Milliseconds since 1970; `undefined`: the clock may be wrong, so nothing goes because of its age. */
export type BelievedTime = () => number | undefined;

/**
 * Whether `now` may be used to say that records are old. A clock that jumps by years, and is set right
 * soon after, must not empty a log: so a time that is far from the last one is believed when it is
 * still so an hour later.
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

/** What the clock says from now on, for as long as it does not jump; it was looked at just now. */
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
