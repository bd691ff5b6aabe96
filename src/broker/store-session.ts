import type { Clock } from '../platform/clock.ts';
import type { LogAppendInfo } from '../log/append.ts';
import type { Append, TransactRequest } from '../protocol/produce.ts';
import type { AppendedHint, Hint } from '../protocol/hint.ts';
import { TOPIC_IN_MEMORY } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { isInMemory } from '../protocol/topic-id.ts';
import { runIfLockAvailable } from '../platform/locks/liveness.ts';
import type { Platform } from '../platform/platform.ts';
import type { Liveness } from '../platform/locks/liveness.ts';
import { logOf, logRef } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { Coalesced } from './waiting/coalesced.ts';
import type { Diagnostics } from './diagnostics/diagnostics.ts';
import type { CommitsInProgress } from './groups/commits-in-progress.ts';
import { GroupAdmin } from './groups/group-admin.ts';
import { GroupCoordinator } from './groups/group-coordinator.ts';
import { GroupOffsets } from './groups/group-offsets.ts';
import { LogCleaner } from './log-cleaner.ts';
import type { MemoryPartitions } from './memory/memory-partitions.ts';
import type { PartitionHost } from './partitions/partition-host.ts';
import { CleaningSchedule } from './cleaner/cleaning-schedule.ts';
import { RoutedPartitions } from './memory/routed-partitions.ts';
import { StoredPartitions } from './partitions/stored-partitions.ts';
import { TopicCatalog } from './topics/topic-catalog.ts';
import { TransactionalIds } from './groups/transactional-ids.ts';

export interface StoreSessionOptions {
  readonly clock: Clock;
  readonly liveness: Liveness;
  readonly commits: CommitsInProgress;
  readonly platform: Platform;
  readonly diagnostics: Diagnostics;
  /** The partitions of topics in memory, which outlive the connection. */
  readonly memory: MemoryPartitions;
  /** Posts a hint to the other brokers. */
  readonly post: (hint: Hint) => void;
  readonly onAppended: (appended: readonly AppendedHint[]) => void;
}

/** The bytes of recent batches that one broker caches, over all partitions. */
const TAIL_BYTES = 16 * 1024 * 1024;

/**
 * A log over one connection to its store. Every cache ends with the connection, because hints are
 * missed until the next connection, which may even be to another log of the same name.
 */
export class StoreSession {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly partitions: PartitionHost;
  readonly groups: GroupCoordinator;
  readonly groupOffsets: GroupOffsets;
  readonly groupAdmin: GroupAdmin;
  readonly transactionalProducers: TransactionalIds;
  /** The partitions on disk. */
  readonly disk: StoredPartitions;
  readonly #memory: MemoryPartitions;
  /** The passes of the log cleaner; `soon` where there may be records to delete. */
  readonly cleaning: CleaningSchedule;
  #isLossTold = false;
  readonly #retained = new Coalesced(() => this.#retain());

  constructor(store: Store, options: StoreSessionOptions) {
    const { clock, liveness, commits, platform, diagnostics, memory, post, onAppended } = options;
    const { crypto, locks } = platform;
    this.store = store;
    this.#memory = memory;
    const topicsChanged = (): void => {
      this.topicsChanged();
      this.cleaning.soon();
      post({ kind: 'topics' });
    };
    const topics = (this.topics = new TopicCatalog({
      store,
      clock,
      crypto,
      onChanged: topicsChanged,
    }));
    const disk = (this.disk = new StoredPartitions({
      store,
      clock,
      tailBytes: TAIL_BYTES,
      resolve: (name) => topics.resolve(name),
      onCommitted: (committed) => {
        this.cleaning.soon();
        onAppended(
          committed.map(({ topicId, partition, segments }) => ({
            topicId,
            partition,
            endOffset: segments.at(-1)!.nextOffset,
          })),
        );
      },
      onFull: () => this.cleaning.soon(),
      onTrimmed: (name) => post({ kind: 'trimmed', ...name }),
    }));
    const partitions = (this.partitions = new RoutedPartitions(disk, memory, clock));
    const coordinator = new GroupCoordinator({
      store,
      topics,
      clock,
      liveness,
      commits,
      onRebalanced: ({ groupId: group, generation, members }, { kind: event }) => {
        const details = { group, generation, members: members.length, event };
        diagnostics.record('rebalanced', details);
      },
      crypto,
      post,
    });
    const offsets = new GroupOffsets({ store, topics, clock, partitions });
    this.transactionalProducers = new TransactionalIds(store, clock, crypto);
    this.groups = coordinator;
    this.groupOffsets = offsets;
    this.groupAdmin = new GroupAdmin({ store, topics, coordinator, offsets, partitions });
    const cleaner = new LogCleaner({
      store,
      topics,
      offsets,
      clock,
      diagnostics,
      onTrimmed: (name) => disk.trim(name),
    });
    this.cleaning = new CleaningSchedule(clock, async (signal) => {
      const [log] = await store.read([logRef]);
      await runIfLockAvailable(`janitor/${logOf(log).logId}`, () => cleaner.clean(signal), locks);
    });
    const closed = (): void => {
      this.cleaning.close();
      coordinator.close();
    };
    store.closed.addEventListener('abort', closed, { once: true });
    if (store.closed.aborted) closed(); // `abort` does not fire again on an aborted signal
    else coordinator.start();
  }

  /** The loss that the store found as it was opened, for the first opener alone. */
  takeLoss(): Pick<Store, 'isAfterLoss' | 'setAside'> {
    if (this.#isLossTold) return {};
    this.#isLossTold = true;
    return this.store;
  }

  /** Stores the batches and the offsets in one transaction; resolves with each batch's offsets. */
  transact(
    appends: readonly Append[],
    { commits, durability, producer }: Omit<TransactRequest, 'appends'>,
  ): Promise<LogAppendInfo[]> {
    const inMemory = appends.find(({ topicId }) => isInMemory(topicId));
    if (inMemory !== undefined) return Promise.reject(topicInMemory(inMemory));
    const rows = commits.map((commit) => this.groupOffsets.writesWithRecords(commit));
    const fence = producer === null ? [] : [this.transactionalProducers.fence(producer)];
    return this.disk.transact(appends, durability, [...fence, ...rows]);
  }

  /** Drops cached topics after any broker created, changed or deleted a topic. */
  topicsChanged(): void {
    this.topics.forget();
    this.#retained.soon();
    this.#memory.topicsChanged();
    this.groups.topicsChanged();
  }

  /** Drops the cached tails of deleted topics; fetches that wait for one get `UNKNOWN_TOPIC`. */
  async #retain(): Promise<void> {
    // Without waiting fetches all tails are dropped, and the topics need not be read: no fetch
    // needs an answer, and every tail can be read again from the store.
    const { fetcher } = this.disk;
    fetcher.retain(fetcher.isWaitedFor ? await this.topics.ids() : new Set());
  }
}

function topicInMemory({ topicId }: Append): TablogError {
  const happened = `a transaction is stored on disk, and the topic with id ${topicId} is in memory`;
  return new TablogError(TOPIC_IN_MEMORY, happened, { details: { topicId } });
}
