import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { Clock } from '../../platform/clock.ts';
import { STORAGE_FULL } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import type { LogAppendInfo } from '../../log/append.ts';
import { headOf, headRef } from '../../log/head.ts';
import type { PartitionHead } from '../../log/head.ts';
import { importBatches, mustBeNew } from '../../log/file/import-batches.ts';
import { LogFileReader } from '../../log/file/log-file-reader.ts';
import { offsetAtTime } from '../../log/segment-reader.ts';
import { lookUpTime } from '../../log/time-index.ts';
import { MAX_INFLATED_BYTES } from '../../record/batch-format.ts';
import { loadCodec, loadCodecsFor } from '../../record/compression/codecs.ts';
import type { ImportedRecords, Request } from '../../protocol/broker.ts';
import type { FetchPartition, FetchedPartition, OffsetSpec } from '../../protocol/fetch.ts';
import type { Append } from '../../protocol/produce.ts';
import type { ScrubRequest, ScrubbedRows } from '../../protocol/scrub.ts';
import type { PartitionDescription } from '../../protocol/topic.ts';
import { HEAD_KEY } from '../../store/schema.ts';
import type { Durability, RowStore } from '../../store/store.ts';
import { GroupCommit } from './group-commit.ts';
import type { AppendOutcome, Committed, PendingAppend, RowWrites } from './group-commit.ts';
import { inSlices } from '../waiting/in-slices.ts';
import type { FetchLimits, PartitionBounds, PartitionHost } from './partition-host.ts';
import { PartitionFetcher } from './partition-fetcher.ts';
import type { PartitionFetcherOptions } from './partition-fetcher.ts';
import { PartitionCleaner, READ_SLICE } from '../cleaner/partition-cleaner.ts';
import { mustBeWritable, prepareAppend } from './prepare-append.ts';
import { SegmentsScrub } from './segments-scrub.ts';
import type { TopicRow } from '../rows/topic-row.ts';

export interface StoredPartitionsOptions extends PartitionFetcherOptions {
  /** Called before an import, with the end offset that the partition is going to have. */
  readonly beforeImport?: (partition: TopicIdPartition, endOffset: number) => Promise<void>;
  readonly onCommitted: (committed: readonly Committed[]) => void;
  /** The store had no room for an append. */
  readonly onFull?: () => void;
  /** Records at the start of a partition are gone. */
  readonly onTrimmed: (partition: TopicIdPartition) => void;
}

const SCAN_BYTES = 1024 * 1024;

/** Partitions in a store. */
export class StoredPartitions implements PartitionHost {
  readonly #options: StoredPartitionsOptions;
  readonly #store: RowStore;
  readonly #clock: Clock;
  /** Answers the fetches: hints of other brokers, and of cleaning, are for it. */
  readonly fetcher: PartitionFetcher;
  readonly #commits: GroupCommit;

  constructor(options: StoredPartitionsOptions) {
    this.#options = options;
    const { store, clock, onCommitted } = options;
    this.#store = store;
    this.#clock = clock;
    this.fetcher = new PartitionFetcher(options);
    this.#commits = new GroupCommit(store, clock, (committed) => {
      for (const one of committed) this.fetcher.appended(one);
      onCommitted(committed);
    });
  }

  async append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]> {
    const prepared = await Promise.all(
      appends.map((append) => this.#prepare(append).catch(toTablogError)),
    );
    // All batches are queued in one turn, so that they share one transaction.
    return Promise.all(
      prepared.map(async (append) =>
        append instanceof TablogError
          ? append
          : this.#noteFull(await this.#commits.append(append, durability)),
      ),
    );
  }

  /** Stores the batches and the rows, all or nothing. Returns each batch's placement. */
  async transact(
    appends: readonly Append[],
    durability: Durability,
    rows: readonly RowWrites[],
  ): Promise<LogAppendInfo[]> {
    const prepared = await Promise.all(appends.map((append) => this.#prepare(append)));
    return this.#commits.transact(prepared, durability, rows).catch((error: unknown) => {
      throw this.#noteFull(error);
    });
  }

  fetch(wanted: readonly FetchPartition[], limits: FetchLimits): Promise<FetchedPartition[]> {
    return this.fetcher.fetch(wanted, limits);
  }

  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]> {
    return Promise.all(
      request.map(async ({ before, ...name }) => {
        const { store } = await this.#options.resolve(name);
        const cleaner = new PartitionCleaner(this.#store, { ...name, store });
        // A call that fails may have moved the start all the same.
        const start = await cleaner.moveStart(before).finally(() => this.trim(name));
        cleaner.sweep().catch(() => {}); // after a failure the next round sweeps
        return start;
      }),
    );
  }

  async importPartition(request: Request<'importPartition'>): Promise<ImportedRecords> {
    const { topicId, partition, file, sizes = [file.byteLength] } = request;
    const name = { topicId, partition };
    const { store, config } = await this.#options.resolve(name);
    mustBeWritable(name, config);
    const reader = new LogFileReader(new Uint8Array(file), sizes);
    for (const segment of reader.segments) await loadCodecsFor(segment, name);
    await inSlices(reader.read(), this.#clock);
    const { batches, records, leftOut } = reader.finish();
    const [before] = await this.#heads([name]);
    mustBeNew(before!); // before `beforeImport`, because a refused import must change nothing
    await this.#options.beforeImport?.(name, batches.at(-1)!.nextOffset);
    const now = this.#clock.now();
    const imported = await this.#store.update([headRef(store)], ([row], write) => {
      const imported = importBatches(headOf(row, { ...name, store }), batches, now);
      for (const { baseOffset, bytes } of imported.segments) write.put(store, baseOffset, bytes);
      write.put(store, HEAD_KEY, imported.head);
      return imported;
    });
    this.trim(name); // the import has moved the start offset
    const { startOffset, endOffset } = imported.head;
    this.#options.onCommitted([{ ...name, store, ...imported }]);
    return { startOffset, endOffset, records, ...(leftOut && { leftOut }) };
  }

  async offset(topicId: string, partition: number, at: OffsetSpec): Promise<number> {
    const { store } = await this.#options.resolve({ topicId, partition });
    const [row] = await this.#store.read([headRef(store)]);
    const head = headOf(row, { topicId, partition, store });
    if (at === 'earliest') return head.startOffset;
    if (at === 'latest') return head.endOffset;
    return this.#offsetAtTime(store, head, at);
  }

  bounds(partitions: readonly TopicIdPartition[]): Promise<PartitionBounds[]> {
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

  /** Checks some rows. Throws `UNKNOWN_TOPIC`, or `LOG_CORRUPT` where there is no head. */
  async scrub({ cursor, ...name }: ScrubRequest): Promise<ScrubbedRows> {
    const from = cursor?.offset ?? 0; // any number where a row's key is damaged
    const { store } = await this.#options.resolve(name);
    const [read] = await this.#store.readSegments([{ store, from, ...READ_SLICE }]);
    for (const { bytes } of read!.segments) await loadCodecsFor(new Uint8Array(bytes), name);
    const scrub = new SegmentsScrub(read!, { ...name, store }, cursor);
    await inSlices(scrub.steps(), this.#clock);
    return scrub.result();
  }

  /**
   * Resolves the batch's partition, validates the batch and compresses it, outside of the
   * transaction. Throws the error that refuses the batch.
   */
  async #prepare(append: Append): Promise<PendingAppend> {
    const { topicId, partition } = append;
    const [{ store, config }] = await Promise.all([
      this.#options.resolve(append),
      loadCodec(append.compression),
      loadCodecsFor(new Uint8Array(append.batch), { topicId, partition }),
    ]);
    return { ...prepareAppend(append, config, this.#clock.now()), store };
  }

  #noteFull<T>(outcome: T): T {
    const isFull = outcome instanceof TablogError && outcome.code === STORAGE_FULL.code;
    if (isFull) this.#options.onFull?.();
    return outcome;
  }

  async #heads(partitions: readonly TopicIdPartition[]): Promise<PartitionHead[]> {
    const resolved = await Promise.all(partitions.map((name) => this.#options.resolve(name)));
    const heads = await this.#store.read(resolved.map(({ store }) => headRef(store)));
    return heads.map((row, i) => headOf(row, { ...partitions[i]!, ...resolved[i]! }));
  }

  trim(name: TopicIdPartition): void {
    this.fetcher.trimmed(name);
    this.#options.onTrimmed(name);
  }

  async #offsetAtTime(store: string, head: PartitionHead, time: number): Promise<number> {
    let from = Math.max(lookUpTime(head.timeIndex, time) ?? head.endOffset, head.startOffset);
    while (from < head.endOffset) {
      const request = { store, from, maxBytes: SCAN_BYTES };
      const [read] = await this.#store.readSegments([request]);
      if (read === undefined || read.segments.length === 0) break;
      for (const segment of read.segments) {
        const { topicId, partition } = head;
        await loadCodecsFor(new Uint8Array(segment.bytes), { topicId, partition });
        const found = offsetAtTime(segment, from, time, MAX_INFLATED_BYTES);
        // The key of a row that is damaged can be any number.
        if (found !== undefined) return Math.min(Math.floor(found), head.endOffset);
      }
      from = read.nextBaseOffset ?? head.endOffset;
    }
    return head.endOffset;
  }
}
