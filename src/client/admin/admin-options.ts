import type { ImportedRecords, StoredLog } from '../../protocol/broker.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import type { Position } from '../fetch/position.ts';
import type { TopicChanges, TopicLike } from '../topics/topic.ts';

/** What every method of `log.admin` takes last. */
export interface AdminOptions {
  /**
   * Ends the wait when it aborts: the call rejects with the signal's reason. A signal that has
   * aborted before the call keeps it from being made; after that, what was asked for may still
   * happen. Default: none. Leave it out where nobody waits for less than the 10 s that the worker
   * has for its answer, 130 s for an import.
   */
  readonly signal?: AbortSignal;
}

export interface CreateTopicsOptions extends AdminOptions {
  /**
   * The version of the application's topics, as IndexedDB numbers a database's schema: raise it
   * with each release that changes an option or the number of partitions.
   *
   * A topic last created or changed by a lower version is brought in line, in the same transaction:
   * the options that are named are set, and partitions added. A topic of a higher version is kept
   * as it is, so a tab of an older release undoes nothing. A topic of the same version that differs
   * is `TOPIC_EXISTS`. So is, at any version, a change that no topic can make: fewer partitions, or
   * another `storage`.
   *
   * An integer of at least 1. Default: none, which is below all others. Leave it out while topics
   * never change.
   */
  readonly version?: number;
}

export interface AlterGroupOffsetsOptions extends AdminOptions {
  /**
   * Also while the group has members: they lose the partitions, get them back, and go on from the
   * new offsets; what they have in hand is not committed, and comes again. Default false, which is
   * `NON_EMPTY_GROUP` then. Leave it out where the consumers can be closed first.
   */
  readonly force?: boolean;
}

/** The number of partitions that a topic is to have (Kafka's `NewPartitions.increaseTo`). */
export interface NewPartitions {
  readonly topic: TopicLike;
  /** All of them together, not how many more: 1 to 1000. */
  readonly partitions: number;
}

/** A topic and what is to change of its configuration. */
export interface TopicToAlter {
  readonly topic: TopicLike;
  /** The options to set; those that are left out stay. */
  readonly config: TopicChanges;
}

/** The records of a partition before an offset (Kafka's `RecordsToDelete`). */
export interface RecordsToDelete extends TopicPartition {
  /** The first offset to keep; 'latest': none of those that there are now. */
  readonly before: number | 'latest';
}

/** A partition whose records were deleted (Kafka's `DeletedRecords`). */
export interface DeletedRecords {
  readonly topic: string;
  readonly partition: number;
  /** The first offset that can be read (Kafka's low watermark). */
  readonly startOffset: number;
}

/** A place to look up in a partition (Kafka's `OffsetSpec`). */
export interface OffsetsToList {
  readonly topic: TopicLike;
  /** Default: every partition of the topic. */
  readonly partition?: number;
  /** A `Date` is the first record at or after that time; the end offset where there is none. */
  readonly at: Exclude<Position, number>;
}

/** The offset of a place in a partition (Kafka's `ListOffsetsResultInfo`). */
export interface ListedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** The place in a partition that a group is to go to. */
export interface OffsetsToReset {
  readonly topic: TopicLike;
  /** Default: every partition of the topic. */
  readonly partition?: number;
  /** An offset out of range is the nearest there is. */
  readonly to: Position;
}

/** What was stored of a Kafka log file. */
export interface ImportedPartition extends ImportedRecords {
  readonly topic: string;
  readonly partition: number;
}

/** What `alterLog` can change of the log. */
export interface LogChanges {
  /**
   * Bytes of all topics on disk together, beyond which the oldest records go, of the largest
   * partition first, which may be emptied by it; but none of topics with 'compact' alone, and none
   * that are protected. Whole rows go, so less than one row more may stay. null: no bound, which is
   * how a log begins.
   */
  readonly maxBytes: number | null;
}

/** The log, and the storage that the browser gives it. */
export interface LogDescription extends StoredLog {
  /** Bytes that the whole origin uses, as the browser tells; `undefined` where it does not. */
  readonly usageBytes: number | undefined;
  /**
   * `false`: the browser may delete the origin's data when it runs short of room. Ask for
   * persistence with `navigator.storage.persist()`, from a user's gesture.
   */
  readonly persisted: boolean;
}

/** One result for each element: a tuple of as many where the number is known. */
export type EachOf<Asked extends readonly unknown[], Result> = {
  readonly [Index in keyof Asked]: Result;
};
