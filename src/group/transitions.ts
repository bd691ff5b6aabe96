import { partitionKey } from '../base/topic-id-partition.ts';
import type { TopicIdPartition } from '../base/topic-id-partition.ts';
import { FENCED, INCONSISTENT_GROUP_PROTOCOL, MEMBER_EXISTS } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { PartitionAssignment, JoinRequest, MemberRef } from '../protocol/group.ts';
import { owns } from './group-state.ts';
import type { GroupMember, GroupPartition, GroupState, SubscribedTopic } from './group-state.ts';
import { partitionsOf, retarget } from './target-assignment.ts';

/**
 * The events of a group.
 *
 *     join     a member joins
 *     leave    a member leaves on its own
 *     expire   a member's tab died: the member is removed, and its partitions are free
 *     silent   members did not answer a probe. Hints can be lost, so the row marks those members as
 *              suspected; a member that shows no life for half of its session timeout is removed
 *     overdue  members that did not release their revoked partitions by the deadline are removed
 *     release  a member has finished with revoked partitions, and gives them up
 *     refresh  topics were created or deleted, or got partitions
 *     show     a member shows that it is alive, and whether its tab is visible
 *     restart  offsets were reset: the owners of the partitions position them anew
 */
export type GroupEvent =
  | { readonly kind: 'join'; readonly request: JoinRequest }
  | { readonly kind: 'leave'; readonly member: MemberRef }
  | { readonly kind: 'expire'; readonly members: readonly MemberLife[] }
  | { readonly kind: 'silent'; readonly members: readonly MemberLife[] }
  | { readonly kind: 'overdue' }
  | {
      readonly kind: 'release';
      readonly member: MemberRef;
      readonly partitions: readonly PartitionAssignment[];
    }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'show'; readonly member: MemberRef; readonly hidden: boolean }
  | { readonly kind: 'restart'; readonly partitions: readonly TopicIdPartition[] };

/** A member's id and the generation in which it joined. */
type MemberLife = Pick<GroupMember, 'memberId' | 'epoch'>;

/** The input of a transition besides the group and the event. */
export interface Surroundings {
  /** Every topic of the log. */
  readonly topics: readonly SubscribedTopic[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Transitions = {
  readonly [K in GroupEvent['kind']]: (
    group: GroupState,
    event: Extract<GroupEvent, { kind: K }>,
    now: number,
  ) => GroupState;
};

const TRANSITIONS: Transitions = {
  join: (group, { request }, now) => {
    const existing = group.members.find(({ memberId }) => memberId === request.memberId);
    if (existing !== undefined) {
      if (existing.clientId === request.clientId) return group; // a retry
      throw memberExists(request);
    }
    return { ...group, assignor: assignorOf(group, request), members: joined(group, request, now) };
  },
  leave: (group, { member }) =>
    member.instance === group.instance
      ? without(
          group,
          ({ memberId, epoch }) => memberId === member.memberId && epoch === member.memberEpoch,
        )
      : group,
  expire: (group, { members }) =>
    without(group, (candidate) => members.some((member) => isSame(candidate, member))),
  silent: (group, { members }, now) => {
    const isSilent = (candidate: GroupMember): boolean =>
      members.some((member) => isSame(candidate, member));
    const asked = group.members.map((member) =>
      isSilent(member) && member.suspectedAt === null ? { ...member, suspectedAt: now } : member,
    );
    const isNew = asked.some((member, i) => member !== group.members[i]);
    const isInVain = (member: GroupMember): boolean =>
      isSilent(member) &&
      member.suspectedAt !== null &&
      member.suspectedAt + member.sessionTimeoutMs / 2 <= now;
    return without(isNew ? { ...group, members: asked } : group, isInVain);
  },
  overdue: (group, _event, now) =>
    without(group, ({ releaseBy }) => releaseBy !== null && releaseBy <= now),
  release: (group, { member, partitions }) => {
    mustBeMember(group, member);
    const released = partitions.filter((partition) => owns(group, member.memberId, partition));
    const freed = changePartitions(group, released, () => ({ owner: null }));
    // A release is progress: the member gets the whole time again for the partitions still revoked.
    return freed === group ? group : changeMember(freed, member, { releaseBy: null });
  },
  refresh: (group) => group,
  show: (group, { member, hidden }) => {
    const known = mustBeMember(group, member);
    if (known.hidden === hidden && known.suspectedAt === null) return group;
    return changeMember(group, member, { hidden, suspectedAt: null });
  },
  restart: (group, { partitions }) =>
    changePartitions(group, partitions.filter(isOwned(group)), () => ({
      epoch: group.generation + 1,
    })),
};

/**
 * The group after `event`; the very same `group` when the event changes nothing. A change of
 * members or topics computes the target assignment anew. Every change grants each free partition to
 * its target. Partitions that stay where they are go on being read (KIP-429, KIP-848).
 *
 * Throws `FENCED`, `MEMBER_EXISTS` or `INCONSISTENT_GROUP_PROTOCOL`; the group stays as it was
 * then.
 */
export function step(
  group: GroupState,
  event: GroupEvent,
  { topics, now }: Surroundings,
): GroupState {
  const transition = TRANSITIONS[event.kind] as (
    group: GroupState,
    event: GroupEvent,
    now: number,
  ) => GroupState;
  const changed = transition(group, event, now);
  const partitions = partitionsOf(changed, topics, group.members);
  if (changed === group && partitions === group.partitions) return group;
  const generation = group.generation + 1;
  const moved = changed.members.length !== group.members.length;
  const retargeted =
    moved || partitions !== changed.partitions ? retarget(changed, partitions) : partitions;
  const granted = retargeted.map((p) =>
    p.owner === null && p.target !== null ? { ...p, owner: p.target, epoch: generation } : p,
  );
  const members = changed.members.map((member) => withDeadline(member, granted, now));
  return { ...changed, generation, members, partitions: granted };
}

/** Throws `FENCED` unless the group has the member in this epoch. */
export function mustBeMember(group: GroupState, ref: MemberRef): GroupMember {
  const { memberId, memberEpoch: epoch, instance } = ref;
  const member = group.members.find((candidate) => candidate.memberId === memberId);
  if (member?.epoch === epoch && group.instance === instance) return member;
  throw fenced(`the group '${group.groupId}' has removed its member '${memberId}'`, {
    group: group.groupId,
    member: memberId,
  });
}

/** Throws `FENCED` unless the member owns the partition since that assignment epoch. */
export function mustOwn(
  group: GroupState,
  { memberId }: MemberRef,
  claim: PartitionAssignment,
): void {
  if (owns(group, memberId, claim)) return;
  const { topicId, partition, assignmentEpoch: epoch } = claim;
  const where = group.partitions.find((p) => p.topicId === topicId && p.partition === partition);
  throw fenced(
    `the member '${memberId}' no longer has partition ${partition} of '${where?.topic ?? topicId}'`,
    { group: group.groupId, member: memberId, topic: where?.topic ?? topicId, partition, epoch },
  );
}

function fenced(happened: string, details: TablogError['details']): TablogError {
  return new TablogError(FENCED, happened, { details });
}

function memberExists({ groupId, memberId }: JoinRequest): TablogError {
  return new TablogError(
    MEMBER_EXISTS,
    `the group '${groupId}' has a member '${memberId}' already`,
    { details: { group: groupId, member: memberId } },
  );
}

function assignorOf(group: GroupState, { assignor }: JoinRequest): GroupState['assignor'] {
  if (assignor === null || assignor === group.assignor || group.members.length === 0) {
    return assignor ?? group.assignor;
  }
  throw new TablogError(
    INCONSISTENT_GROUP_PROTOCOL,
    `the members of '${group.groupId}' have the assignor '${group.assignor}', not '${assignor}'`,
    { details: { group: group.groupId, assignor: group.assignor } },
  );
}

function joined(group: GroupState, request: JoinRequest, now: number): GroupMember[] {
  const { memberId, clientId, subscription, hidden, sessionTimeoutMs, rebalanceTimeoutMs } =
    request;
  const member: GroupMember = {
    memberId,
    clientId,
    epoch: group.generation + 1,
    subscription,
    hidden,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    joinedAt: now,
    suspectedAt: null,
    releaseBy: null,
  };
  return [...group.members, member];
}

function isSame(a: MemberLife, b: MemberLife): boolean {
  return a.memberId === b.memberId && a.epoch === b.epoch;
}

function without(group: GroupState, isGone: (member: GroupMember) => boolean): GroupState {
  const members = group.members.filter((member) => !isGone(member));
  if (members.length === group.members.length) return group;
  const remains = (memberId: string | null): boolean =>
    members.some((member) => member.memberId === memberId);
  const partitions = group.partitions.map((p) =>
    p.owner === null || remains(p.owner) ? p : { ...p, owner: null },
  );
  return { ...group, members, partitions };
}

function changeMember(
  group: GroupState,
  { memberId }: MemberRef,
  change: Partial<GroupMember>,
): GroupState {
  const members = group.members.map((m) => (m.memberId === memberId ? { ...m, ...change } : m));
  return { ...group, members };
}

function isOwned({ partitions }: GroupState): (which: TopicIdPartition) => boolean {
  const owned = new Set(partitions.filter(({ owner }) => owner !== null).map(partitionKey));
  return (which) => owned.has(partitionKey(which));
}

function changePartitions(
  group: GroupState,
  which: readonly TopicIdPartition[],
  change: (partition: GroupPartition) => Partial<GroupPartition>,
): GroupState {
  if (which.length === 0) return group;
  const chosen = new Set(which.map(partitionKey));
  const partitions = group.partitions.map((p) =>
    chosen.has(partitionKey(p)) ? { ...p, ...change(p) } : p,
  );
  return { ...group, partitions };
}

/** The deadline for a release counts from the first revocation, and later ones do not move it. */
function withDeadline(
  member: GroupMember,
  partitions: readonly GroupPartition[],
  now: number,
): GroupMember {
  const { memberId, releaseBy, rebalanceTimeoutMs } = member;
  const asked = partitions.some(({ owner, target }) => owner === memberId && target !== memberId);
  const due = asked ? (releaseBy ?? now + rebalanceTimeoutMs) : null;
  return due === releaseBy ? member : { ...member, releaseBy: due };
}
