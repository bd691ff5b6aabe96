import type { ErrorCode } from '../../base/error-rule.ts';
import type { ImportedRecords, StoredLog } from '../../protocol/broker.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import type { Position } from '../fetch/position.ts';
import type { TopicChanges, TopicLike } from '../topics/topic.ts';

/** The options that every method of `log.admin` takes last. */
export interface AdminOptions {
  /**
   * Ends the wait when it aborts: the call rejects with the signal's reason. A signal that has
   * aborted before the call keeps the request from being sent; after a later abort the request may
   * still be carried out. Default: none. Leave it out where the caller never waits for less than
   * the time that the worker has for its answer: 10 s, or 130 s for an import.
   */
  readonly signal?: AbortSignal;
}

export interface CreateTopicsOptions extends AdminOptions {
  /**
   * The version of the application's topics, as IndexedDB numbers a database's schema: raise it
   * with each release that changes an option or the number of partitions.
   *
   * A topic last created or changed by a lower version is brought in line, in the same transaction:
   * the named options are set, and partitions added. A topic of a higher version is kept unchanged,
   * so a tab of an older release undoes nothing. A topic of the same version that differs is
   * `TOPIC_EXISTS`. So is, at any version, a change that no topic can make: fewer partitions, or
   * another `storage`.
   *
   * An integer of at least 1. Default: none, which is below all others. Leave it out while topics
   * never change.
   */
  readonly version?: number;
}

export interface AlterGroupOffsetsOptions extends AdminOptions {
  /**
   * Whether offsets are altered also while the group has members. The members lose the partitions,
   * get them back, and continue at the new offsets; messages in hand are not committed, and are
   * delivered again. Default false: the call rejects with `NON_EMPTY_GROUP` then. Leave it out
   * where the consumers can be closed first.
   */
  readonly force?: boolean;
}

/** The number of partitions that a topic is to have (Kafka's `NewPartitions.increaseTo`). */
export interface NewPartitions {
  readonly topic: TopicLike;
  /** The total number of partitions, not the number to add: 1 to 1000. */
  readonly partitions: number;
}

/** A topic, and the changes of its configuration. */
export interface TopicToAlter {
  readonly topic: TopicLike;
  /** The options to set. Other options keep their value. */
  readonly config: TopicChanges;
}

/** The records of a partition before an offset (Kafka's `RecordsToDelete`). */
export interface RecordsToDelete extends TopicPartition {
  /** The first offset to keep; 'latest': delete all records that the partition has at the call. */
  readonly before: number | 'latest';
}

/** A partition whose records were deleted (Kafka's `DeletedRecords`). */
export interface DeletedRecords {
  readonly topic: string;
  readonly partition: number;
  /** The first offset that can be read (Kafka's low watermark). */
  readonly startOffset: number;
}

/** A position to look up in a partition (Kafka's `OffsetSpec`). */
export interface OffsetsToList {
  readonly topic: TopicLike;
  /** Default: every partition of the topic. */
  readonly partition?: number;
  /**
   * The position. A `Date` stands for the first record at or after that time, or for the end offset
   * where there is no such record.
   */
  readonly at: Exclude<Position, number>;
}

/** The offset of a position in a partition (Kafka's `ListOffsetsResultInfo`). */
export interface ListedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A partition, and the position to move the group to. */
export interface OffsetsToReset {
  readonly topic: TopicLike;
  /** Default: every partition of the topic. */
  readonly partition?: number;
  /** The position. An offset out of range stands for the nearest offset in range. */
  readonly to: Position;
}

/** The result of an import: the stored part of a Kafka log file. */
export interface ImportedPartition extends ImportedRecords {
  readonly topic: string;
  readonly partition: number;
}

/** The settings of the log that `alterLog` can change. */
export interface LogChanges {
  /**
   * The most bytes of all topics on disk together. Beyond it the oldest records of the largest
   * partition are deleted, which may empty that partition. Topics with 'compact' alone, and records
   * that `protectUncommitted` protects, are exempt. Whole rows are deleted, so the log may exceed
   * the limit by less than one row. null: no limit, which is the setting of a new log.
   */
  readonly maxBytes: number | null;
}

export interface ScrubOptions extends AdminOptions {
  /**
   * The topics to check. Default: every topic on disk. Leave it out unless the check of the whole
   * log takes too long: some 5 s a GB, and more where batches are small or compressed.
   */
  readonly topics?: readonly TopicLike[];
}

/** The result of a check of the stored rows. */
export interface ScrubReport {
  /** The partitions that were checked. */
  readonly partitions: readonly ScrubbedPartition[];
  /** Empty: the rows are what was written. */
  readonly faults: readonly ScrubFault[];
}

/** The sound contents of a partition. Records that are appended meanwhile may count. */
export interface ScrubbedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly batches: number;
  readonly records: number;
  /** The bytes of these batches, as stored. */
  readonly bytes: number;
}

/** A fault of stored rows, with its place. */
export interface ScrubFault {
  /** null: the fault is of the log, a topic, a group, an offset or a producer, and no partition. */
  readonly topic: string | null;
  readonly partition: number | null;
  /** The first offset at fault; null: the fault is of a row without records. */
  readonly from: number | null;
  /** The offset after the last one at fault: a consumer that seeks there reads on. */
  readonly to: number | null;
  /**
   * 'LOG_CORRUPT': rows are gone, or contradict each other; 'BATCH_CORRUPT': a batch is not what
   * was written; 'INFLATED_TOO_LARGE', 'UNSUPPORTED_CODEC': a batch that cannot be read.
   */
  readonly code: ErrorCode;
  /** The fault and the next step, as text. */
  readonly message: string;
}

/** The log, and the storage that the browser gives it. */
export interface LogDescription extends StoredLog {
  /**
   * The bytes that the whole origin uses, as the browser estimates; `undefined` where it does not.
   */
  readonly usageBytes: number | undefined;
  /**
   * Whether the storage is persistent (https://storage.spec.whatwg.org/#persistence). `false`: the
   * browser may delete the origin's data when it runs short of room. `log.persist()` asks for
   * persistence.
   */
  readonly persisted: boolean;
}

/** A result for each argument: a tuple of the same length where the length is known. */
export type EachOf<Asked extends readonly unknown[], Result> = {
  readonly [Index in keyof Asked]: Result;
};
