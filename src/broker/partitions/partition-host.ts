import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { AppendOutcome } from './group-commit.ts';
import type { ImportedPartition, Request } from '../../protocol/broker.ts';
import type { FetchPartition, FetchedPartition, OffsetSpec } from '../../protocol/fetch.ts';
import type { Append } from '../../protocol/produce.ts';
import type { PartitionDescription } from '../../protocol/topic.ts';
import type { Durability } from '../../store/store.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/** What of a partition can be read. */
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
  /** Aborts when the fetch must be answered at once, with what is at hand. */
  readonly signal: AbortSignal;
}

/** Who has the records of partitions, or knows whom to ask. */
export interface PartitionHost {
  /**
   * The outcome of each batch; never rejects. The host that stores a batch prepares it. A host that
   * passes a batch on sends it as the producer did: a batch already stamped with its append time
   * would be refused by the next broker.
   */
  append(appends: readonly Append[], durability: Durability): Promise<AppendOutcome[]>;
  /** Answers a fetch as soon as a partition has records, or its time is up. */
  fetch(wanted: readonly FetchPartition[], limits: FetchLimits): Promise<FetchedPartition[]>;
  offset(topicId: string, partition: number, at: OffsetSpec): Promise<number>;
  /** Throws `UNKNOWN_TOPIC`. */
  bounds(partitions: readonly TopicIdPartition[]): Promise<PartitionBounds[]>;
  describe(row: TopicRow): Promise<PartitionDescription[]>;
  /** Moves the start of partitions, and tells where it is. Throws `OFFSET_OUT_OF_RANGE`. */
  deleteRecords(request: Request<'deleteRecords'>): Promise<number[]>;
  /** Throws `INVALID_LOG_FILE`, `PARTITION_NOT_EMPTY`. */
  importPartition(request: Request<'importPartition'>): Promise<ImportedPartition>;
}
