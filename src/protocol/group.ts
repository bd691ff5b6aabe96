/** How a group's partitions are shared out among its members (Kafka's `group.remote.assignor`). */
export type AssignorName = 'sticky' | 'range' | 'roundRobin';

export const ASSIGNOR_NAMES: readonly AssignorName[] = ['sticky', 'range', 'roundRobin'];

/** The topics of a member, by name and by pattern. Topics that are created later count as well. */
export interface Subscription {
  readonly topics: readonly string[];
  readonly patterns: readonly RegExp[];
}

/** A member in one of its epochs: the sender of a call. */
export interface MemberRef {
  readonly groupId: string;
  /** The random id of the group: a group that was deleted and made again has another one. */
  readonly instance: string;
  readonly memberId: string;
  /** The generation in which the member joined; fences an earlier member with the same id. */
  readonly memberEpoch: number;
}

export interface JoinRequest {
  readonly groupId: string;
  readonly memberId: string;
  /** The id of the tab, which holds the Web Lock of this id for as long as it lives. */
  readonly clientId: string;
  readonly subscription: Subscription;
  /** null: the assignor that the group has, or 'sticky' for a new group. */
  readonly assignor: AssignorName | null;
  /** Whether the tab is hidden. */
  readonly hidden: boolean;
  /** How long a member that does not answer keeps its partitions, in milliseconds. */
  readonly sessionTimeoutMs: number;
  /** How long a member may take to release revoked partitions, in milliseconds. */
  readonly rebalanceTimeoutMs: number;
}

/** A partition assigned to a member. The epoch fences the member's calls for the partition. */
export interface PartitionAssignment {
  readonly topicId: string;
  readonly partition: number;
  /** The generation in which the member got the partition (Kafka's assignment epoch, KIP-1251). */
  readonly assignmentEpoch: number;
}

export interface OwnedPartition extends PartitionAssignment {
  readonly topic: string;
  /** The member has to finish with the partition, commit its offset, and release it. */
  readonly revoked: boolean;
}

/** A group as one of its members sees it. */
export interface MemberView {
  readonly instance: string;
  readonly memberEpoch: number;
  readonly generation: number;
  readonly owned: readonly OwnedPartition[];
  /**
   * The number of partitions with this member as target that other members have not released yet.
   */
  readonly pending: number;
}

export interface SyncRequest {
  readonly member: MemberRef;
  /** The broker answers when the group's generation is greater than this one. */
  readonly generation: number;
  readonly hidden: boolean;
  /** The longest wait for a newer generation, in milliseconds. */
  readonly maxWaitMs: number;
}

export interface OffsetCommit extends PartitionAssignment {
  /** Counts the commits of one assignment, so that a late commit does not undo a later one. */
  readonly sequence?: number;
  /** The next offset to be read: the offset of the last processed record, plus one. */
  readonly offset: number;
  /** Free text of the application, stored with the offset (Kafka's commit metadata). */
  readonly metadata: string;
}

export interface CommitRequest {
  readonly member: MemberRef;
  readonly offsets: readonly OffsetCommit[];
}

export interface ReleaseRequest {
  readonly member: MemberRef;
  readonly partitions: readonly PartitionAssignment[];
}

/** The offset at which a group goes on in a partition. */
export interface GroupPosition extends PartitionAssignment {
  readonly offset: number;
  /**
   * Set when the committed offset is outside of the partition's range, before its start or beyond
   * its end, and `from` was used instead.
   */
  readonly reset: {
    readonly committed: number;
    readonly start: number;
    readonly end: number;
  } | null;
}

/**
 * The state of a group (Kafka's `GroupState`). 'empty': it has no members; 'reconciling': some
 * partition is owned by another member than its target; 'stable': none is.
 */
export type GroupPhase = 'empty' | 'reconciling' | 'stable';

export interface GroupListing {
  /** The group's name. */
  readonly group: string;
  readonly state: GroupPhase;
  /** How many members it has. */
  readonly members: number;
}

export interface GroupMemberDescription {
  readonly memberId: string;
  /** The id of the tab: members of one tab have the same. */
  readonly clientId: string;
  /** Whether the member's tab is visible. */
  readonly visible: boolean;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
  readonly topics: readonly string[];
  readonly patterns: readonly RegExp[];
}

export interface GroupPartitionDescription {
  readonly topic: string;
  readonly partition: number;
  /** The member that reads the partition; null: none. */
  readonly owner: string | null;
  /** The member that is to read the partition; differs from the owner while the partition moves. */
  readonly target: string | null;
  /** The next offset to be read; null: nothing was committed. */
  readonly committedOffset: number | null;
  readonly metadata: string;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Offsets from the committed offset to the end; without a committed offset, from the start. */
  readonly lag: number;
}

export interface GroupDescription {
  /** The group's name. */
  readonly group: string;
  readonly state: GroupPhase;
  /** Goes up with every change of the members and of the assignment. */
  readonly generation: number;
  readonly assignor: AssignorName;
  readonly members: readonly GroupMemberDescription[];
  /** The partitions that are assigned or have a committed offset, sorted by topic and number. */
  readonly partitions: readonly GroupPartitionDescription[];
}

/** An offset of a group in a partition, by the topic's name (Kafka's `OffsetAndMetadata`). */
export interface GroupOffset {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the next record that the group reads. */
  readonly offset: number;
  /** What the committer has stored with the offset; '' where nothing. */
  readonly metadata: string;
}

/** What a group has committed of a partition. */
export interface CommittedOffset extends GroupOffset {
  /** When it was committed, in milliseconds since 1970. */
  readonly committedAt: number;
}
