import type { TopicStorage } from './topic-id.ts';

/** How a topic behaves. `topic()` takes each as an option; Kafka's name is in parentheses. */
export interface TopicConfig {
  /**
   * Where the records are stored. It cannot be changed. 'disk' (default); 'memory': for messages
   * between tabs. One worker has the records in memory, and they are lost with it: when the last
   * tab closes or, where there are no SharedWorkers, when the tab of that worker does. Offsets go
   * on from a higher number then, and readers at the first record that exists. Transactions cannot
   * write to the topic. Each partition keeps the newest `retention.bytes`, whatever `cleanup` says.
   */
  readonly storage: TopicStorage;
  /**
   * The most bytes that a record's key, value and headers may have together (`max.message.bytes`):
   * 1 byte to 16 MiB, default 1 MiB.
   */
  readonly maxRecordBytes: number;
  /**
   * The timestamp of a record (`message.timestamp.type`). 'create' (default): the producer's;
   * 'append': the time at which the broker stored the record.
   */
  readonly timestampType: 'create' | 'append';
  /**
   * How old records are removed (`cleanup.policy`). 'delete' (default): by `retention`; 'compact':
   * records with a later record of the same key, and every record needs a key; 'compact,delete':
   * both. Records without a key that exist when a topic becomes 'compact' stay.
   */
  readonly cleanup: 'delete' | 'compact' | 'compact,delete';
  /**
   * How much of each partition is kept, by age and by bytes. Default: everything, where Kafka keeps
   * 7 days; 16 MiB of topics in memory.
   *
   * The age of a record is that of its timestamp, which is the producer's or the append's
   * (`timestampType`). A timestamp ahead of the clock counts as of when retention first saw it,
   * some 10 s after the append. (Kafka 4 refuses a timestamp more than an hour ahead,
   * `message.timestamp.after.max.ms`.)
   *
   * Whole rows are deleted, and times are known every 64 KiB or so: somewhat more may stay. On disk
   * retention runs in the background, some 10 s after an append, else every 5 minutes, and not at
   * all with 'compact' alone.
   */
  readonly retention: Retention;
  /**
   * How long a tombstone stays in a compacted topic after it became the last record of its key, in
   * milliseconds (`delete.retention.ms`); without compaction it has no effect. Default 24 hours.
   * Leave it out unless a reader may be away for longer, and has to hear of what was deleted.
   */
  readonly deleteRetentionMs: number;
  /**
   * Groups whose unread records are kept, whatever `retention` says, and the log's `maxBytes` too.
   * A group that has committed nothing, as one that nobody has ever joined, keeps everything.
   * `deleteRecords` and compaction do not heed it. Kafka has no such option. Default: none. Not for
   * topics in memory.
   */
  readonly protectUncommitted: readonly string[];
  /**
   * The id of the topic of another log that this one is a mirror of: its records are those of that
   * topic, at their offsets, and only `sendRaw` with `keepOffsets` can write to it. Others get
   * `TOPIC_READ_ONLY`. `null` (default): no mirror; a mirror that becomes `null` is promoted. Leave it
   * to `serveMirror()` and `promoteMirrors()` of 'tablog/connect/mirror'. The name is that of
   * Confluent's Cluster Linking.
   */
  readonly mirrorOf: string | null;
}

/** The bounds of a partition; null: no bound. Records beyond either bound are deleted. */
export interface Retention {
  /** The age of a record in milliseconds (`retention.ms`). Default null; Kafka's is 7 days. */
  readonly ms: number | null;
  /**
   * Stored bytes of a partition (`retention.bytes`): beyond them the oldest records are deleted.
   * Default null; 16 MiB for a topic in memory, which needs a bound.
   */
  readonly bytes: number | null;
}

/** The part of a configuration that a caller names. */
export type TopicConfigChanges = {
  readonly [Option in keyof TopicConfig]?: Option extends 'retention'
    ? Partial<Retention>
    : TopicConfig[Option];
};

export const DEFAULT_TOPIC_CONFIG: TopicConfig = {
  storage: 'disk',
  maxRecordBytes: 1024 * 1024,
  timestampType: 'create',
  cleanup: 'delete',
  retention: { ms: null, bytes: null },
  deleteRetentionMs: 86_400_000,
  protectUncommitted: [],
  mirrorOf: null,
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

/** A topic as the log has it. */
export interface TopicInfo {
  readonly name: string;
  /** Made with the topic: a topic that is deleted and created again gets another id. */
  readonly id: string;
  /** How many partitions it has. */
  readonly partitions: number;
  readonly config: TopicConfig;
  /** When it was created, in milliseconds since 1970. */
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

/** A topic with what each of its partitions holds. */
export interface TopicDescription extends Omit<TopicInfo, 'partitions'> {
  readonly partitions: readonly PartitionDescription[];
}
