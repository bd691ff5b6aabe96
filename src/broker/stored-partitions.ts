import { checkInteger } from '../base/argument.ts';
import type { Clock } from '../base/clock.ts';
import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError, toTablogError } from '../base/error.ts';
import type { BatchPlace } from '../log/append.ts';
import { headRef } from '../log/head.ts';
import type { PartitionHead, PartitionName } from '../log/head.ts';
import { importBatches, mustBeNew, readLogFile } from '../log/log-file.ts';
import { hasCompressed, offsetAtTime, readPartition, topicGone } from '../log/segment-reader.ts';
import type { SegmentsSlice } from '../log/segment-reader.ts';
import { lookUpTime } from '../log/time-index.ts';
import { MAX_INFLATED_BYTES } from '../record/batch-format.ts';
import { toErrorData } from '../protocol/error-data.ts';
import type {
  FetchPartition,
  FetchedPartition,
  ImportedPartition,
  OffsetSpec,
  PartitionDescription,
  Request,
} from '../protocol/broker.ts';
import type { AppendedHint } from '../protocol/hint.ts';
import { HEAD_KEY } from '../store/schema.ts';
import type { Durability, Store } from '../store/store.ts';
import { CommitQueue } from './commit-queue.ts';
import type {
  AppendOutcome,
  Committed,
  NewAppend,
  PendingAppend,
  RowWrites,
} from './commit-queue.ts';
import { inSlices } from './in-slices.ts';
import type { PartitionBounds, PartitionHost } from './partition-host.ts';
import { PartitionKeeper } from './partition-keeper.ts';
import { TailCache } from './tail-cache.ts';
import type { TopicRow } from './topic-row.ts';
import { Waiters } from './waiters.ts';

export interface StoredPartitionsOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** What fetches can be answered from memory with, without a look into the store. */
  readonly tailBytes: number;
  /** The store's name of a partition. Throws `UNKNOWN_TOPIC`. */
  readonly place: (partition: PartitionName) => Promise<string>;
  /** A file is about to bring a partition as far as this offset. */
  readonly beforeImport?: (partition: PartitionName, endOffset: number) => Promise<void>;
  readonly onCommitted: (committed: readonly Committed[]) => void;
  /** Records at the start of a partition are gone. */
  readonly onTrimmed: (partition: PartitionName) => void;
}

const SCAN_BYTES = 1024 * 1024;

/** Records are served from memory for so long without a look whether they are gone: hints get lost. */
const LOOK_MS = 30_000;

/** Partitions in a store, with what is remembered of them, and those who wait for news. */
export class StoredPartitions implements PartitionHost {
  readonly #options: StoredPartitionsOptions;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #tails: TailCache;
  readonly #waiters = new Waiters();
  readonly #commits: CommitQueue;

  constructor(options: StoredPartitionsOptions) {
    this.#options = options;
    const { store, clock, tailBytes, onCommitted } = options;
    this.#store = store;
    this.#clock = clock;
    this.#tails = new TailCache(tailBytes);
    this.#commits = new CommitQueue(store, clock, (committed) => {
      for (const one of committed) this.#remember(one);
      onCommitted(committed);
    });
    const closed = (): void => this.#waiters.wakeAll();
    store.closed.addEventListener('abort', closed, { once: true });
  }

  async append(appends: readonly NewAppend[], durability: Durability): Promise<AppendOutcome[]> {
    const placed = await Promise.all(
      appends.map((append) => this.#place(append).catch(toTablogError)),
    );
    // All are queued in one turn, so that one transaction takes them.
    return Promise.all(
      placed.map(async (append) =>
        append instanceof TablogError ? append : this.#commits.append(append, durability),
      ),
    );
  }

  /** Stores the batches and the rows, all or nothing; the place of each batch. */
  async transact(
    appends: readonly NewAppend[],
    durability: Durability,
    rows: readonly RowWrites[],
  ): Promise<BatchPlace[]> {
    const placed = await Promise.all(appends.map((append) => this.#place(append)));
    return this.#commits.transact(placed, durability, rows);
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
  trimmed({ topicId, partition }: PartitionName): void {
    this.#tails.doubt(topicId, partition);
    this.#waiters.wake(partitionKey(topicId, partition));
  }

  /** Topics were made, changed or deleted: everybody looks anew. */
  topicsChanged(): void {
    this.#tails.clear();
    this.#waiters.wakeAll();
  }

  deleteRecords({ topicId, partitions }: Request<'deleteRecords'>): Promise<number[]> {
    return Promise.all(
      partitions.map(async ({ partition, before }) => {
        checkInteger('before', before, 0); // a start that is no number would be none to read from
        const name = { topicId, partition };
        const store = await this.#options.place(name);
        const keeper = new PartitionKeeper(this.#store, { ...name, store });
        // It may have moved where this fails, too.
        const start = await keeper.moveStart(before).finally(() => this.#trim(name));
        keeper.sweep().catch(() => {}); // else the next round does
        return start;
      }),
    );
  }

  async importPartition(request: Request<'importPartition'>): Promise<ImportedPartition> {
    const { topicId, partition, file } = request;
    const name = { topicId, partition };
    const store = await this.#options.place(name);
    const batches = await inSlices(readLogFile(new Uint8Array(file)), this.#clock);
    const [begun] = await this.#heads([name]);
    mustBeNew(begun!); // a file that is refused changes nothing
    await this.#options.beforeImport?.(name, batches.at(-1)!.nextOffset);
    const now = this.#clock.now();
    const imported = await this.#store.update([headRef(store)], ([head], write) => {
      if (head?.topicId !== topicId) throw topicGone(name);
      const imported = importBatches(head, batches, now);
      for (const { baseOffset, bytes } of imported.segments) write.put(store, baseOffset, bytes);
      write.put(store, HEAD_KEY, imported.head);
      return imported;
    });
    this.#trim(name); // what was known of it is not so any more
    const { startOffset, endOffset } = imported.head;
    this.#options.onCommitted([{ ...name, store, ...imported }]);
    const records = batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
    return { startOffset, endOffset, records };
  }

  async fetch(
    wanted: readonly FetchPartition[],
    expires: number,
    signal: AbortSignal,
  ): Promise<FetchedPartition[]> {
    const keys = wanted.map(({ topicId, partition }) => partitionKey(topicId, partition));
    for (;;) {
      const { closed } = this.#store;
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
    const store = await this.#options.place({ topicId, partition });
    const [head] = await this.#store.read([headRef(store)]);
    if (head?.topicId !== topicId) throw topicGone({ topicId, partition });
    if (at === 'earliest') return head.startOffset;
    if (at === 'latest') return head.endOffset;
    return this.#offsetAtTime(store, head, at);
  }

  bounds(partitions: readonly PartitionName[]): Promise<PartitionBounds[]> {
    return this.#heads(partitions);
  }

  async describe({ id, stores }: TopicRow): Promise<PartitionDescription[]> {
    const names = stores.map((_, partition) => ({ topicId: id, partition }));
    const heads = await this.#heads(names);
    return heads.map(({ partition, startOffset, endOffset, bytes, segments }) => ({
      partition,
      startOffset,
      endOffset,
      bytes,
      segments,
    }));
  }

  #remember({ topicId, partition, segments, head }: Committed): void {
    const tail = this.#tails.of(topicId, partition);
    if (!tail.isDoubted && tail.see(head, this.#clock.now())) {
      for (const segment of segments) this.#tails.push(topicId, partition, segment);
    }
    this.#waiters.wake(partitionKey(topicId, partition));
  }

  async #place(append: NewAppend): Promise<PendingAppend> {
    return { ...append, store: await this.#options.place(append) };
  }

  async #heads(partitions: readonly PartitionName[]): Promise<PartitionHead[]> {
    const stores = await Promise.all(partitions.map((name) => this.#options.place(name)));
    const heads = await this.#store.read(stores.map((store) => headRef(store)));
    return heads.map((head, i) => {
      if (head?.topicId === partitions[i]!.topicId) return head;
      throw topicGone(partitions[i]!);
    });
  }

  #trim(name: PartitionName): void {
    this.trimmed(name);
    this.#options.onTrimmed(name);
  }

  async #offsetAtTime(store: string, head: PartitionHead, time: number): Promise<number> {
    let from = Math.max(lookUpTime(head.timeIndex, time) ?? head.endOffset, head.startOffset);
    while (from < head.endOffset) {
      const request = { store, from, maxBytes: SCAN_BYTES };
      const [read] = await this.#store.readSegments([request]);
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
          toRead.push({ ...want, store: await this.#options.place(want) });
        } else if (remembered.segments.length > 0) {
          found.set(want, this.#fetched(want, remembered));
        }
      } catch (error) {
        // Topics in memory are looked up on disk: what goes wrong there is no fault of a partition.
        const isOwn = !(error instanceof TablogError) || error.code === UNKNOWN_TOPIC.code;
        if (!isOwn) throw error;
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
    const reads = await this.#store.readSegments(requests);
    toRead.forEach((want, i) => {
      try {
        const read = readPartition(reads[i]!, want);
        const tail = tails[i]!;
        // Unless a hint came while this was read, which may be of what it did not see.
        if (tail.heard === heard[i]) {
          tail.isDoubted = false;
          tail.see(read.head, this.#clock.now());
          tail.endOffset = Math.max(tail.endOffset ?? 0, read.head.endOffset);
        }
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
    const isKnown = this.#clock.now() - tail.seenAt <= LOOK_MS;
    const slice = isKnown ? tail.read(offset, maxBytes) : undefined;
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
