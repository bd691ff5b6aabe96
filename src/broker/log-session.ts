import type { Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import type { BatchPlace } from '../log/append.ts';
import type {
  FetchPartition,
  FetchedPartition,
  PartitionDescription,
  TransactRequest,
} from '../protocol/broker.ts';
import type { AppendedHint, Hint, TrimmedHint } from '../protocol/hint.ts';
import { alone } from '../protocol/liveness.ts';
import type { Liveness } from '../protocol/liveness.ts';
import { isInMemory } from '../protocol/topic-id.ts';
import { logRef } from '../store/schema.ts';
import type { Durability, Store } from '../store/store.ts';
import type { AppendOutcome, NewAppend } from './commit-queue.ts';
import { GroupAdmin } from './group-admin.ts';
import { GroupCoordinator } from './group-coordinator.ts';
import { GroupOffsets } from './group-offsets.ts';
import { Janitor } from './janitor.ts';
import type { MemoryPartitions } from './memory-partitions.ts';
import { askHosts, byStorage } from './partition-host.ts';
import type { PartitionHost } from './partition-host.ts';
import { Rounds } from './rounds.ts';
import { StoredPartitions } from './stored-partitions.ts';
import { TopicCatalog } from './topic-catalog.ts';
import type { TopicRow } from './topic-row.ts';
import { TransactionalProducers } from './transactional-producers.ts';

export interface LogSessionOptions {
  readonly clock: Clock;
  readonly liveness: Liveness;
  /** Topics in memory, which outlive the connection. */
  readonly memory: MemoryPartitions;
  /** Tells the other brokers. */
  readonly post: (hint: Hint) => void;
  readonly onAppended: (appended: readonly AppendedHint[]) => void;
}

/** What a poll waits for those who have nothing yet, when somebody has something. */
const LATE_MS = 250;

/** Per broker. */
const TAIL_BYTES = 16 * 1024 * 1024;

/**
 * A log as long as one connection to its store lasts: everything that is remembered is dropped with
 * the connection, because the store may be another one when it opens again.
 */
export class LogSession {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly groups: GroupCoordinator;
  readonly groupOffsets: GroupOffsets;
  readonly groupAdmin: GroupAdmin;
  readonly transactionalProducers: TransactionalProducers;
  readonly #clock: Clock;
  readonly #disk: StoredPartitions;
  readonly #memory: MemoryPartitions;

  constructor(store: Store, { clock, liveness, memory, post, onAppended }: LogSessionOptions) {
    this.store = store;
    this.#clock = clock;
    this.#memory = memory;
    const topicsChanged = (): void => {
      this.topicsChanged();
      post({ kind: 'topics' });
    };
    const topics = (this.topics = new TopicCatalog(store, () => clock.now(), topicsChanged));
    const disk = (this.#disk = new StoredPartitions({
      store,
      clock,
      tailBytes: TAIL_BYTES,
      place: async (name) => (await topics.mustGetPartition(name)).store,
      onCommitted: (committed) => {
        rounds.soon();
        onAppended(
          committed.map(({ topicId, partition, segments }) => ({
            topicId,
            partition,
            endOffset: segments.at(-1)!.nextOffset,
          })),
        );
      },
      onTrimmed: (name) => post({ kind: 'trimmed', ...name }),
    }));
    const hostOf = (topicId: string): PartitionHost => this.hostOf(topicId);
    const coordinator = new GroupCoordinator({ store, topics, clock, liveness, post });
    const offsets = new GroupOffsets({ store, topics, clock, hostOf });
    this.transactionalProducers = new TransactionalProducers(store, clock);
    this.groups = coordinator;
    this.groupOffsets = offsets;
    this.groupAdmin = new GroupAdmin({ store, topics, coordinator, offsets, hostOf });
    const janitor = new Janitor({
      store,
      topics,
      offsets,
      clock,
      onTrimmed: (name) => {
        disk.trimmed(name);
        post({ kind: 'trimmed', ...name });
      },
    });
    const rounds = new Rounds(clock, async (signal) => {
      const [log] = await store.read([logRef]);
      await alone(`janitor/${log!.logId}`, () => janitor.goRound(signal));
    });
    const closed = (): void => {
      rounds.close();
      coordinator.close();
    };
    store.closed.addEventListener('abort', closed, { once: true });
    if (store.closed.aborted) closed(); // it was handed over closed
    else coordinator.start();
  }

  hostOf(topicId: string): PartitionHost {
    return isInMemory(topicId) ? this.#memory : this.#disk;
  }

  /** What became of each batch; never rejects. */
  append(appends: readonly NewAppend[], durability: Durability): Promise<AppendOutcome[]> {
    const hostOf = (topicId: string): PartitionHost => this.hostOf(topicId);
    return askHosts(appends, hostOf, (host, share) => host.append(share, durability));
  }

  /** Stores the batches and the offsets, all or nothing; the place of each batch. */
  transact(
    appends: readonly NewAppend[],
    { commits, durability, producer }: Omit<TransactRequest, 'appends'>,
  ): Promise<BatchPlace[]> {
    const rows = commits.map((commit) => this.groupOffsets.writesWithRecords(commit));
    const fence = producer === null ? [] : [this.transactionalProducers.fence(producer)];
    return this.#disk.transact(appends, durability, [...fence, ...rows]);
  }

  /** Kafka's fetch: waits until the time `expires` for something to read. */
  async fetch(
    wanted: readonly FetchPartition[],
    expires: number,
    signal: AbortSignal,
  ): Promise<FetchedPartition[]> {
    const { memory, disk } = byStorage(wanted);
    if (memory.length === 0) return this.#disk.fetch(disk, expires, signal);
    if (disk.length === 0) return this.#memory.fetch(memory, expires, signal);
    // Whichever has something answers; of the other there is what it has by then.
    const enough = new AbortController();
    const stop = (): void => enough.abort();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true, signal: enough.signal });
    const onDisk = this.#disk.fetch(disk, expires, enough.signal);
    const inMemory = this.#memory.fetch(memory, expires, enough.signal);
    // Whoever cannot ask for what is in memory still waits for the disk; a disk that fails ends it.
    await Promise.any([onDisk.catch(() => {}), inMemory]);
    stop();
    // A broker that hangs and has records in memory is not to hold up those on disk.
    const late = deferred<FetchedPartition[]>();
    const cancel = this.#clock.after(LATE_MS, () => late.resolve([]));
    const failures: unknown[] = [];
    const shares = [onDisk, inMemory].map((share) =>
      Promise.race([share, late.promise]).catch((error: unknown) => {
        failures.push(error);
        return [];
      }),
    );
    const found = (await Promise.all(shares)).flat();
    cancel();
    if (found.length === 0 && failures.length > 0) throw failures[0];
    return found;
  }

  describe(row: TopicRow): Promise<PartitionDescription[]> {
    return this.hostOf(row.id).describe(row);
  }

  /** Another broker says that it appended. */
  heardOfAppend(appended: AppendedHint): void {
    this.#disk.heardOfAppend(appended);
  }

  /** Another broker says that records are gone. */
  trimmed(hint: TrimmedHint): void {
    this.#disk.trimmed(hint);
  }

  /** Topics were made, changed or deleted, here or elsewhere. */
  topicsChanged(): void {
    this.topics.forget();
    this.#disk.topicsChanged();
    this.#memory.topicsChanged();
    this.groups.topicsChanged();
  }
}
