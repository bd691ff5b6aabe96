import type { PartitionName } from '../log/head.ts';
import type { AppendOutcome } from './commit-queue.ts';
import type {
  Append,
  FetchPartition,
  FetchedPartition,
  ImportedPartition,
  OffsetSpec,
  PartitionDescription,
  Request,
} from '../protocol/broker.ts';
import type { Durability } from '../store/store.ts';
import type { TopicRow } from './topic-row.ts';

/** What of a partition can be read. */
export interface PartitionBounds extends PartitionName {
  readonly startOffset: number;
  readonly endOffset: number;
}

/** How far a fetch goes. */
export interface FetchLimits {
  /** Until when it waits for something to read, in milliseconds since 1970. */
  readonly expires: number;
  /** Of all partitions: about, and at least one batch. */
  readonly maxBytes: number;
  /** Aborts when the fetch is to be answered with what is at hand. */
  readonly signal: AbortSignal;
}

/** Who has the records of partitions, or knows whom to ask. */
export interface PartitionHost {
  /**
   * What became of each batch; never rejects. A batch is prepared where the records are, and passed on
   * as its producer sent it: one that has the time of its append would be refused by the next broker.
   */
  append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]>;
  /** Kafka's fetch: waits for something to read. */
  fetch(wanted: readonly FetchPartition[], limits: FetchLimits): Promise<FetchedPartition[]>;
  offset(topicId: string, partition: number, at: OffsetSpec): Promise<number>;
  /** Throws `UNKNOWN_TOPIC`. */
  bounds(partitions: readonly PartitionName[]): Promise<PartitionBounds[]>;
  describe(row: TopicRow): Promise<PartitionDescription[]>;
  /** Moves the start of partitions, and tells where it is. Throws `OFFSET_OUT_OF_RANGE`. */
  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]>;
  /** Throws `INVALID_LOG_FILE`, `PARTITION_NOT_EMPTY`. */
  importPartition(request: Request<'importPartition'>): Promise<ImportedPartition>;
}
