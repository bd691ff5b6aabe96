import type {
  AssignorName,
  PartitionAssignment,
  GroupPhase,
  MemberRef,
  MemberView,
  Subscription,
} from '../protocol/group.ts';

/** A row of the store `groups`: the members, and the owner of each partition. */
export interface GroupState {
  readonly groupId: string;
  /** A random id made with the group: a group that is deleted and made again gets another one. */
  readonly instance: string;
  /** Goes up by one with every change of the row. */
  readonly generation: number;
  readonly assignor: AssignorName;
  /** In the order in which they joined. */
  readonly members: readonly GroupMember[];
  /** Sorted by topic name and number. The format has room for one owner of a partition only. */
  readonly partitions: readonly GroupPartition[];
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  /** The generation in which the member joined. */
  readonly epoch: number;
  readonly subscription: Subscription;
  readonly hidden: boolean;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
  /**
   * When a broker asked in this row for a sign of life, because the member did not answer its
   * probe, in ms since 1970; null: no question is open.
   */
  readonly suspectedAt: number | null;
  /** The deadline for releasing revoked partitions, in ms since 1970; null: none is revoked. */
  readonly releaseBy: number | null;
}

export interface GroupPartition {
  readonly topicId: string;
  readonly topic: string;
  readonly partition: number;
  /**
   * The partition was added under a subscribed group, so the group reads it from its first record.
   */
  readonly isNew: boolean;
  /** The member that is to read the partition. */
  readonly target: string | null;
  /** The member that reads the partition. The target becomes the owner when there is no owner. */
  readonly owner: string | null;
  /** The generation in which the owner got the partition. */
  readonly epoch: number;
}

/** A topic as the group sees it. */
export interface SubscribedTopic {
  readonly id: string;
  readonly name: string;
  readonly partitions: number;
}

/** A group without members; `instance` is '' until a member joins. */
export function newGroup(groupId: string, instance = ''): GroupState {
  return { groupId, instance, generation: 0, assignor: 'sticky', members: [], partitions: [] };
}

export function phaseOf({ members, partitions }: GroupState): GroupPhase {
  if (members.length === 0) return 'empty';
  return partitions.every(({ owner, target }) => owner === target) ? 'stable' : 'reconciling';
}

export function subscribesTo({ topics, patterns }: Subscription, topic: string): boolean {
  // `search`, because `test` with the flag g or y begins where the last match ended.
  return topics.includes(topic) || patterns.some((pattern) => topic.search(pattern) !== -1);
}

/** The group as one of its members sees it. Check the member with `mustBeMember` first. */
export function viewOf(
  { instance, generation, partitions }: GroupState,
  { memberId, memberEpoch }: MemberRef,
): MemberView {
  const owned = partitions
    .filter(({ owner }) => owner === memberId)
    .map(({ topicId, topic, partition, epoch, target }) => ({
      topicId,
      topic,
      partition,
      assignmentEpoch: epoch,
      revoked: target !== memberId,
    }));
  const pending = partitions.filter(
    ({ owner, target }) => target === memberId && owner !== memberId,
  ).length;
  return { instance, memberEpoch, generation, owned, pending };
}

/**
 * Whether the member still owns the partition since that epoch: the fence of every commit
 * (KIP-1251).
 */
export function owns(
  { partitions }: GroupState,
  memberId: string,
  { topicId, partition, assignmentEpoch }: PartitionAssignment,
): boolean {
  return partitions.some(
    (p) =>
      p.topicId === topicId &&
      p.partition === partition &&
      p.owner === memberId &&
      p.epoch === assignmentEpoch,
  );
}
