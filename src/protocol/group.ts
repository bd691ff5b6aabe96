/** How a group's partitions are shared out among its members (Kafka's `group.remote.assignor`). */
export type AssignorName = 'sticky' | 'range' | 'roundRobin';

export const ASSIGNOR_NAMES: readonly AssignorName[] = ['sticky', 'range', 'roundRobin'];

/** What a member wants to read; topics that match and do not exist yet are waited for. */
export interface Subscription {
  readonly topics: readonly string[];
  readonly patterns: readonly RegExp[];
}

/** Who speaks: a member, and which of its lives. */
export interface MemberRef {
  readonly groupId: string;
  /** Which of the groups of this name, should it have been deleted and made again. */
  readonly instance: string;
  readonly memberId: string;
  /** The generation in which it joined; fences whoever had the id before. */
  readonly memberEpoch: number;
}

export interface JoinRequest {
  readonly groupId: string;
  readonly memberId: string;
  /** The tab: it holds the lock of this id for as long as it lives. */
  readonly clientId: string;
  readonly subscription: Subscription;
  /** null: the group's, or 'sticky' where the group is new. */
  readonly assignor: AssignorName | null;
  /** Whether nobody sees the tab. */
  readonly hidden: boolean;
  /** How long a member that does not answer keeps its partitions, in milliseconds. */
  readonly sessionTimeoutMs: number;
  /** How long it may take to give up what it is asked for, in milliseconds. */
  readonly rebalanceTimeoutMs: number;
}

/** A member's hold on a partition: what it does there carries the epoch, and is checked by it. */
export interface PartitionAssignment {
  readonly topicId: string;
  readonly partition: number;
  /** The generation in which the member got the partition (Kafka's assignment epoch, KIP-1251). */
  readonly assignmentEpoch: number;
}

export interface OwnedPartition extends PartitionAssignment {
  readonly topic: string;
  /** It is to be given up: finish, commit, release. */
  readonly revoked: boolean;
}

/** A group as one of its members sees it. */
export interface MemberView {
  readonly instance: string;
  readonly memberEpoch: number;
  readonly generation: number;
  readonly owned: readonly OwnedPartition[];
  /** Partitions that are meant for the member and that others have not released yet. */
  readonly pending: number;
}

export interface SyncRequest {
  readonly member: MemberRef;
  /** Answer when the group is beyond this generation. */
  readonly generation: number;
  readonly hidden: boolean;
  /** How long to wait for that, in milliseconds. */
  readonly maxWaitMs: number;
}

export interface OffsetCommit extends PartitionAssignment {
  /** Counts the commits of a hold: one that comes late does not undo later ones. */
  readonly sequence?: number;
  /** The next offset to be read: the last one that was processed, plus one. */
  readonly offset: number;
  /** Whatever the committer wants to find again. */
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

/** Where a group goes on in a partition. */
export interface GroupPosition extends PartitionAssignment {
  readonly offset: number;
  /** There is a committed offset, and it does not exist any more (or not yet): `from` was followed. */
  readonly reset: {
    readonly committed: number;
    readonly start: number;
    readonly end: number;
  } | null;
}

export type GroupPhase = 'empty' | 'reconciling' | 'stable';

export interface GroupListing {
  readonly groupId: string;
  /** 'reconciling': some partition is still to move. */
  readonly state: GroupPhase;
  readonly members: number;
}

export interface GroupMemberDescription {
  readonly memberId: string;
  /** Members of one tab have the same. */
  readonly clientId: string;
  /** Whether somebody sees its tab. */
  readonly visible: boolean;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
  readonly topics: readonly string[];
  readonly patterns: readonly RegExp[];
}

export interface GroupPartitionDescription {
  readonly topic: string;
  readonly partition: number;
  /** The member that reads it; null: nobody. */
  readonly owner: string | null;
  /** The member that is to read it: another one than the owner while the partition moves. */
  readonly target: string | null;
  /** The next offset to be read; null: nothing was committed. */
  readonly committedOffset: number | null;
  readonly metadata: string;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Records between the committed offset, or else the start, and the end. */
  readonly lag: number;
}

export interface GroupDescription {
  readonly groupId: string;
  readonly state: GroupPhase;
  /** Goes up with every change of who reads what. */
  readonly generation: number;
  readonly assignor: AssignorName;
  readonly members: readonly GroupMemberDescription[];
  /** Those that are assigned or have a committed offset, by topic and number. */
  readonly partitions: readonly GroupPartitionDescription[];
}

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
  /** Milliseconds since 1970. */
  readonly committedAt: number;
}
