import { checkInteger } from '../base/argument.ts';
import type { Clock } from '../base/clock.ts';
import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError, toTablogError } from '../base/error.ts';
import type { PartitionName } from '../log/head.ts';
import { hasCompressed, readPartition } from '../log/segment-reader.ts';
import type { SegmentsSlice } from '../log/segment-reader.ts';
import type { FetchPartition, FetchedPartition } from '../protocol/broker.ts';
import { toErrorData } from '../protocol/error-data.ts';
import type { AppendedHint } from '../protocol/hint.ts';
import type { Store } from '../store/store.ts';
import type { Committed } from './commit-queue.ts';
import { TailCache } from './tail-cache.ts';
import { Waiters } from './waiters.ts';

export interface PartitionFetcherOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** What fetches can be answered from memory with, without a look into the store. */
  readonly tailBytes: number;
  /** The store's name of a partition. Throws `UNKNOWN_TOPIC`. */
  readonly place: (partition: PartitionName) => Promise<string>;
}

/** Records are served from memory for so long without a look whether they are gone: hints get lost. */
const LOOK_MS = 30_000;

/**
 * Answers fetches: from what is remembered of the newest records, else with one short read, else when
 * there is something.
 */
export class PartitionFetcher {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #place: PartitionFetcherOptions['place'];
  readonly #tails: TailCache;
  readonly #waiters = new Waiters();

  constructor({ store, clock, tailBytes, place }: PartitionFetcherOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#place = place;
    this.#tails = new TailCache(tailBytes);
    const closed = (): void => this.#waiters.wakeAll();
    store.closed.addEventListener('abort', closed, { once: true });
  }

  /** Kafka's fetch: waits until the time `expires` for something to read. */
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

  /** This broker appended. */
  appended({ topicId, partition, segments, head }: Committed): void {
    const tail = this.#tails.of(topicId, partition);
    if (!tail.isDoubted && tail.see(head, this.#clock.now())) {
      for (const segment of segments) this.#tails.push(topicId, partition, segment);
    }
    this.#waiters.wake(partitionKey(topicId, partition));
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

  async #read(wanted: readonly FetchPartition[], last: boolean): Promise<FetchedPartition[]> {
    const found = new Map<FetchPartition, FetchedPartition>();
    const toRead: (FetchPartition & { readonly store: string })[] = [];
    for (const want of wanted) {
      try {
        // IndexedDB would refuse NaN as a key, and with it the read of every partition.
        checkInteger('an offset', want.offset, Number.MIN_SAFE_INTEGER);
        const remembered = this.#fromMemory(want, last);
        if (remembered === undefined) {
          toRead.push({ ...want, store: await this.#place(want) });
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
