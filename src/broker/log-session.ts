import { checkInteger } from '../base/argument.ts';
import type { Clock } from '../base/clock.ts';
import { toTablogError } from '../base/error.ts';
import type { BatchPlace } from '../log/append.ts';
import { headRef } from '../log/head.ts';
import type { PartitionHead } from '../log/head.ts';
import { importBatches, readLogFile } from '../log/log-file.ts';
import { hasCompressed, offsetAtTime, readPartition, topicGone } from '../log/segment-reader.ts';
import type { SegmentsSlice } from '../log/segment-reader.ts';
import { offsetBefore } from '../log/time-index.ts';
import { MAX_INFLATED_BYTES } from '../record/batch-format.ts';
import { toErrorData } from '../protocol/error-data.ts';
import type {
  FetchPartition,
  FetchedPartition,
  ImportedPartition,
  OffsetSpec,
  Request,
  TransactRequest,
} from '../protocol/broker.ts';
import type { AppendedHint, Hint, TrimmedHint } from '../protocol/hint.ts';
import { alone } from '../protocol/liveness.ts';
import type { Liveness } from '../protocol/liveness.ts';
import { HEAD_KEY, logRef, partitionStore } from '../store/schema.ts';
import type { Durability, Store } from '../store/store.ts';
import { CommitQueue } from './commit-queue.ts';
import type { AppendOutcome, PendingAppend } from './commit-queue.ts';
import { GroupAdmin } from './group-admin.ts';
import { GroupCoordinator } from './group-coordinator.ts';
import { GroupOffsets } from './group-offsets.ts';
import { Janitor } from './janitor.ts';
import { PartitionKeeper } from './partition-keeper.ts';
import { TailCache } from './tail-cache.ts';
import { TopicCatalog } from './topic-catalog.ts';
import type { TopicRow } from './topic-catalog.ts';
import { TransactionalProducers } from './transactional-producers.ts';
import { Waiters } from './waiters.ts';

export interface LogSessionOptions {
  readonly clock: Clock;
  readonly liveness: Liveness;
  /** Tells the other brokers. */
  readonly post: (hint: Hint) => void;
  readonly onAppended: (appended: readonly AppendedHint[]) => void;
}

/** What one fetch can be answered from memory with; per broker. */
const TAIL_BYTES = 16 * 1024 * 1024;

const SCAN_BYTES = 1024 * 1024;

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
  readonly #tails = new TailCache(TAIL_BYTES);
  readonly #waiters = new Waiters();
  readonly #commits: CommitQueue;
  readonly #janitor: Janitor;
  readonly #trimmed: (topicId: string, partition: number) => void;

  constructor(store: Store, { clock, liveness, post, onAppended }: LogSessionOptions) {
    this.store = store;
    this.#clock = clock;
    const topicsChanged = (): void => {
      this.topicsChanged();
      post({ kind: 'topics' });
    };
    const topics = (this.topics = new TopicCatalog(store, () => clock.now(), topicsChanged));
    this.#commits = new CommitQueue(store, clock, (committed) => {
      for (const { topicId, partition, segments } of committed) {
        for (const segment of segments) this.#tails.push(topicId, partition, segment);
        this.#waiters.wake(partitionKey(topicId, partition));
      }
      this.#janitor.appended();
      onAppended(
        committed.map(({ topicId, partition, segments }) => ({
          topicId,
          partition,
          endOffset: segments.at(-1)!.nextOffset,
        })),
      );
    });
    const coordinator = new GroupCoordinator({ store, topics, clock, liveness, post });
    const offsets = new GroupOffsets({
      store,
      topics,
      clock,
      find: (topicId, partition, at) => this.offset(topicId, partition, at),
    });
    const heads = (row: TopicRow): Promise<PartitionHead[]> => this.heads(row);
    this.transactionalProducers = new TransactionalProducers(store, clock);
    this.groups = coordinator;
    this.groupOffsets = offsets;
    this.groupAdmin = new GroupAdmin({ store, topics, coordinator, offsets, heads });
    this.#trimmed = (topicId, partition) => {
      this.trimmed({ topicId, partition });
      post({ kind: 'trimmed', topicId, partition });
    };
    this.#janitor = new Janitor({
      store,
      topics,
      offsets,
      clock,
      onTrimmed: this.#trimmed,
      alone: async (work) => {
        const [log] = await store.read([logRef]);
        await alone(`janitor/${log!.logId}`, work);
      },
    });
    const closed = (): void => {
      this.#waiters.wakeAll();
      this.#janitor.close();
      coordinator.close();
    };
    store.closed.addEventListener('abort', closed, { once: true });
    if (store.closed.aborted) closed(); // it was handed over closed
    else coordinator.start();
  }

  append(append: PendingAppend, durability: Durability): Promise<AppendOutcome> {
    return this.#commits.append(append, durability);
  }

  /** Stores the batches and the offsets, all or nothing; the place of each batch. */
  transact(
    appends: readonly PendingAppend[],
    { commits, durability, producer }: Omit<TransactRequest, 'appends'>,
  ): Promise<BatchPlace[]> {
    const rows = commits.map((commit) => this.groupOffsets.writes(commit));
    if (producer !== null) rows.push(this.transactionalProducers.fence(producer));
    return this.#commits.transact(appends, durability, rows);
  }

  /** Another broker says that it appended: look into the store, and wake who waits. */
  heardOfAppend({ topicId, partition, endOffset }: AppendedHint): void {
    const tail = this.#tails.get(topicId, partition);
    if (tail === undefined) return; // nothing is remembered of it that could be old
    if (tail.endOffset === undefined || endOffset > tail.endOffset) {
      tail.endOffset = undefined;
      tail.heard++;
      this.#waiters.wake(partitionKey(topicId, partition));
    }
  }

  /** Records at the start of a partition are gone: nobody gets them from memory any more. */
  trimmed({ topicId, partition }: Omit<TrimmedHint, 'kind'>): void {
    this.#tails.forget(topicId, partition);
    this.#waiters.wake(partitionKey(topicId, partition));
  }

  /** Moves the start of partitions, and tells where it is. Throws `OFFSET_OUT_OF_RANGE`. */
  deleteRecords({ topicId, partitions }: Request<'deleteRecords'>): Promise<number[]> {
    return Promise.all(
      partitions.map(async ({ partition, before }) => {
        const { store } = await this.topics.mustGetPartition(topicId, partition);
        const keeper = new PartitionKeeper(this.store, { topicId, partition, store });
        const start = await keeper.moveStart(before);
        this.#trimmed(topicId, partition);
        keeper.sweep().catch(() => {}); // else the next round does
        return start;
      }),
    );
  }

  /** Throws `INVALID_LOG_FILE`, `PARTITION_NOT_EMPTY`. */
  async importPartition(request: Request<'importPartition'>): Promise<ImportedPartition> {
    const { topicId, partition, file } = request;
    const { store } = await this.topics.mustGetPartition(topicId, partition);
    const batches = readLogFile(new Uint8Array(file));
    const now = this.#clock.now();
    const { startOffset, endOffset } = await this.store.update(
      [headRef(store)],
      ([head], write) => {
        if (head?.topicId !== topicId) throw topicGone({ topicId, partition });
        const imported = importBatches(head, batches, now);
        for (const { baseOffset, bytes } of imported.segments) write.put(store, baseOffset, bytes);
        write.put(store, HEAD_KEY, imported.head);
        return imported.head;
      },
    );
    this.#trimmed(topicId, partition); // what was known of it is not so any more
    const records = batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
    return { startOffset, endOffset, records };
  }

  /** Topics were made, changed or deleted, here or elsewhere. */
  topicsChanged(): void {
    this.topics.forget();
    this.#tails.clear();
    this.#waiters.wakeAll();
    this.groups.topicsChanged();
  }

  /** Kafka's fetch: waits until the time `expires` for something to read. */
  async fetch(
    wanted: readonly FetchPartition[],
    expires: number,
    signal: AbortSignal,
  ): Promise<FetchedPartition[]> {
    const keys = wanted.map(({ topicId, partition }) => partitionKey(topicId, partition));
    for (;;) {
      const { closed } = this.store;
      const left = expires - this.#clock.now();
      // A hint may have been lost: the last look does not trust what is remembered.
      const last = left <= 0 || signal.aborted;
      // Waits begin before the look, so that no append falls between the two.
      const wait = this.#waiters.wait(keys, left, this.#clock, signal);
      try {
        const found = await this.#read(wanted, last);
        if (found.length > 0 || last) return found;
        await wait.woken;
      } finally {
        wait.cancel();
      }
      closed.throwIfAborted();
    }
  }

  async offset(topicId: string, partition: number, at: OffsetSpec): Promise<number> {
    const { store } = await this.topics.mustGetPartition(topicId, partition);
    const [head] = await this.store.read([headRef(store)]);
    if (head?.topicId !== topicId) throw topicGone({ topicId, partition });
    if (at === 'earliest') return head.startOffset;
    if (at === 'latest' || at > head.maxTimestamp) return head.endOffset;
    return this.#offsetAtTime(store, head, at);
  }

  async heads(row: TopicRow): Promise<PartitionHead[]> {
    const heads = await this.store.read(row.stores.map((index) => headRef(partitionStore(index))));
    return heads.map((head, partition) => {
      if (head?.topicId === row.id) return head;
      throw topicGone({ topicId: row.id, partition });
    });
  }

  async #offsetAtTime(store: string, head: PartitionHead, time: number): Promise<number> {
    let from = Math.max(offsetBefore(head.timeIndex, time) ?? head.startOffset, head.startOffset);
    while (from < head.endOffset) {
      const request = { store, from, maxBytes: SCAN_BYTES };
      const [read] = await this.store.readSegments([request]);
      if (read === undefined || read.segments.length === 0) break;
      for (const { bytes } of read.segments) {
        const found = offsetAtTime(bytes, from, time, MAX_INFLATED_BYTES);
        if (found !== undefined) return found;
      }
      from = read.nextBaseOffset ?? head.endOffset;
    }
    return head.endOffset;
  }

  async #read(wanted: readonly FetchPartition[], last: boolean): Promise<FetchedPartition[]> {
    const found = new Map<FetchPartition, FetchedPartition>();
    const toRead: (FetchPartition & { readonly store: string })[] = [];
    for (const want of wanted) {
      try {
        // IndexedDB would refuse NaN as a key, and with it the read of every partition.
        checkInteger('an offset', want.offset, Number.MIN_SAFE_INTEGER);
        const remembered = this.#fromMemory(want, last);
        if (remembered === undefined) {
          const { store } = await this.topics.mustGetPartition(want.topicId, want.partition);
          toRead.push({ ...want, store });
        } else if (remembered.segments.length > 0) {
          found.set(want, this.#fetched(want, remembered));
        }
      } catch (error) {
        this.store.closed.throwIfAborted(); // no fault of this partition
        found.set(want, failed(want, error));
      }
    }
    if (toRead.length === 0) return [...found.values()];

    const tails = toRead.map(({ topicId, partition }) => this.#tails.of(topicId, partition));
    const heard = tails.map((tail) => tail.heard);
    const requests = toRead.map(({ store, offset, maxBytes }) => ({
      store,
      from: offset,
      maxBytes,
    }));
    const reads = await this.store.readSegments(requests);
    toRead.forEach((want, i) => {
      try {
        const read = readPartition(reads[i]!, want);
        const tail = tails[i]!;
        // Unless a hint came while this was read, which may be of what it did not see.
        if (tail.heard === heard[i]) tail.endOffset = Math.max(tail.endOffset ?? 0, read.endOffset);
        if (read.segments.length > 0) found.set(want, this.#fetched(want, read));
      } catch (error) {
        found.set(want, failed(want, error));
      }
    });
    return [...found.values()];
  }

  /** What memory alone can answer: batches, nothing yet (no segments), or `undefined`: look. */
  #fromMemory(
    { topicId, partition, offset, maxBytes }: FetchPartition,
    last: boolean,
  ): SegmentsSlice | undefined {
    const tail = this.#tails.of(topicId, partition);
    const slice = tail.read(offset, maxBytes);
    if (slice !== undefined) return slice;
    return tail.endOffset === offset && !last ? { segments: [], nextOffset: offset } : undefined;
  }

  #fetched({ topicId, partition }: FetchPartition, slice: SegmentsSlice): FetchedPartition {
    const { segments, nextOffset } = slice;
    const endOffset = this.#tails.of(topicId, partition).endOffset ?? nextOffset;
    const compressed = segments.some(hasCompressed);
    return { topicId, partition, endOffset, nextOffset, segments, compressed };
  }
}

function partitionKey(topicId: string, partition: number): string {
  return `${topicId}/${partition}`;
}

function failed({ topicId, partition }: FetchPartition, error: unknown): FetchedPartition {
  return { topicId, partition, error: toErrorData(toTablogError(error)) };
}
