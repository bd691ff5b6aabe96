import { partitionKey } from '../../base/topic-id-partition.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { mustBeInteger } from '../../base/argument.ts';
import type { Clock } from '../../platform/clock.ts';
import { LOG_CORRUPT, UNKNOWN_TOPIC } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import { headOf, headRef } from '../../log/head.ts';
import { hasCompressed, readPartition } from '../../log/segment-reader.ts';
import type { SegmentsSlice } from '../../log/segment-reader.ts';
import type { FetchPartition, FetchedPartition } from '../../protocol/fetch.ts';
import type { AppendedHint } from '../../protocol/hint.ts';
import type { RowStore } from '../../store/store.ts';
import type { ResolvedPartition } from '../topics/topic-catalog.ts';
import type { Committed } from './group-commit.ts';
import { FetchAnswer } from './fetch-answer.ts';
import type { FetchLimits } from './partition-host.ts';
import { TailCache } from './tail-cache.ts';
import { Waiters } from '../waiting/waiters.ts';

export interface PartitionFetcherOptions {
  readonly store: RowStore;
  readonly clock: Clock;
  /**
   * The bytes of the newest records kept in memory, to answer fetches without a read of the store.
   */
  readonly tailBytes: number;
  /** Looks up a partition by its topic's id. Throws `UNKNOWN_TOPIC`. */
  readonly resolve: (partition: TopicIdPartition) => Promise<ResolvedPartition>;
}

/**
 * The longest time for which records are served from memory without a read of the head. Hints that
 * records were deleted can be lost.
 */
const LOOK_MS = 30_000;

/**
 * The most partitions whose segments one transaction reads, because writers of these partitions
 * have to wait for its end.
 */
const READ_PARTITIONS = 32;

/** The codes of `resolve` that concern one partition and no other. */
const OF_ONE_PARTITION: ReadonlySet<string> = new Set([UNKNOWN_TOPIC.code, LOG_CORRUPT.code]);

/** A wanted partition, with the name of its object store. */
interface Located extends FetchPartition {
  readonly store: string;
}

/**
 * Answers fetches: from the newest records in memory, else with one short read, else when records
 * are appended.
 */
export class PartitionFetcher {
  readonly #store: RowStore;
  readonly #clock: Clock;
  readonly #resolve: PartitionFetcherOptions['resolve'];
  readonly #tails: TailCache;
  readonly #waiters = new Waiters();

  constructor({ store, clock, tailBytes, resolve }: PartitionFetcherOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#tails = new TailCache(tailBytes);
    const closed = (): void => this.#waiters.wakeAll();
    store.closed.addEventListener('abort', closed, { once: true });
  }

  /**
   * Answers a fetch as soon as a partition has records or the fetch expires (Kafka's DelayedFetch).
   */
  async fetch(
    wanted: readonly FetchPartition[],
    { expires, maxBytes, signal }: FetchLimits,
  ): Promise<FetchedPartition[]> {
    const keys = wanted.map(partitionKey);
    for (;;) {
      const { closed } = this.#store;
      const left = expires - this.#clock.now();
      // The wait begins before the read, so that no append falls between the two.
      const wait = this.#waiters.wait(keys, left, this.#clock, signal);
      try {
        // A hint may have been lost, so the last read goes to the store and not to memory.
        const found = await this.#read(wanted, maxBytes, left <= 0);
        if (found.length > 0 || left <= 0 || signal.aborted) return found;
        await wait.woken;
      } finally {
        wait.cancel();
      }
      closed.throwIfAborted();
    }
  }

  /** Handles an append of this broker. */
  appended({ topicId, partition, segments, head }: Committed): void {
    const tail = this.#tails.of(topicId, partition);
    if (tail.seeAppended(head, this.#clock.now())) {
      for (const segment of segments) this.#tails.push(topicId, partition, segment);
    }
    this.#waiters.wake(partitionKey({ topicId, partition }));
  }

  /** Handles another broker's hint that it appended: waiting fetches look into the store. */
  heardOfAppend({ topicId, partition, endOffset }: AppendedHint): void {
    const tail = this.#tails.get(topicId, partition);
    // Without a tail, memory has nothing of the partition that could be stale.
    if (tail?.hearOfAppend(endOffset)) this.#waiters.wake(partitionKey({ topicId, partition }));
  }

  /**
   * Handles another broker's hint that it deleted records. A partition of which memory has nothing
   * is looked up first: a hint can name partitions that do not exist.
   */
  async heardOfTrim(name: TopicIdPartition): Promise<void> {
    if (this.#tails.get(name.topicId, name.partition) === undefined) await this.#resolve(name);
    this.trimmed(name);
  }

  /** Records of a partition were deleted: no fetch gets them from memory any more. */
  trimmed({ topicId, partition }: TopicIdPartition): void {
    this.#tails.doubt(topicId, partition);
    this.#waiters.wake(partitionKey({ topicId, partition }));
  }

  get isWaitedFor(): boolean {
    return !this.#waiters.isEmpty;
  }

  /** Fails the waiting fetches of all topics but these with `UNKNOWN_TOPIC`. */
  retain(topicIds: ReadonlySet<string>): void {
    for (const { topicId, partition } of this.#tails.retain(topicIds)) {
      this.#waiters.wake(partitionKey({ topicId, partition }));
    }
  }

  async #read(
    wanted: readonly FetchPartition[],
    maxBytes: number,
    isLast: boolean,
  ): Promise<FetchedPartition[]> {
    const answer = new FetchAnswer(maxBytes);
    const unknown: Located[] = [];
    /**
     * Partitions with records in memory that come after one without. They are answered after the
     * read of the store, so that no partition is passed over for good.
     */
    const behind: FetchPartition[] = [];
    for (const want of wanted) {
      if (answer.isFull) break;
      try {
        // IndexedDB refuses NaN as a key, which would fail the read of all partitions.
        mustBeInteger('an offset', want.offset, Number.MIN_SAFE_INTEGER);
        const remembered = this.#fromMemory(answer.cut(want), isLast);
        if (remembered === undefined) {
          const { store } = await this.#resolve(want);
          unknown.push({ ...want, store });
        } else if (unknown.length === 0) this.#answer(answer, want, remembered);
        else if (remembered.segments.length > 0) behind.push(want);
      } catch (error) {
        // `resolve` reads the disk: a failure of the storage is no fault of one partition.
        const isOwn = !(error instanceof TablogError) || OF_ONE_PARTITION.has(error.code);
        if (!isOwn) throw error;
        answer.fail(want, error);
      }
    }
    if (answer.isFull || unknown.length === 0) return answer.parts;
    const toRead =
      unknown.length > READ_PARTITIONS || isLast ? await this.#withNews(unknown, answer) : unknown;
    if (toRead.length > 0) await this.#readSegments(toRead.slice(0, READ_PARTITIONS), answer);
    for (const want of behind) {
      if (answer.isFull) break;
      const remembered = this.#fromMemory(answer.cut(want), isLast);
      if (remembered !== undefined) this.#answer(answer, want, remembered);
    }
    return answer.parts;
  }

  /**
   * The partitions with new records. Reads the heads only, because most of many partitions are
   * idle.
   */
  async #withNews(all: readonly Located[], answer: FetchAnswer): Promise<Located[]> {
    const sawHead = all.map(({ topicId, partition }) =>
      this.#tails.of(topicId, partition).beginRead(),
    );
    const heads = await this.#store.read(all.map(({ store }) => headRef(store)));
    return all.filter((want, i) => {
      try {
        const head = headOf(heads[i], want);
        sawHead[i]!(head, this.#clock.now());
        return head.endOffset !== want.offset;
      } catch (error) {
        answer.fail(want, toTablogError(error));
        return false;
      }
    });
  }

  async #readSegments(all: readonly Located[], answer: FetchAnswer): Promise<void> {
    const sawHead = all.map(({ topicId, partition }) =>
      this.#tails.of(topicId, partition).beginRead(),
    );
    const share = Math.max(Math.floor(answer.left / all.length), 1);
    const requests = all.map(({ store, offset, maxBytes }) => ({
      store,
      from: offset,
      maxBytes: Math.min(maxBytes, share),
    }));
    const reads = await this.#store.readSegments(requests);
    all.forEach((want, i) => {
      if (answer.isFull) return;
      try {
        const { maxBytes } = requests[i]!;
        const read = readPartition(reads[i]!, { ...want, maxBytes });
        sawHead[i]!(read.head, this.#clock.now());
        this.#answer(answer, want, read);
      } catch (error) {
        answer.fail(want, error);
      }
    });
  }

  /** The answer from memory: batches, or no segments at the end; `undefined`: read the store. */
  #fromMemory(
    { topicId, partition, offset, maxBytes }: FetchPartition,
    isLast: boolean,
  ): SegmentsSlice | undefined {
    const tail = this.#tails.of(topicId, partition);
    const isSeen = tail.isSeen(this.#clock.now(), LOOK_MS);
    const slice = isSeen ? tail.read(offset, maxBytes) : undefined;
    if (slice !== undefined) return slice;
    return tail.endOffset === offset && !isLast ? { segments: [], nextOffset: offset } : undefined;
  }

  #answer(
    answer: FetchAnswer,
    want: FetchPartition,
    { segments, nextOffset }: SegmentsSlice,
  ): void {
    if (segments.length === 0) return;
    const { topicId, partition } = want;
    const endOffset = this.#tails.of(topicId, partition).endOffset ?? nextOffset;
    const compressed = segments.some(hasCompressed);
    answer.add(want, { endOffset, nextOffset, segments, compressed });
  }
}
