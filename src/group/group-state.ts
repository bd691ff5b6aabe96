import type {
  AssignorName,
  PartitionAssignment,
  GroupPhase,
  MemberRef,
  MemberView,
  Subscription,
} from '../protocol/group.ts';

/** A row of the store `groups`: the whole truth of who reads what. */
export interface GroupState {
  readonly groupId: string;
  /** Made with the group: one of the same name, after it was deleted, has another. */
  readonly instance: string;
  /** Goes up with every change of the row. */
  readonly generation: number;
  readonly assignor: AssignorName;
  /** In the order in which they joined. */
  readonly members: readonly GroupMember[];
  /** By topic name and number. Each has one owner at most: there is no way to write down two. */
  readonly partitions: readonly GroupPartition[];
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  /** The generation in which it joined. */
  readonly epoch: number;
  readonly subscription: Subscription;
  readonly hidden: boolean;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
  /** Since when it is asked in this row whether it is alive, having answered nobody; null: it is not. */
  readonly suspectedAt: number | null;
  /** When it is late with what it was asked to release; null: nothing is asked of it. */
  readonly releaseBy: number | null;
}

export interface GroupPartition {
  readonly topicId: string;
  readonly topic: string;
  readonly partition: number;
  /** It came while the group was subscribed to its topic: no record of it has been missed yet. */
  readonly isNew: boolean;
  /** Who is to read it. */
  readonly target: string | null;
  /** Who reads it. The target gets it when nobody does. */
  readonly owner: string | null;
  /** The generation in which the owner got it. */
  readonly epoch: number;
}

/** A topic as the group sees it. */
export interface SubscribedTopic {
  readonly id: string;
  readonly name: string;
  readonly partitions: number;
}

/** A group without members; `instance` is its own, or '' where there is none. */
export function newGroup(groupId: string, instance = ''): GroupState {
  return { groupId, instance, generation: 0, assignor: 'sticky', members: [], partitions: [] };
}

export function phaseOf({ members, partitions }: GroupState): GroupPhase {
  if (members.length === 0) return 'empty';
  return partitions.every(({ owner, target }) => owner === target) ? 'stable' : 'reconciling';
}

export function subscribesTo({ topics, patterns }: Subscription, topic: string): boolean {
  // `test` would begin where the last one ended, with the flags g and y.
  return topics.includes(topic) || patterns.some((pattern) => topic.search(pattern) !== -1);
}

/** What a member is told; who asks has to be one. See `mustBeMember`. */
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

/** Whether the member still owns the partition since that epoch: the fence of every commit (KIP-1251). */
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
