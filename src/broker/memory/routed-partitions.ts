import { mustBeInteger } from '../../base/argument.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { Clock } from '../../platform/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { ImportedRecords, Request } from '../../protocol/broker.ts';
import type { FetchPartition, FetchedPartition, OffsetSpec } from '../../protocol/fetch.ts';
import type { Append } from '../../protocol/produce.ts';
import { mustNotPassEnd } from '../cleaner/partition-cleaner.ts';
import type { PartitionDescription } from '../../protocol/topic.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import type { Durability } from '../../store/store.ts';
import type { AppendOutcome } from '../partitions/group-commit.ts';
import type { FetchLimits, PartitionBounds, PartitionHost } from '../partitions/partition-host.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/**
 * The time that a fetch waits for the slower host when the other one has records, in milliseconds.
 */
const LATE_MS = 250;

/** The partitions of all topics. Routes each call to the host of the topic: the disk, or memory. */
export class RoutedPartitions implements PartitionHost {
  readonly #disk: PartitionHost;
  readonly #memory: PartitionHost;
  readonly #clock: Clock;

  constructor(disk: PartitionHost, memory: PartitionHost, clock: Clock) {
    this.#disk = disk;
    this.#memory = memory;
    this.#clock = clock;
  }

  append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]> {
    return this.#share(appends, (host, share) => host.append(share, durability));
  }

  async fetch(wanted: readonly FetchPartition[], limits: FetchLimits): Promise<FetchedPartition[]> {
    const { disk, memory } = byStorage(wanted);
    if (memory.length === 0) return this.#disk.fetch(disk, limits);
    if (disk.length === 0) return this.#memory.fetch(memory, limits);
    const { signal } = limits;
    // The first host with records ends the wait of the other host, which answers at once then.
    const enough = new AbortController();
    const stop = (): void => enough.abort();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true, signal: enough.signal });
    const half = { ...limits, maxBytes: limits.maxBytes / 2, signal: enough.signal };
    const onDisk = this.#disk.fetch(disk, half);
    const inMemory = this.#memory.fetch(memory, half);
    // A disk that fails ends the wait. If memory fails, the fetch still waits for the disk.
    await Promise.any([onDisk.catch(() => {}), inMemory]);
    stop();
    return this.#unlessLate([onDisk, inMemory]);
  }

  offset(topicId: string, partition: number, at: OffsetSpec): Promise<number> {
    return this.#hostOf(topicId).offset(topicId, partition, at);
  }

  bounds(partitions: readonly TopicIdPartition[]): Promise<PartitionBounds[]> {
    return this.#share(partitions, (host, share) => host.bounds(share));
  }

  describe(row: TopicRow): Promise<PartitionDescription[]> {
    return this.#hostOf(row.id).describe(row);
  }

  async deleteRecords(request: Request<'deleteRecords'>): Promise<number[]> {
    // NaN as a start offset could not be undone.
    for (const { before } of request) mustBeInteger('before', before, 0);
    // All entries are checked before the first partition is cut. End offsets only grow.
    const bounds = await this.bounds(request);
    request.forEach(({ before }, i) => mustNotPassEnd(bounds[i]!, before));
    return this.#share(request, (host, share) => host.deleteRecords(share));
  }

  importPartition(request: Request<'importPartition'>): Promise<ImportedRecords> {
    return this.#hostOf(request.topicId).importPartition(request);
  }

  #hostOf(topicId: string): PartitionHost {
    return isInMemory(topicId) ? this.#memory : this.#disk;
  }

  /** Asks each host for its share; returns the answers in the order of `all`. */
  async #share<T extends { readonly topicId: string }, R>(
    all: readonly T[],
    ask: (host: PartitionHost, share: readonly T[]) => Promise<readonly R[]>,
  ): Promise<R[]> {
    const askOne = async (host: PartitionHost, share: readonly T[]): Promise<Iterator<R>> =>
      (share.length === 0 ? [] : await ask(host, share)).values();
    const { disk, memory } = byStorage(all);
    const [onDisk, inMemory] = await Promise.all([
      askOne(this.#disk, disk),
      askOne(this.#memory, memory),
    ]);
    return all.map(({ topicId }) => (isInMemory(topicId) ? inMemory : onDisk).next().value as R);
  }

  /**
   * The records of all shares that settle within `LATE_MS`, so that a hung leader of the topics in
   * memory does not delay records on disk. Rejects when one share fails and the others are empty.
   */
  async #unlessLate(shares: readonly Promise<FetchedPartition[]>[]): Promise<FetchedPartition[]> {
    const late = deferred<FetchedPartition[]>();
    const cancel = this.#clock.after(LATE_MS, () => late.resolve([]));
    const settled = await Promise.allSettled(
      shares.map((share) => Promise.race([share, late.promise])),
    );
    cancel();
    const found = settled.flatMap((share) => (share.status === 'fulfilled' ? share.value : []));
    const failure = settled.find((share) => share.status === 'rejected');
    if (found.length === 0 && failure !== undefined) throw failure.reason;
    return found;
  }
}

/** Splits a list into items of topics on disk and items of topics in memory. */
function byStorage<T extends { readonly topicId: string }>(
  all: readonly T[],
): { readonly disk: readonly T[]; readonly memory: readonly T[] } {
  const memory = all.filter(({ topicId }) => isInMemory(topicId));
  if (memory.length === 0) return { disk: all, memory };
  return { disk: all.filter(({ topicId }) => !isInMemory(topicId)), memory };
}
