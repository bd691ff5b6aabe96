import type { BrokerDiagnostics } from './diagnostics.ts';
import type {
  FetchRequest,
  FetchedPartition,
  PositionSpec,
  OffsetSpec,
  TopicOffsets,
} from './fetch.ts';
import type {
  PartitionAssignment,
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
import type {
  AppendResult,
  BatchMetadata,
  ProduceRequest,
  TransactRequest,
  TransactionalHolder,
} from './produce.ts';
import type { FoundFault, ScrubRequest, ScrubbedRows } from './scrub.ts';
import type { TopicConfigChanges, TopicDescription, TopicInfo, TopicSpec } from './topic.ts';
import type { OnUnrecoverable } from '../platform/log-databases.ts';

/**
 * Goes up when an older tab and a newer worker, or the reverse, would misunderstand each other. The
 * worker's name contains the version, so builds with different versions get a worker each. The two
 * workers can share the log, because IndexedDB orders their transactions.
 */
export const PROTOCOL_VERSION = 5;

/** The result of an import. */
export interface ImportedRecords {
  /** The offset of the partition's first record. */
  readonly startOffset: number;
  /** The offset of the partition's next record (Kafka's log end offset). */
  readonly endOffset: number;
  /** The number of records stored. */
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

/** The first answer to a tab: the log's id and topics, and what was lost of the log. */
export interface OpenedLog {
  readonly logId: string;
  readonly topics: readonly TopicInfo[];
  /** The version of the topics, see `LogWitness`. */
  readonly topicsVersion: number;
  /** The records that the tab's witness has seen and the log has lost. */
  readonly lost: readonly LostRecords[];
  /** The id of the log that the tab's witness has seen, where it is not this log. */
  readonly previousLogId: string | undefined;
  /** Whether the browser told that it had lost databases of the origin, as it made this log's. */
  readonly isAfterLoss?: boolean;
  /** The name of the unreadable database that was set aside, so that this log is a new one. */
  readonly setAside: string | undefined;
}

/** The lost records of a partition: the offsets from `from` up to `to`. */
export interface LostRecords {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Whether the topic itself was lost, so that no consumer meets the loss. */
  readonly isTopicLost: boolean;
}

export interface OpenRequest {
  /** The id of the log that the caller had open before; null: the caller opens it first. */
  readonly logId: string | null;
  /** The witness of the caller's origin (protocol/log-witness.ts), as text. */
  readonly witness?: string | null;
  /** The policy for a log that can never be opened again. Default: 'error'. */
  readonly onUnrecoverable?: OnUnrecoverable;
}

/** The log as the broker describes it. */
export interface StoredLog {
  /**
   * A random id made with the database. It changes when the browser or the user clears the data,
   * and when the log is deleted.
   */
  readonly logId: string;
  /** When the log was created, in milliseconds since 1970. */
  readonly createdAt: number;
  /** Bytes of all records on disk, as stored. */
  readonly bytes: number;
  /**
   * The bound of `bytes`: beyond it the oldest records are deleted; null: no bound. See `alterLog`.
   */
  readonly maxBytes: number | null;
}

export interface AlterGroupOffsetsRequest {
  readonly groupId: string;
  readonly partitions: readonly {
    readonly topic: string;
    /** `undefined`: every partition of the topic. */
    readonly partition: number | undefined;
    readonly to: PositionSpec;
    readonly metadata: string;
  }[];
  /** Alters also while the group has members; the owners of the partitions position them anew. */
  readonly force: boolean;
  /**
   * `true`: the group must exist, and an offset out of range becomes the nearest in range. `false`:
   * a new group is created, and an offset beyond the end is refused, as in a member's commit.
   */
  readonly isReset: boolean;
}

/** The calls of a client to its broker. Each takes one value and answers with one value. */
export interface Broker {
  /**
   * Opens the log; the only call that creates it. A caller that had the log open before gives its
   * id: `CLOSED` when that log has been deleted.
   */
  openLog(request: OpenRequest): Promise<OpenedLog>;
  describeLog(request: null): Promise<StoredLog>;
  /** The broker and its diagnostics. The call reads no store, so it is answered while the storage hangs. */
  describeBroker(request: null): Promise<BrokerDiagnostics>;
  /**
   * Creates topics, all or none. A topic that exists and agrees with its spec is kept; a topic of a
   * lower version is brought in line with it; a topic of a higher version is kept as it is.
   */
  createTopics(specs: readonly TopicSpec[]): Promise<readonly TopicInfo[]>;
  deleteTopics(names: readonly string[]): Promise<null>;
  listTopics(request: null): Promise<readonly TopicInfo[]>;
  describeTopics(names: readonly string[]): Promise<readonly TopicDescription[]>;
  /** Raises the numbers of partitions of all of the topics or of none. */
  createPartitions(
    request: readonly { readonly name: string; readonly partitions: number }[],
  ): Promise<readonly TopicInfo[]>;
  /** Changes the configurations of all of the topics or of none. */
  alterTopics(
    request: readonly { readonly name: string; readonly config: TopicConfigChanges }[],
  ): Promise<readonly TopicInfo[]>;
  /**
   * Moves log start offsets forward, each by itself; returns the log start offset of each
   * partition.
   */
  deleteRecords(
    request: readonly {
      readonly topicId: string;
      readonly partition: number;
      readonly before: number;
    }[],
  ): Promise<readonly number[]>;
  /** Stores a Kafka log file in an empty partition, whole or not at all. */
  importPartition(request: {
    readonly topicId: string;
    readonly partition: number;
    /** The segments of a partition, end to end; the buffer is transferred. */
    readonly file: ArrayBuffer;
    /** The size of each segment, in any order of offsets. Default: `file` is one segment. */
    readonly sizes?: readonly number[];
  }): Promise<ImportedRecords>;
  /** Bounds the log as a whole. */
  alterLog(request: { readonly maxBytes: number | null }): Promise<null>;
  /**
   * Begins a pass of the log cleaner, or joins the one under way. Resolves with whether the pass has
   * ended, after some seconds at the latest.
   */
  runLogCleaner(request: null): Promise<boolean>;
  /** Checks the rows that are of no partition: of topics, groups, offsets and producers. */
  scrubRows(request: null): Promise<readonly FoundFault[]>;
  /**
   * Checks some rows of a partition on disk. Throws `UNKNOWN_TOPIC`, and `LOG_CORRUPT` where the
   * partition has lost its head.
   */
  scrubPartition(request: ScrubRequest): Promise<ScrubbedRows>;
  produce(request: ProduceRequest): Promise<readonly AppendResult[]>;
  /**
   * Throws `FETCH_SESSION_ID_NOT_FOUND` in a worker that does not know the session: the client then
   * asks for the whole set.
   */
  fetch(request: FetchRequest): Promise<readonly FetchedPartition[]>;
  cancelFetch(request: { readonly clientId: string; readonly fetchId: number }): Promise<null>;
  /**
   * The offsets as of the call: records that the same client sends later do not count. The same
   * holds for `listTopicOffsets`.
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
   * Compares and swaps the holder of the transactional id: `holder` gets it if the present holder
   * is the one that the caller has `seen`, and the earlier holder is fenced. Returns the present
   * holder. The comparison makes a late call harmless: a hung worker can make a call that was given
   * up long ago. A holder that has seen itself renews its epoch (KIP-360), and gets `FENCED` when
   * another producer has taken the id since.
   */
  initProducer(request: {
    readonly transactionalId: string;
    readonly holder: string;
    readonly seen: TransactionalHolder | null;
  }): Promise<TransactionalHolder>;
  /**
   * Stores all batches and commits all offsets, or does neither. Returns the place of each batch.
   */
  transact(request: TransactRequest): Promise<readonly BatchMetadata[]>;

  joinGroup(request: JoinRequest): Promise<MemberView>;
  /** A long poll: answers when the group has changed, and at a probe of the member's life. */
  syncGroup(request: SyncRequest): Promise<MemberView>;
  releasePartitions(request: ReleaseRequest): Promise<MemberView>;
  leaveGroup(request: CommitRequest): Promise<null>;
  commitOffsets(request: CommitRequest): Promise<null>;
  /** The offsets at which the member begins to read its new partitions. */
  positionPartitions(request: {
    readonly member: MemberRef;
    readonly partitions: readonly PartitionAssignment[];
    readonly from: PositionSpec;
    /**
     * The offset for each of the partitions, used instead of `from` where the group has committed
     * nothing.
     */
    readonly startingOffsets?: readonly number[] | undefined;
  }): Promise<readonly GroupPosition[]>;

  listGroups(request: null): Promise<readonly GroupListing[]>;
  describeGroups(groupIds: readonly string[]): Promise<readonly GroupDescription[]>;
  /** Deletes all of the groups or none. Throws `NON_EMPTY_GROUP` while one of them has members. */
  deleteGroups(groupIds: readonly string[]): Promise<null>;
  listGroupOffsets(request: { readonly groupId: string }): Promise<readonly CommittedOffset[]>;
  /**
   * Commits all of the offsets or none, without a member (Kafka's OffsetCommit with the generation
   * -1). Throws `NON_EMPTY_GROUP` while the group has members, unless forced.
   */
  alterGroupOffsets(request: AlterGroupOffsetsRequest): Promise<readonly CommittedOffset[]>;
}

export type Method = keyof Broker;
export type Request<M extends Method> = Parameters<Broker[M]>[0];
export type Response<M extends Method> = Awaited<ReturnType<Broker[M]>>;

/** The methods that are not idempotent: a second call would do more than the first. */
const ONCE: Readonly<Partial<Record<Method, true>>> = {
  produce: true,
  transact: true,
  importPartition: true,
  deleteTopics: true,
  deleteGroups: true,
};

/** Whether the method is idempotent, so that a call can be repeated when its answer was lost. */
export function isRepeatable(method: Method): boolean {
  return ONCE[method] === undefined;
}
