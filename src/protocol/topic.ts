import type { TopicStorage } from './topic-id.ts';

/** How a topic behaves. Kafka's name of each is in parentheses. */
export interface TopicConfig {
  /**
   * 'memory': no disk, and gone with the worker that has the records. Cannot be changed. Default
   * 'disk'.
   */
  readonly storage: TopicStorage;
  /** Bytes of a record's key, value and headers (`max.message.bytes`). Default 1 MiB. */
  readonly maxRecordBytes: number;
  /**
   * 'create': a record has the time its producer gave it; 'append': the time it was stored
   * (`message.timestamp.type`). Default 'create'.
   */
  readonly timestampType: 'create' | 'append';
  /**
   * What becomes of old records (`cleanup.policy`). 'delete': they go as `retention` says; 'compact':
   * the last record of each key stays; 'compact,delete': both. Default 'delete'.
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

/** How much of a partition is kept; null: no bound. Whichever bound is reached first counts. */
export interface Retention {
  /** Older records go, in milliseconds (`retention.ms`). Default null, where Kafka has 7 days. */
  readonly ms: number | null;
  /**
   * Bytes as stored of one partition, beyond which the oldest go (`retention.bytes`). Default null;
   * of topics in memory 16 MiB.
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

/** A topic's partitions at the most. */
export const MAX_PARTITIONS = 1000;

/** A topic to be made; what is left out is not compared with an existing one. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions?: number;
  readonly config?: TopicConfigChanges;
  /**
   * The version of the application's topics: a topic of a lower one is brought in line. Default 0.
   */
  readonly version?: number;
}

export interface TopicInfo {
  readonly name: string;
  /** Made with the topic: a topic of the same name that is made later has another. */
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
