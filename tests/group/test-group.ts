import type { TopicIdPartition } from '../../src/base/topic-id-partition.ts';
import { newGroup, viewOf } from '../../src/group/group-state.ts';
import type { GroupMember, GroupState, SubscribedTopic } from '../../src/group/group-state.ts';
import { mustBeMember, step } from '../../src/group/transitions.ts';
import type { GroupEvent } from '../../src/group/transitions.ts';
import type {
  PartitionAssignment,
  JoinRequest,
  MemberRef,
  MemberView,
} from '../../src/protocol/group.ts';
import { deepFreeze } from './deep-freeze.ts';
import { toLayout } from './layout.ts';
import type { Layout } from './layout.ts';

const GROUP_ID = 'billing';
export const REBALANCE_TIMEOUT_MS = 30_000;

interface JoinOptions extends Partial<Omit<JoinRequest, 'groupId' | 'memberId' | 'subscription'>> {
  readonly topics?: readonly string[];
  readonly patterns?: readonly RegExp[];
}

/** A group, the topics of its log and the time. Whoever changes what a step was given, throws. */
export class TestGroup {
  state: GroupState = deepFreeze(newGroup(GROUP_ID));
  topics: readonly SubscribedTopic[] = [];
  now = 1_700_000_000_000;
  #topicIds = 0;

  /** With these topics and as many partitions: `{ orders: 4 }`. */
  constructor(topics: Readonly<Record<string, number>>) {
    for (const [name, partitions] of Object.entries(topics)) this.createTopic(name, partitions);
  }

  get owners(): Layout {
    return toLayout(this.state.partitions, ({ owner }) => owner);
  }

  get targets(): Layout {
    return toLayout(this.state.partitions, ({ target }) => target);
  }

  /** The generations in which the owners of a topic's partitions got them. */
  epochs(topic: string): number[] {
    return this.state.partitions.filter((p) => p.topic === topic).map(({ epoch }) => epoch);
  }

  /** What happens, and whether it changed anything. */
  happen(event: GroupEvent): boolean {
    const before = this.state;
    this.state = deepFreeze(
      step(before, deepFreeze(event), deepFreeze({ topics: this.topics, now: this.now })),
    );
    return this.state !== before;
  }

  join(memberId: string, options: JoinOptions = {}): MemberRef {
    this.happen({ kind: 'join', request: joinRequest(memberId, options) });
    return this.ref(memberId);
  }

  /** Members that join one after the other, and release at once what they are asked for. */
  joinAll(...memberIds: readonly string[]): void {
    for (const memberId of memberIds) {
      this.join(memberId);
      this.settle();
    }
  }

  leave(member: string | MemberRef): boolean {
    return this.happen({ kind: 'leave', member: this.#refOf(member) });
  }

  expire(...members: readonly (string | MemberRef)[]): boolean {
    return this.happen({
      kind: 'expire',
      members: members.map((member) => lifeOf(this.#refOf(member))),
    });
  }

  overdue(): boolean {
    return this.happen({ kind: 'overdue' });
  }

  refresh(): boolean {
    return this.happen({ kind: 'refresh' });
  }

  /** Gives up these partitions, or else those that it is asked for. */
  release(member: string | MemberRef, assignments?: readonly PartitionAssignment[]): boolean {
    const ref = this.#refOf(member);
    return this.happen({
      kind: 'release',
      member: ref,
      partitions: assignments ?? this.view(ref).owned.filter(({ revoked }) => revoked),
    });
  }

  /** All release what they are asked for, once. */
  settle(): void {
    for (const { memberId } of this.state.members) this.release(memberId);
  }

  show(member: string | MemberRef, hidden: boolean): boolean {
    return this.happen({ kind: 'show', member: this.#refOf(member), hidden });
  }

  restart(...partitions: readonly TopicIdPartition[]): boolean {
    return this.happen({ kind: 'restart', partitions });
  }

  ref(memberId: string): MemberRef {
    const { instance } = this.state;
    return { groupId: GROUP_ID, instance, memberId, memberEpoch: this.member(memberId).epoch };
  }

  member(memberId: string): GroupMember {
    const member = this.state.members.find((candidate) => candidate.memberId === memberId);
    if (member === undefined) throw new Error(`there is no member '${memberId}'`);
    return member;
  }

  view(member: string | MemberRef): MemberView {
    const ref = this.#refOf(member);
    mustBeMember(this.state, ref);
    return viewOf(this.state, ref);
  }

  /** What a partition's owner can say for itself. */
  assignment(topic: string, partition: number): PartitionAssignment {
    const found = this.state.partitions.find((p) => p.topic === topic && p.partition === partition);
    if (found === undefined) throw new Error(`the group does not know ${topic}/${partition}`);
    return { topicId: found.topicId, partition, assignmentEpoch: found.epoch };
  }

  createTopic(name: string, partitions: number): void {
    this.topics = [...this.topics, { id: `${name}#${this.#topicIds++}`, name, partitions }];
  }

  deleteTopic(name: string): void {
    this.topics = this.topics.filter((topic) => topic.name !== name);
  }

  addPartitions(name: string, partitions: number): void {
    this.topics = this.topics.map((t) => (t.name === name ? { ...t, partitions } : t));
  }

  #refOf(member: string | MemberRef): MemberRef {
    return typeof member === 'string' ? this.ref(member) : member;
  }
}

/** A topic of four partitions, and these members with their share. */
export function groupOf(...members: readonly string[]): TestGroup {
  const group = new TestGroup({ orders: 4 });
  group.joinAll(...members);
  return group;
}

/** By default in a tab of its own, and for the topic `orders`. */
export function joinRequest(
  memberId: string,
  { patterns = [], topics = patterns.length > 0 ? [] : ['orders'], ...rest }: JoinOptions = {},
): JoinRequest {
  return {
    groupId: GROUP_ID,
    memberId,
    clientId: `tab of ${memberId}`,
    subscription: { topics, patterns },
    assignor: null,
    hidden: false,
    sessionTimeoutMs: 45_000,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    ...rest,
  };
}

/** The life of a member that a `MemberRef` names, as transitions take it. */
export function lifeOf({
  memberId,
  memberEpoch,
}: MemberRef): Pick<GroupMember, 'memberId' | 'epoch'> {
  return { memberId, epoch: memberEpoch };
}
