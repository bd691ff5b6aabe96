import type { PartitionName } from '../log/head.ts';
import type { AppendOutcome, NewAppend } from './commit-queue.ts';
import type {
  FetchPartition,
  FetchedPartition,
  ImportedPartition,
  OffsetSpec,
  PartitionDescription,
  Request,
} from '../protocol/broker.ts';
import { isInMemory } from '../protocol/topic-id.ts';
import type { Durability } from '../store/store.ts';
import type { TopicRow } from './topic-row.ts';

/** What of a partition can be read. */
export interface PartitionBounds extends PartitionName {
  readonly startOffset: number;
  readonly endOffset: number;
}

/** Who has the records of partitions, or knows whom to ask. */
export interface PartitionHost {
  /** What became of each batch; never rejects. */
  append(appends: readonly NewAppend[], durability: Durability): Promise<AppendOutcome[]>;
  /** Kafka's fetch: waits until the time `expires` for something to read. */
  fetch(
    wanted: readonly FetchPartition[],
    expires: number,
    signal: AbortSignal,
  ): Promise<FetchedPartition[]>;
  offset(topicId: string, partition: number, at: OffsetSpec): Promise<number>;
  bounds(partitions: readonly PartitionName[]): Promise<PartitionBounds[]>;
  describe(row: TopicRow): Promise<PartitionDescription[]>;
  /** Moves the start of partitions, and tells where it is. Throws `OFFSET_OUT_OF_RANGE`. */
  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]>;
  /** Throws `INVALID_LOG_FILE`, `PARTITION_NOT_EMPTY`. */
  importPartition(request: Request<'importPartition'>): Promise<ImportedPartition>;
}

/** What is of topics on disk, and what of topics in memory. */
export function byStorage<T extends { readonly topicId: string }>(
  all: readonly T[],
): { readonly disk: readonly T[]; readonly memory: readonly T[] } {
  const memory = all.filter(({ topicId }) => isInMemory(topicId));
  if (memory.length === 0) return { disk: all, memory };
  return { disk: all.filter(({ topicId }) => !isInMemory(topicId)), memory };
}

/** Asks each host for what it has; the answers in the order of `all`. */
export async function askHosts<T extends { readonly topicId: string }, R>(
  all: readonly T[],
  hostOf: (topicId: string) => PartitionHost,
  ask: (host: PartitionHost, share: readonly T[]) => Promise<readonly R[]>,
): Promise<R[]> {
  const askOne = async (share: readonly T[]): Promise<Iterator<R, undefined>> => {
    const [first] = share;
    const answers = first === undefined ? [] : await ask(hostOf(first.topicId), share);
    return answers.values();
  };
  const { disk, memory } = byStorage(all);
  const [onDisk, inMemory] = await Promise.all([askOne(disk), askOne(memory)]);
  return all.map(({ topicId }) => (isInMemory(topicId) ? inMemory : onDisk).next().value!);
}
