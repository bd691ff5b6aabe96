import { isWorthCompacting } from '../../log/cleaning/compact.ts';
import { startByTime } from '../../log/cleaning/retention.ts';
import type { BelievedTime } from '../../log/cleaning/retention.ts';
import { isWorthMerging } from '../../log/cleaning/rewrite.ts';
import type { PartitionHead } from '../../log/head.ts';
import { markAhead } from '../../log/time-index.ts';
import type { TopicConfig } from '../../protocol/topic.ts';
import type { PartitionCleaner } from './partition-cleaner.ts';

export interface CleanOptions {
  readonly now: BelievedTime;
  /** Retention keeps the records from this offset on. */
  readonly protectedFrom: () => Promise<number>;
  /** Called when records at the log start were deleted, or compaction has removed records. */
  readonly onTrimmed: () => void;
}

/**
 * Whether `cleanPartition` would change the partition, by its head alone, so that an idle partition
 * costs no transaction of its own.
 */
export function needsCleaning(
  head: PartitionHead,
  { cleanup, retention, deleteRetentionMs }: TopicConfig,
  now: number | undefined,
): boolean {
  if (head.rowsFrom < head.startOffset || isWorthMerging(head)) return true;
  const isTimed = now !== undefined;
  if (cleanup !== 'delete' && isTimed && isWorthCompacting(head, deleteRetentionMs, now)) {
    return true;
  }
  if (cleanup === 'compact') return false;
  if (retention.bytes !== null && head.bytes > retention.bytes) return true;
  if (retention.ms === null || !isTimed) return false;
  // Retention has to note a timestamp that is ahead of the clock, before it can count its age.
  if (markAhead(head.timeIndex, now) !== head.timeIndex) return true;
  return startByTime(head, now - retention.ms, now) > head.startOffset;
}

/** Applies the topic's retention and compaction to a partition, and merges its small rows. */
export async function cleanPartition(
  cleaner: PartitionCleaner,
  { cleanup, retention, deleteRetentionMs }: TopicConfig,
  { now, protectedFrom: readProtected, onTrimmed }: CleanOptions,
): Promise<void> {
  const trim = async (work: () => Promise<unknown>): Promise<void> => {
    let isTrimmed: unknown = true; // also when the step fails: it may have deleted records before
    try {
      isTrimmed = await work();
    } finally {
      if (isTrimmed !== false) onTrimmed();
    }
  };
  if (cleanup !== 'compact') {
    const protectedFrom = await readProtected();
    const time = now();
    const isTimed = retention.ms !== null && time !== undefined;
    const head = isTimed ? await cleaner.notedHead(time) : await cleaner.head();
    const expired = isTimed ? startByTime(head, time - retention.ms, time) : 0;
    const to = Math.min(expired, protectedFrom);
    if (to > head.startOffset) await trim(() => cleaner.moveStart(to));
    const { bytes } = retention;
    if (bytes !== null) await trim(() => cleaner.fit(bytes, protectedFrom));
  }
  await cleaner.sweep();
  // A cached value must be dropped before the tombstone that deletes it can be removed.
  if (cleanup !== 'delete') await trim(() => cleaner.compact(deleteRetentionMs, now));
  await cleaner.merge();
}
