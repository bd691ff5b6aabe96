import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { Clock } from '../../platform/clock.ts';
import { STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { headRef, newHead } from '../../log/head.ts';
import { believedTime, trustTime } from '../../log/cleaning/retention.ts';
import type { BelievedTime, TimeTrust } from '../../log/cleaning/retention.ts';
import { SEGMENT_BYTES } from '../../log/segment.ts';
import type { TopicConfig } from '../../protocol/topic.ts';
import { openMemoryStore } from '../../store/memory-store.ts';
import { pacedStore } from '../../store/paced-store.ts';
import { HEAD_KEY } from '../../store/schema.ts';
import type { Store } from '../../store/store.ts';
import type { Committed } from '../partitions/group-commit.ts';
import { OffsetRanges } from './offset-ranges.ts';
import { PartitionCleaner } from '../cleaner/partition-cleaner.ts';
import { CleaningSchedule } from '../cleaner/cleaning-schedule.ts';
import { StoredPartitions } from '../partitions/stored-partitions.ts';
import { cleanPartition } from '../cleaner/clean-partition.ts';
import type { ResolvedPartition, TopicCatalog } from '../topics/topic-catalog.ts';

export interface MemoryLogOptions {
  readonly clock: Clock;
  /** The topics, by the connection that there is now: this outlives connections. */
  readonly catalog: () => Promise<TopicCatalog>;
}

/** A partition that has been made. */
interface Begun extends TopicIdPartition {
  readonly store: string;
  readonly done: Promise<void>;
}

/** The records of topics in memory, in the worker that has them. */
export class MemoryLog {
  readonly partitions: StoredPartitions;
  readonly #clock: Clock;
  readonly #catalog: () => Promise<TopicCatalog>;
  readonly #store: Store;
  readonly #rounds: CleaningSchedule;
  readonly #ranges: OffsetRanges;
  readonly #begun = new Map<string, Begun>();
  /** Those that are being cut to their bound: an append comes more often than that takes. */
  readonly #fitting = new Set<string>();
  #time: TimeTrust;

  constructor({ clock, catalog }: MemoryLogOptions) {
    this.#clock = clock;
    this.#catalog = catalog;
    this.#time = { seenAt: clock.now(), doubtedAt: null };
    this.#store = openMemoryStore(clock.now());
    this.#rounds = new CleaningSchedule(clock, (signal) => this.#goRound(signal));
    this.#ranges = new OffsetRanges(async (topicId, count) =>
      (await catalog()).reserveOffsets(topicId, count),
    );
    this.partitions = new StoredPartitions({
      store: this.#store,
      clock,
      tailBytes: 0, // the store is as near
      resolve: (name) => this.#resolve(name),
      beforeImport: ({ topicId }, endOffset) => this.#ranges.reached(topicId, endOffset),
      onCommitted: (committed) => {
        this.#rounds.soon();
        // What fails is tried again after the next append.
        for (const one of committed) this.#grown(one).catch(() => {});
      },
      onTrimmed: () => {},
    });
  }

  /** Aborts when the records are gone. */
  get gone(): AbortSignal {
    return this.#store.closed;
  }

  /** Deletes the records of topics that there are no longer. */
  async topicsChanged(): Promise<void> {
    if (this.#begun.size === 0) return;
    const before = [...this.#begun]; // what is begun as this looks may be of a topic made since
    const topics = new Set((await (await this.#catalog()).list()).map(({ id }) => id));
    for (const [store, { topicId }] of before) {
      if (topics.has(topicId)) continue;
      this.#begun.delete(store);
      this.#ranges.forget(topicId);
      await this.#store.update([headRef(store)], (_, write) => write.clear(store));
    }
    this.partitions.retain(topics);
  }

  close(): void {
    this.#rounds.close();
    const happened = 'the broker with the records in memory is gone';
    this.#store.close(new TablogError(STORAGE_UNAVAILABLE, happened));
  }

  /** The partition, which its first use creates. */
  async #resolve(name: TopicIdPartition): Promise<ResolvedPartition> {
    const resolved = await (await this.#catalog()).resolve(name);
    const { store } = resolved;
    let begun = this.#begun.get(store);
    if (begun === undefined) {
      begun = { ...name, store, done: this.#begin(name, store) };
      begun.done.catch(() => this.#begun.delete(store));
      this.#begun.set(store, begun);
    }
    await begun.done;
    return resolved;
  }

  async #begin({ topicId, partition }: TopicIdPartition, store: string): Promise<void> {
    const from = await this.#ranges.begin(topicId);
    await this.#store.update([headRef(store)], (_, write) => {
      write.put(store, HEAD_KEY, newHead(topicId, partition, from));
    });
  }

  /** Keeps the partition within its bound, and offsets within what is reserved. */
  async #grown({ topicId, partition, store, head }: Committed): Promise<void> {
    const kept = { topicId, partition, store };
    await this.#ranges.reached(topicId, head.endOffset);
    const { config } = await (await this.#catalog()).resolve(kept);
    // Not for each record: what a row of full size has is deleted at once.
    if (head.bytes <= boundOf(config) + SEGMENT_BYTES || this.#fitting.has(store)) return;
    this.#fitting.add(store);
    const fitting = this.#fit(kept, new PartitionCleaner(this.#store, kept), config);
    await fitting.finally(() => this.#fitting.delete(store));
  }

  /** Whatever `cleanup` says: of a topic that is compacted, too, no more than the newest is kept. */
  async #fit(name: TopicIdPartition, keeper: PartitionCleaner, config: TopicConfig): Promise<void> {
    if (await keeper.fit(boundOf(config), Infinity)) this.partitions.trimmed(name);
  }

  /** Retention by time, compaction and merging, as on disk. */
  async #goRound(signal: AbortSignal): Promise<void> {
    const looked = trustTime(this.#time, this.#clock.now());
    this.#time = looked.trust;
    const now = believedTime(this.#clock, looked);
    const paced = pacedStore(this.#store, this.#clock);
    for (const begun of this.#begun.values()) {
      if (signal.aborted) return;
      // One that is deleted meanwhile is left as it is.
      await this.#tend(begun, new PartitionCleaner(paced, begun), now).catch(() => {});
    }
  }

  async #tend(begun: Begun, keeper: PartitionCleaner, now: BelievedTime): Promise<void> {
    const { config } = await (await this.#catalog()).resolve(begun);
    await cleanPartition(keeper, config, {
      now,
      protectedFrom: () => Promise.resolve(Infinity),
      onTrimmed: () => this.partitions.trimmed(begun),
    });
    await this.#fit(begun, keeper, config);
  }
}

function boundOf({ retention }: TopicConfig): number {
  return retention.bytes ?? Infinity;
}
