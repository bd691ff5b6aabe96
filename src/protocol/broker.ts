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
import type { TopicConfigChanges, TopicDescription, TopicInfo, TopicSpec } from './topic.ts';

/**
 * Goes up when an older tab and a newer worker (or the reverse) would misunderstand each other.
 * It is part of the worker's name, so builds that differ in it get a worker each: law 1 of the
 * design lets them share the log.
 */
export const PROTOCOL_VERSION = 3;

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

export interface ResetOffsetsRequest {
  readonly groupId: string;
  readonly topic: string;
  /** null: all. */
  readonly partitions: readonly number[] | null;
  readonly to: PositionSpec;
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
  transact(request: TransactRequest): Promise<readonly BatchMetadata[]>;

  joinGroup(request: JoinRequest): Promise<MemberView>;
  /** A long poll: answers when the group has changed, or to see whether the member is alive. */
  syncGroup(request: SyncRequest): Promise<MemberView>;
  releasePartitions(request: ReleaseRequest): Promise<MemberView>;
  leaveGroup(request: CommitRequest): Promise<null>;
  commitOffsets(request: CommitRequest): Promise<null>;
  /** Where the member begins in partitions that it got. */
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
