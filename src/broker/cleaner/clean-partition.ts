import { startByTime } from '../../log/cleaning/retention.ts';
import type { BelievedTime } from '../../log/cleaning/retention.ts';
import type { TopicConfig } from '../../protocol/broker.ts';
import type { PartitionCleaner } from './partition-cleaner.ts';

export interface CleanOptions {
  readonly now: BelievedTime;
  /** What is to be kept from this offset on, whatever retention says. */
  readonly protectedFrom: () => Promise<number>;
  /** Records at the start, or replaced ones, are gone. */
  readonly onTrimmed: () => void;
}

/** Makes a partition as small as its topic's configuration says. */
export async function cleanPartition(
  keeper: PartitionCleaner,
  { cleanup, retention, deleteRetentionMs }: TopicConfig,
  { now, protectedFrom: askProtected, onTrimmed }: CleanOptions,
): Promise<void> {
  const trim = async (work: () => Promise<unknown>): Promise<void> => {
    let isTrimmed: unknown = true; // where it fails, it may have been done, or some of it
    try {
      isTrimmed = await work();
    } finally {
      if (isTrimmed !== false) onTrimmed();
    }
  };
  if (cleanup !== 'compact') {
    const protectedFrom = await askProtected();
    const time = now();
    const isTimed = retention.ms !== null && time !== undefined;
    const head = isTimed ? await keeper.notedHead(time) : await keeper.head();
    const expired = isTimed ? startByTime(head, time - retention.ms, time) : 0;
    const to = Math.min(expired, protectedFrom);
    if (to > head.startOffset) await trim(() => keeper.moveStart(to));
    const { bytes } = retention;
    if (bytes !== null) await trim(() => keeper.fit(bytes, protectedFrom));
  }
  await keeper.sweep();
  // What others remember is not to come back when its tombstone is gone.
  if (cleanup !== 'delete') await trim(() => keeper.compact(deleteRetentionMs, now));
  await keeper.merge();
}
