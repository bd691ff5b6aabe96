import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { Clock } from '../../platform/clock.ts';
import { STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { headRef, newHead } from '../../log/head.ts';
import { believedTime, trustTime } from '../../log/cleaning/retention.ts';
import type { BelievedTime, TimeTrust } from '../../log/cleaning/retention.ts';
import { SEGMENT_BYTES } from '../../log/segment.ts';
import type { TopicConfig } from '../../protocol/topic.ts';
import { MemoryRows } from '../../store/memory-rows.ts';
import { pacedStore } from '../../store/paced-store.ts';
import { HEAD_KEY } from '../../store/schema.ts';
import type { RowStore } from '../../store/store.ts';
import type { Committed } from '../partitions/group-commit.ts';
import { OffsetRanges } from './offset-ranges.ts';
import { PartitionCleaner } from '../cleaner/partition-cleaner.ts';
import { CleaningSchedule } from '../cleaner/cleaning-schedule.ts';
import { StoredPartitions } from '../partitions/stored-partitions.ts';
import { cleanPartition } from '../cleaner/clean-partition.ts';
import type { ResolvedPartition, TopicCatalog } from '../topics/topic-catalog.ts';

export interface MemoryLogOptions {
  readonly clock: Clock;
  /** The catalog of the present connection to the store; a `MemoryLog` outlives connections. */
  readonly catalog: () => Promise<TopicCatalog>;
}

/** A partition with a head, or whose head is being written until `done`. */
interface CreatedPartition extends TopicIdPartition {
  readonly store: string;
  readonly done: Promise<void>;
}

/** The records of all topics in memory, in the broker that leads. */
export class MemoryLog {
  readonly partitions: StoredPartitions;
  readonly #clock: Clock;
  readonly #catalog: () => Promise<TopicCatalog>;
  readonly #store: RowStore;
  readonly #rounds: CleaningSchedule;
  readonly #ranges: OffsetRanges;
  readonly #created = new Map<string, CreatedPartition>();
  /** The partitions that are being cut to their bound, so that each is cut once at a time. */
  readonly #fitting = new Set<string>();
  #time: TimeTrust;

  constructor({ clock, catalog }: MemoryLogOptions) {
    this.#clock = clock;
    this.#catalog = catalog;
    this.#time = { seenAt: clock.now(), doubtedAt: null };
    this.#store = new MemoryRows();
    this.#rounds = new CleaningSchedule(clock, (signal) => this.#goRound(signal));
    this.#ranges = new OffsetRanges(async (topicId, count) =>
      (await catalog()).reserveOffsets(topicId, count),
    );
    this.partitions = new StoredPartitions({
      store: this.#store,
      clock,
      tailBytes: 0, // a read of the store in memory is as fast as a cache
      resolve: (name) => this.#resolve(name),
      beforeImport: ({ topicId }, endOffset) => this.#ranges.reached(topicId, endOffset),
      onCommitted: (committed) => {
        this.#rounds.soon();
        // A failure is dropped: the next append tries again.
        for (const one of committed) this.#grown(one).catch(() => {});
      },
      onTrimmed: () => {},
    });
  }

  /** Aborts when the records are gone. */
  get gone(): AbortSignal {
    return this.#store.closed;
  }

  /** Deletes the records of deleted topics. */
  async topicsChanged(): Promise<void> {
    if (this.#created.size === 0) return;
    const before = [...this.#created]; // a later partition can be of a topic missing in the list
    const topics = new Set((await (await this.#catalog()).list()).map(({ id }) => id));
    for (const [store, { topicId }] of before) {
      if (topics.has(topicId)) continue;
      this.#created.delete(store);
      this.#ranges.forget(topicId);
      await this.#store.update([headRef(store)], (_, write) => write.clear(store));
    }
    this.partitions.fetcher.retain(topics);
  }

  close(): void {
    this.#rounds.close();
    const happened = 'the broker with the records in memory is gone';
    this.#store.close(new TablogError(STORAGE_UNAVAILABLE, happened));
  }

  /** Resolves the partition. Its first use writes its head. */
  async #resolve(name: TopicIdPartition): Promise<ResolvedPartition> {
    const resolved = await (await this.#catalog()).resolve(name);
    const { store } = resolved;
    let created = this.#created.get(store);
    if (created === undefined) {
      created = { ...name, store, done: this.#create(name, store) };
      created.done.catch(() => this.#created.delete(store));
      this.#created.set(store, created);
    }
    await created.done;
    return resolved;
  }

  async #create({ topicId, partition }: TopicIdPartition, store: string): Promise<void> {
    const from = await this.#ranges.begin(topicId);
    await this.#store.update([headRef(store)], (_, write) => {
      write.put(store, HEAD_KEY, newHead(topicId, partition, from));
    });
  }

  /** After an append: reserves more offsets, and cuts the partition to its bound. */
  async #grown({ topicId, partition, store, head }: Committed): Promise<void> {
    const kept = { topicId, partition, store };
    await this.#ranges.reached(topicId, head.endOffset);
    const { config } = await (await this.#catalog()).resolve(kept);
    // A partition is cut when it is a full row beyond its bound, and not at each append.
    if (head.bytes <= boundOf(config) + SEGMENT_BYTES || this.#fitting.has(store)) return;
    this.#fitting.add(store);
    const fitting = this.#fit(kept, new PartitionCleaner(this.#store, kept), config);
    await fitting.finally(() => this.#fitting.delete(store));
  }

  /**
   * Deletes the oldest rows beyond the bound, also of a topic that is only compacted: memory is
   * short.
   */
  async #fit(
    name: TopicIdPartition,
    cleaner: PartitionCleaner,
    config: TopicConfig,
  ): Promise<void> {
    if (await cleaner.fit(boundOf(config), Infinity)) this.partitions.fetcher.trimmed(name);
  }

  /** Retention by time, compaction and merging, as on disk. */
  async #goRound(signal: AbortSignal): Promise<void> {
    const looked = trustTime(this.#time, this.#clock.now());
    this.#time = looked.trust;
    const now = believedTime(this.#clock, looked);
    const paced = pacedStore(this.#store, this.#clock);
    for (const created of this.#created.values()) {
      if (signal.aborted) return;
      // A partition of a topic that is deleted meanwhile fails, and the round goes on.
      await this.#clean(created, new PartitionCleaner(paced, created), now).catch(() => {});
    }
  }

  async #clean(
    created: CreatedPartition,
    cleaner: PartitionCleaner,
    now: BelievedTime,
  ): Promise<void> {
    const { config } = await (await this.#catalog()).resolve(created);
    await cleanPartition(cleaner, config, {
      now,
      protectedFrom: () => Promise.resolve(Infinity),
      onTrimmed: () => this.partitions.fetcher.trimmed(created),
    });
    await this.#fit(created, cleaner, config);
  }
}

function boundOf({ retention }: TopicConfig): number {
  return retention.bytes ?? Infinity;
}
