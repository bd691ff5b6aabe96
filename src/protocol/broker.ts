import type { Compression } from '../record/batch-format.ts';
import type { ErrorData } from './error-data.ts';
import type {
  Claim,
  CommitRequest,
  CommittedOffset,
  GroupDescription,
  GroupListing,
  GroupPosition,
  JoinRequest,
  MemberRef,
  MemberView,
  ReleaseRequest,
  Subscription,
  SyncRequest,
} from './group.ts';
import type { TopicStorage } from './topic-id.ts';

/**
 * Goes up when an older tab and a newer worker (or the reverse) would misunderstand each other.
 * It is part of the worker's name, so builds that differ in it get a worker each: law 1 of the
 * design lets them share the log.
 */
export const PROTOCOL_VERSION = 2;

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

/** What is given of a configuration. */
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

/** What was imported. */
export interface ImportedPartition {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly records: number;
  /** The parts of the files that were not stored; missing where every byte was. */
  readonly leftOut?: LeftOut;
}

/** The parts of log files that were not stored. */
export interface LeftOut {
  /** Records of transactions that were aborted. */
  readonly abortedRecords: number;
  /**
   * Records of transactions without an end in the files: nobody knows whether they are committed.
   */
  readonly openRecords: number;
  /** Bytes of zeros at the end of a file, where a broker has preallocated it. */
  readonly paddingBytes: number;
  /** Bytes of a batch at the end of the last file whose rest is missing. */
  readonly truncatedBytes: number;
}

/** The first answer to a tab: the log's id and topics. */
export interface OpenedLog {
  readonly logId: string;
  readonly topics: readonly TopicInfo[];
}

export interface LogDescription {
  /** Made with the database: another one means that the browser lost or the user cleared the log. */
  readonly logId: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Bytes of all segments of all topics on disk. */
  readonly bytes: number;
  /** Beyond which the oldest records go; null: no bound. */
  readonly maxBytes: number | null;
}

export interface Append {
  readonly topicId: string;
  readonly partition: number;
  /** One whole record batch, uncompressed, in a buffer of its own; the buffer is transferred. */
  readonly batch: ArrayBuffer;
  readonly compression: Compression;
  /** Where it must be stored, or nowhere (`CONFLICT`); without it at the end, wherever that is. */
  readonly expectedOffset?: number | null;
  /**
   * The records come from another topic, whose rules they kept, so this topic's rules for record
   * size and keys do not apply. A record that cannot be buried would block its partition for good.
   */
  readonly isDeadLetter?: boolean;
}

export interface ProduceRequest {
  readonly appends: readonly Append[];
  readonly durability: 'relaxed' | 'strict';
}

/** What became of one append of a request; one that fails does not touch the others. */
export type AppendResult = BatchPlacement | { readonly error: ErrorData };

/** Where a batch was stored, now or, when it came once more, before. */
export interface BatchPlacement {
  readonly baseOffset: number;
  /** Milliseconds since 1970, where the topic's records have the time of their append. */
  readonly appendTime: number | null;
}

export interface FetchPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

export interface FetchRequest {
  readonly clientId: string;
  /** For `cancelFetch`; unique within the client. */
  readonly fetchId: number;
  /** How long to wait when there is nothing to read yet, in milliseconds. */
  readonly maxWaitMs: number;
  /**
   * The most bytes of the whole answer (Kafka's `fetch.max.bytes`): approximate, and at least one
   * batch. Default: the sum of the partitions' bounds.
   */
  readonly maxBytes?: number;
  /** The partitions to fetch; in a session, those that join it. */
  readonly partitions: readonly FetchPartition[];
  readonly session?: FetchSession;
}

/**
 * A set of partitions that the broker keeps for a client (KIP-227), so that an idle partition costs
 * no part of a request. A request's `partitions` join the set, and an answered partition leaves it.
 * A fetch is answered at once when the session's next fetch comes.
 */
export interface FetchSession {
  /** The id of the session's first fetch; `cancelFetch` with it ends the session. */
  readonly id: number;
  /** The number of the session's fetches before this one. */
  readonly epoch: number;
  /** The partitions that leave the session. */
  readonly forget: readonly { readonly topicId: string; readonly partition: number }[];
}

/** Partitions without news are left out of the answer. */
export type FetchedPartition = {
  readonly topicId: string;
  readonly partition: number;
  /** The offset that was asked for. */
  readonly offset: number;
} & (
  | {
      readonly endOffset: number;
      /** Where the next fetch goes on. */
      readonly nextOffset: number;
      /** Whole record batches, checked; the buffers are transferred. */
      readonly segments: readonly ArrayBuffer[];
      /** Some of the batches are compressed. */
      readonly compressed: boolean;
    }
  | { readonly error: ErrorData }
);

/** A place in a partition, to be turned into an offset: a number is a time, in ms since 1970. */
export type OffsetSpec = 'earliest' | 'latest' | number;

/** Where to begin: a place that the broker looks up, or an offset. */
export type OffsetPlace = { readonly at: OffsetSpec } | { readonly offset: number };

/** The offset of one place in each partition of a topic. */
export interface TopicOffsets {
  readonly id: string;
  readonly name: string;
  readonly offsets: readonly number[];
}

/** Records and offsets that are stored together or not at all. */
export interface TransactRequest extends ProduceRequest {
  readonly commits: readonly CommitRequest[];
  /** Who must not have been replaced; null: a producer without a transactional id. */
  readonly producer: TransactionalProducer | null;
}

/** Who writes, in the headers of its batches. */
export interface ProducerIdentity {
  readonly id: number;
  readonly epoch: number;
}

/** Who has a transactional id. */
export interface TransactionalHolder extends ProducerIdentity {
  /** Made by the producer that has it. */
  readonly holder: string;
}

export interface TransactionalProducer extends ProducerIdentity {
  readonly transactionalId: string;
}

export interface ResetOffsetsRequest {
  readonly groupId: string;
  readonly topic: string;
  /** null: all. */
  readonly partitions: readonly number[] | null;
  readonly to: OffsetPlace;
  /** Also while the group has members: they begin anew. */
  readonly force: boolean;
}

/** What a broker does for its clients. Every call takes one value and answers with one. */
export interface Broker {
  /**
   * Opens the log, creating it if it is new: no other call does. With the id of the log that the
   * caller had open: `CLOSED` where that log has been deleted.
   */
  openLog(request: { readonly logId: string | null }): Promise<OpenedLog>;
  describeLog(request: null): Promise<LogDescription>;
  /**
   * Creates topics, all or none. A topic that exists and agrees with its spec is kept; a topic of a
   * lower version is brought in line with it; a topic of a higher version is kept as it is.
   */
  createTopics(specs: readonly TopicSpec[]): Promise<readonly TopicInfo[]>;
  deleteTopics(names: readonly string[]): Promise<null>;
  listTopics(request: null): Promise<readonly TopicInfo[]>;
  describeTopics(names: readonly string[]): Promise<readonly TopicDescription[]>;
  addPartitions(request: {
    readonly name: string;
    readonly partitions: number;
  }): Promise<TopicInfo>;
  alterTopic(request: {
    readonly name: string;
    readonly config: TopicConfigChanges;
  }): Promise<TopicInfo>;
  /** Moves log start offsets; where each one is then. */
  deleteRecords(request: {
    readonly topicId: string;
    readonly partitions: readonly { readonly partition: number; readonly before: number }[];
  }): Promise<readonly number[]>;
  /** Stores a Kafka log file in an empty partition, whole or not at all. */
  importPartition(request: {
    readonly topicId: string;
    readonly partition: number;
    /** The segments of a partition, end to end; the buffer is transferred. */
    readonly file: ArrayBuffer;
    /** The size of each segment, in any order of offsets. Default: `file` is one segment. */
    readonly sizes?: readonly number[];
  }): Promise<ImportedPartition>;
  /** Bounds the log as a whole. */
  alterLog(request: { readonly maxBytes: number | null }): Promise<null>;
  produce(request: ProduceRequest): Promise<readonly AppendResult[]>;
  /**
   * Throws `FETCH_SESSION_ID_NOT_FOUND` in a worker that does not know the session: the client then
   * asks for the whole set.
   */
  fetch(request: FetchRequest): Promise<readonly FetchedPartition[]>;
  cancelFetch(request: { readonly clientId: string; readonly fetchId: number }): Promise<null>;
  /**
   * As of the call: what the same client produces later is not counted. The same holds for
   * `listTopicOffsets`.
   */
  listOffsets(
    request: readonly {
      readonly topicId: string;
      readonly partition: number;
      readonly at: OffsetSpec;
    }[],
  ): Promise<readonly number[]>;
  /** The offsets of every topic that exists and matches the subscription. */
  listTopicOffsets(request: {
    readonly subscription: Subscription;
    readonly at: OffsetSpec;
  }): Promise<readonly TopicOffsets[]>;

  /**
   * Gives the transactional id to `holder`, and fences who had it before, where that is who the caller
   * has `seen`; and says who has it then. So a call that was given up, and that a worker that hung
   * makes later, takes it from nobody. Who has seen itself renews it (KIP-360): `FENCED` where somebody
   * else has taken it since.
   */
  initProducer(request: {
    readonly transactionalId: string;
    readonly holder: string;
    readonly seen: TransactionalHolder | null;
  }): Promise<TransactionalHolder>;
  /** The place of each batch; all are stored, and the offsets committed, or nothing is. */
  transact(request: TransactRequest): Promise<readonly BatchPlacement[]>;

  joinGroup(request: JoinRequest): Promise<MemberView>;
  /** A long poll: answers when the group has changed, or to see whether the member is alive. */
  syncGroup(request: SyncRequest): Promise<MemberView>;
  releasePartitions(request: ReleaseRequest): Promise<MemberView>;
  leaveGroup(request: CommitRequest): Promise<null>;
  commitOffsets(request: CommitRequest): Promise<null>;
  /** Where the member begins in partitions that it got. */
  positionPartitions(request: {
    readonly member: MemberRef;
    readonly claims: readonly Claim[];
    readonly from: OffsetPlace;
    /**
     * The offset for each of the claims, used instead of `from` where the group has committed
     * nothing.
     */
    readonly origins?: readonly number[] | undefined;
  }): Promise<readonly GroupPosition[]>;

  listGroups(request: null): Promise<readonly GroupListing[]>;
  describeGroups(groupIds: readonly string[]): Promise<readonly GroupDescription[]>;
  /** All or none. Throws `NON_EMPTY_GROUP` while one has members. */
  deleteGroups(groupIds: readonly string[]): Promise<null>;
  fetchOffsets(request: { readonly groupId: string }): Promise<readonly CommittedOffset[]>;
  resetOffsets(request: ResetOffsetsRequest): Promise<readonly CommittedOffset[]>;
}

export type Method = keyof Broker;
export type Request<M extends Method> = Parameters<Broker[M]>[0];
export type Response<M extends Method> = Awaited<ReturnType<Broker[M]>>;

/** Those of which a second call would do more than the first. */
const ONCE: Readonly<Partial<Record<Method, true>>> = {
  produce: true,
  transact: true,
  importPartition: true,
  deleteTopics: true,
  deleteGroups: true,
};

/** Whether a second call changes nothing that the first has not: it is safe when an answer was lost. */
export function isRepeatable(method: Method): boolean {
  return ONCE[method] === undefined;
}
