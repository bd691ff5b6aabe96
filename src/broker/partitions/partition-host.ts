import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { AppendOutcome } from './group-commit.ts';
import type { ImportedRecords, Request } from '../../protocol/broker.ts';
import type { FetchPartition, FetchedPartition, OffsetSpec } from '../../protocol/fetch.ts';
import type { Append } from '../../protocol/produce.ts';
import type { PartitionDescription } from '../../protocol/topic.ts';
import type { Durability } from '../../store/store.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/** The range of offsets that can be read of a partition. */
export interface PartitionBounds extends TopicIdPartition {
  readonly startOffset: number;
  readonly endOffset: number;
}

/** The bounds of one fetch. */
export interface FetchLimits {
  /** When the fetch stops waiting for records, in milliseconds since 1970. */
  readonly expires: number;
  /** The bytes of all partitions together: approximate, and at least one batch. */
  readonly maxBytes: number;
  /** Aborts when the fetch must be answered at once, without a wait. */
  readonly signal: AbortSignal;
}

/** The host of partitions: a store, a connection to another broker, or a router to both. */
export interface PartitionHost {
  /**
   * Resolves with the outcome of each batch; never rejects. Only the host that stores a batch
   * prepares it. Other hosts pass the producer's bytes on, because a broker refuses a batch that
   * already has an append time.
   */
  append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]>;
  /** Answers a fetch as soon as a partition has records or the fetch expires. */
  fetch(wanted: readonly FetchPartition[], limits: FetchLimits): Promise<FetchedPartition[]>;
  offset(topicId: string, partition: number, at: OffsetSpec): Promise<number>;
  /** Throws `UNKNOWN_TOPIC`. */
  bounds(partitions: readonly TopicIdPartition[]): Promise<PartitionBounds[]>;
  describe(row: TopicRow): Promise<PartitionDescription[]>;
  /** Moves log start offsets forward; resolves with them. Throws `OFFSET_OUT_OF_RANGE`. */
  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]>;
  /** Throws `INVALID_LOG_FILE`, `PARTITION_NOT_EMPTY`. */
  importPartition(request: Request<'importPartition'>): Promise<ImportedRecords>;
}
