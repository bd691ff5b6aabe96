import type { TopicStorage } from './topic-id.ts';

/** How a topic behaves. Kafka's name of each is in parentheses. */
export interface TopicConfig {
  /**
   * 'memory': the records are never written to disk, and are lost with the worker that has them. It
   * cannot be changed. Default 'disk'.
   */
  readonly storage: TopicStorage;
  /** Bytes of a record's key, value and headers (`max.message.bytes`). Default 1 MiB. */
  readonly maxRecordBytes: number;
  /**
   * The timestamp of a record (`message.timestamp.type`). 'create': the producer's; 'append': the
   * time at which the broker stored the record. Default 'create'.
   */
  readonly timestampType: 'create' | 'append';
  /**
   * How old records are removed (`cleanup.policy`). 'delete': by `retention`; 'compact': records
   * with a later record of the same key; 'compact,delete': both. Default 'delete'.
   */
  readonly cleanup: 'delete' | 'compact' | 'compact,delete';
  readonly retention: Retention;
  /**
   * How long a tombstone stays in a compacted topic after it became the last record of its key, in
   * milliseconds (`delete.retention.ms`). Default 24 hours.
   */
  readonly deleteRetentionMs: number;
  /** Groups whose unread records `retention` keeps. Default: none. */
  readonly protectUncommitted: readonly string[];
}

/** The bounds of a partition; null: no bound. Records beyond either bound are deleted. */
export interface Retention {
  /** The age of a record in milliseconds (`retention.ms`). Default null; Kafka's is 7 days. */
  readonly ms: number | null;
  /**
   * Stored bytes of a partition (`retention.bytes`): beyond them the oldest records are deleted.
   * Default null; 16 MiB for a topic in memory.
   */
  readonly bytes: number | null;
}

/** The part of a configuration that a caller names. */
export type TopicConfigChanges = Partial<Omit<TopicConfig, 'retention'>> & {
  readonly retention?: Partial<Retention>;
};

export const DEFAULT_TOPIC_CONFIG: TopicConfig = {
  storage: 'disk',
  maxRecordBytes: 1024 * 1024,
  timestampType: 'create',
  cleanup: 'delete',
  retention: { ms: null, bytes: null },
  deleteRetentionMs: 86_400_000,
  protectUncommitted: [],
};

/** The most partitions of a topic. */
export const MAX_PARTITIONS = 1000;

/** A topic to be created. Options left out are not compared with those of an existing topic. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions?: number;
  readonly config?: TopicConfigChanges;
  /**
   * The version of the application's topics: a topic of a lower version is brought in line. Default
   * 0.
   */
  readonly version?: number;
}

export interface TopicInfo {
  readonly name: string;
  /** Made with the topic: a topic that is deleted and created again gets another id. */
  readonly id: string;
  readonly partitions: number;
  readonly config: TopicConfig;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** The highest `version` that `createTopics` was given for the topic; missing: none. */
  readonly version?: number;
}

export interface PartitionDescription {
  readonly partition: number;
  /** The first offset that can be read (Kafka's log start offset). */
  readonly startOffset: number;
  /** The offset of the next record (Kafka's log end offset; here also its high watermark). */
  readonly endOffset: number;
  /** Bytes stored. */
  readonly bytes: number;
  /** Rows in the store. */
  readonly segments: number;
}

export interface TopicDescription extends Omit<TopicInfo, 'partitions'> {
  readonly partitions: readonly PartitionDescription[];
}
