import type { TopicIdPartition } from '../base/topic-id-partition.ts';
import { toTablogError } from '../base/error.ts';
import type { Clock } from '../platform/clock.ts';
import { believedTime, trustTime } from '../log/cleaning/retention.ts';
import type { BelievedTime } from '../log/cleaning/retention.ts';
import { PRODUCERS, logOf, logRef } from '../store/schema.ts';
import type { LogRow } from '../store/schema.ts';
import { pacedStore } from '../store/paced-store.ts';
import type { TendedStore } from '../store/paced-store.ts';
import type { Store } from '../store/store.ts';
import type { GroupOffsets } from './groups/group-offsets.ts';
import type { TopicConfig } from '../protocol/topic.ts';
import { failureOf } from './diagnostics/diagnostics.ts';
import type { Diagnostics } from './diagnostics/diagnostics.ts';
import { PartitionCleaner } from './cleaner/partition-cleaner.ts';
import { cleanPartition, needsCleaning } from './cleaner/clean-partition.ts';
import { readHeads } from './read-heads.ts';
import type { FoundPartition } from './read-heads.ts';
import type { TopicRow } from './rows/topic-row.ts';
import type { TopicCatalog } from './topics/topic-catalog.ts';
import { isProducer, producerRef } from './groups/transactional-ids.ts';
import type { ProducerRow } from './groups/transactional-ids.ts';

export interface LogCleanerOptions {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly offsets: GroupOffsets;
  readonly clock: Clock;
  readonly diagnostics: Pick<Diagnostics, 'record'>;
  /** Called when records of a partition were deleted. */
  readonly onTrimmed: (partition: TopicIdPartition) => void;
}

/** Kafka's `transactional.id.expiration.ms`. */
const TRANSACTIONAL_ID_EXPIRATION_MS = 7 * 86_400_000;

/**
 * Kafka's `LogCleaner`, for the partitions on disk: retention, compaction, merging of rows. One
 * broker of a log runs its cleaner at a time, because a second cleaner would only repeat the work.
 * Two cleaners at once do no harm: each step checks the head in its own transaction.
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions;
  readonly #store: TendedStore;

  constructor(options: LogCleanerOptions) {
    this.#options = options;
    this.#store = pacedStore(options.store, options.clock);
  }

  /**
   * Cleans every partition that needs it. The heads of all partitions are read together: they tell
   * which partitions have something to clean, so an idle partition costs no transaction.
   */
  async clean(signal: AbortSignal): Promise<void> {
    const { clock, diagnostics } = this.#options;
    const began = clock.now();
    try {
      await this.#clean(signal);
      diagnostics.record('cleaned', { ms: clock.now() - began });
    } catch (error) {
      const details = { ms: clock.now() - began, ...failureOf(toTablogError(error)) };
      diagnostics.record('cleaningFailed', details);
      throw error;
    }
  }

  async #clean(signal: AbortSignal): Promise<void> {
    const now = await this.#believedTime();
    const topics = await this.#options.topics.list();
    for (const found of await readHeads(this.#store, topics)) {
      if (signal.aborted) return;
      // A partition that is damaged, or was deleted meanwhile, does not stop the cleaning of
      // others.
      await this.#cleanPartition(found, now).catch(() => {});
    }
    await this.#fitLog(topics);
    await this.#expireProducers(now());
  }

  async #cleanPartition(found: FoundPartition, now: BelievedTime): Promise<void> {
    const config = await this.#configOf(found);
    if (!needsCleaning(found.head, config, now())) return;
    await cleanPartition(this.#cleanerOf(found), config, {
      now,
      protectedFrom: () => this.#protectedFrom(found),
      onTrimmed: () => this.#trimmed(found),
    });
  }

  /** The topic's configuration now: a pass takes seconds, and nothing is deleted that is protected meanwhile. */
  async #configOf({ topicId, partition }: FoundPartition): Promise<TopicConfig> {
    return (await this.#options.topics.resolve({ topicId, partition })).config;
  }

  #cleanerOf({ topicId, partition, store }: FoundPartition): PartitionCleaner {
    return new PartitionCleaner(this.#store, { topicId, partition, store });
  }

  /** The lowest committed offset of the `protectUncommitted` groups; Infinity without groups. */
  async #protectedFrom(found: FoundPartition): Promise<number> {
    const { topicId, partition } = found;
    const { protectUncommitted: groups } = await this.#configOf(found);
    if (groups.length === 0) return Infinity;
    const offsets = await this.#options.offsets.committed(groups, { topicId, partition });
    return Math.min(...offsets.map((offset) => offset ?? 0));
  }

  /** Deletes the oldest rows of the largest partitions until the log fits its `maxBytes`. */
  async #fitLog(topics: readonly TopicRow[]): Promise<void> {
    const [log] = await this.#options.store.read([logRef]);
    const { maxBytes } = logOf(log);
    if (maxBytes === null) return;
    const all = await readHeads(this.#store, topics);
    let excess = all.reduce((sum, { head }) => sum + head.bytes, 0) - maxBytes;
    for (const found of all.toSorted((a, b) => b.head.bytes - a.head.bytes)) {
      if (excess <= 0) return;
      if (found.topic.config.cleanup === 'compact') continue;
      // After a failure the deleted bytes are unknown: the next pass counts the bytes again.
      excess = await this.#shrink(found, excess).catch(() => 0);
    }
  }

  /** Deletes up to `excess` bytes of a partition; returns the bytes left to delete elsewhere. */
  async #shrink(found: FoundPartition, excess: number): Promise<number> {
    const { bytes } = found.head;
    const cleaner = this.#cleanerOf(found);
    const protectedFrom = await this.#protectedFrom(found);
    try {
      await cleaner.fit(Math.max(bytes - excess, 0), protectedFrom);
    } finally {
      this.#trimmed(found);
    }
    const left = excess - (bytes - (await cleaner.head()).bytes);
    const oldest = await cleaner.oldestRow();
    // An excess smaller than the oldest row ends the pass: no other partition loses rows for it.
    if (oldest === undefined || oldest.nextOffset > protectedFrom) return left;
    return left < oldest.bytes.byteLength ? 0 : left;
  }

  async #believedTime(): Promise<BelievedTime> {
    const { store, clock } = this.#options;
    const look = (log: LogRow): ReturnType<typeof trustTime> =>
      trustTime(log.time ?? { seenAt: log.createdAt, doubtedAt: null }, clock.now());
    const noting = store.update([logRef], ([row], write) => {
      const log = logOf(row);
      const looked = look(log);
      write.put(logRef.store, logRef.key, { ...log, time: looked.trust });
      return looked;
    });
    // A full store needs its retention most, and retention can do without the note.
    const found = await noting.catch(async () => {
      const [log] = await store.read([logRef]);
      return look(logOf(log));
    });
    return believedTime(clock, found);
  }

  async #expireProducers(now: number | undefined): Promise<void> {
    if (now === undefined) return;
    const { store } = this.#options;
    const expired = (row: ProducerRow | undefined): boolean =>
      row !== undefined && now - row.usedAt >= TRANSACTIONAL_ID_EXPIRATION_MS;
    const all = await store.readAll<unknown>(PRODUCERS);
    const rows = all.filter(isProducer).filter(expired);
    const refs = rows.map(({ transactionalId }) => producerRef(transactionalId));
    if (refs.length === 0) return;
    await store.update(refs, (found, write) => {
      found.forEach((row, i) => {
        if (expired(row)) write.delete(PRODUCERS, refs[i]!.key);
      });
    });
  }

  #trimmed({ topicId, partition }: FoundPartition): void {
    this.#options.onTrimmed({ topicId, partition });
  }
}
