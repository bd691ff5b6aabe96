import fc from 'fast-check';
import { expect, test } from 'vitest';
import { phaseOf, subscribesTo } from '../../src/group/group-state.ts';
import type { GroupPartition, GroupState } from '../../src/group/group-state.ts';
import { ASSIGNOR_NAMES } from '../../src/protocol/group.ts';
import type { AssignorName, MemberRef, Subscription } from '../../src/protocol/group.ts';
import { REBALANCE_TIMEOUT_MS, TestGroup } from './test-group.ts';

const MEMBERS = ['a', 'b', 'c', 'd', 'e'];
const TOPICS = ['audit', 'orders', 'orders.eu'];

const anyMember = fc.constantFrom(...MEMBERS);
const anyTopic = fc.constantFrom(...TOPICS);
const anyNumber = fc.nat(1000);
const anySubscription: fc.Arbitrary<Subscription> = fc.record({
  topics: fc.subarray(TOPICS),
  patterns: fc.subarray([/^orders/, /audit/i]),
});

const anyAct = fc.oneof(
  {
    weight: 5,
    arbitrary: act('join', {
      member: anyMember,
      subscription: anySubscription,
      hidden: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: act('leave', { member: anyMember }) },
  { weight: 1, arbitrary: act('expire', { members: fc.subarray(MEMBERS, { maxLength: 2 }) }) },
  // Another life speaks: what it says must count for nothing.
  { weight: 1, arbitrary: act('zombie', { which: anyNumber }) },
  // As many as it has finished with.
  {
    weight: 5,
    arbitrary: act('release', { member: anyMember, atMost: fc.constantFrom(1, 2, Infinity) }),
  },
  { weight: 1, arbitrary: act('show', { member: anyMember, hidden: fc.boolean() }) },
  { weight: 1, arbitrary: act('restart', { which: anyNumber }) },
  // No partitions: it is deleted.
  {
    weight: 2,
    arbitrary: act('topic', { topic: anyTopic, partitions: fc.nat(4), noticed: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: act('time', {
      ms: fc.constantFrom(1, REBALANCE_TIMEOUT_MS / 2, REBALANCE_TIMEOUT_MS),
    }),
  },
);

type Act = typeof anyAct extends fc.Arbitrary<infer T> ? T : never;

const anyActs = fc.record({
  assignor: fc.constantFrom(...ASSIGNOR_NAMES),
  acts: fc.array(anyAct, { minLength: 1, maxLength: 60, size: 'max' }),
  /** In which order the members release, when all is done. */
  order: fc.shuffledSubarray(MEMBERS, { minLength: MEMBERS.length }),
});

/** Something that can happen, and all that belongs to it. */
function act<K extends string, T>(
  kind: K,
  fields: { readonly [P in keyof T]: fc.Arbitrary<T[P]> },
): fc.Arbitrary<T & { readonly kind: K }> {
  return fc.record<T>(fields).map((values) => ({ ...values, kind }));
}

test('whatever happens, each partition has one reader, and it stays with it if it can', () => {
  fc.assert(
    fc.property(anyActs, ({ assignor, acts, order }) => {
      const model = new Model(assignor);
      for (const act of acts) model.perform(act);
      model.settle(order);
    }),
    { numRuns: 200 },
  );
});

/** A group and what is known of its past, by which every step is judged. */
class Model {
  readonly #group = new TestGroup({ orders: 3 });
  readonly #assignor: AssignorName;
  /** Every life that is over. */
  readonly #past: MemberRef[] = [];
  /** Who ever had a partition, by epoch. */
  readonly #livesOf = new Map<string, string>();

  constructor(assignor: AssignorName) {
    this.#assignor = assignor;
  }

  perform(act: Act): void {
    const group = this.#group;
    switch (act.kind) {
      case 'join':
        this.#check(() => {
          const { hidden, subscription } = act;
          group.join(act.member, { ...subscription, hidden, assignor: this.#assignor });
        });
        break;
      case 'leave':
        if (this.#has(act.member)) this.#check(() => group.leave(act.member));
        break;
      case 'expire':
        this.#check(() => group.expire(...act.members.filter((member) => this.#has(member))));
        break;
      case 'zombie':
        this.#haunt(act.which);
        break;
      case 'release':
        if (this.#has(act.member)) this.#release(act.member, act.atMost);
        break;
      case 'show':
        if (this.#has(act.member)) this.#check(() => group.show(act.member, act.hidden));
        break;
      case 'restart':
        this.#restart(act.which);
        break;
      case 'topic':
        this.#change(act.topic, act.partitions);
        if (act.noticed) this.#check(() => group.refresh());
        break;
      case 'time':
        group.now += act.ms;
        this.#check(() => group.overdue());
        break;
    }
  }

  /** Everybody releases what it is asked for, once: then nothing is left to move. */
  settle(order: readonly string[]): void {
    this.#check(() => this.#group.refresh());
    for (const memberId of order) if (this.#has(memberId)) this.#release(memberId, Infinity);
    const { state } = this.#group;
    expect(phaseOf(state)).toBe(state.members.length === 0 ? 'empty' : 'stable');
    expect(state.members.filter(({ releaseBy }) => releaseBy !== null)).toEqual([]);
    expect(this.#group.refresh()).toBe(false);
  }

  #has(memberId: string): boolean {
    return this.#group.state.members.some((member) => member.memberId === memberId);
  }

  #haunt(which: number): void {
    const ref = this.#past[which % this.#past.length];
    if (ref === undefined) return;
    const everything = this.#group.state.partitions.map(({ epoch, ...partition }) => ({
      ...partition,
      assignmentEpoch: epoch,
    }));
    this.#check(() => this.#group.leave(ref));
    this.#check(() => this.#group.expire(ref));
    expect(() => this.#group.release(ref, everything)).toThrow('FENCED');
    expect(() => this.#group.show(ref, true)).toThrow('FENCED');
  }

  #release(memberId: string, atMost: number): void {
    const revoked = this.#group.view(memberId).owned.filter((owned) => owned.revoked);
    const assignments = revoked.slice(0, atMost);
    const released = new Set(assignments.map(nameOf));
    this.#check(() => this.#group.release(memberId, assignments), released, released);
  }

  #restart(which: number): void {
    const owned = this.#group.state.partitions.filter(({ owner }) => owner !== null);
    const partition = owned[which % owned.length];
    if (partition === undefined) return;
    this.#check(() => this.#group.restart(partition), new Set([nameOf(partition)]));
    const after = this.#group.state.partitions.find((p) => nameOf(p) === nameOf(partition));
    if (after === undefined) return; // its topic was deleted meanwhile
    expect(after.owner).toBe(partition.owner);
    expect(after.epoch).toBe(this.#group.state.generation);
  }

  #change(topic: string, partitions: number): void {
    const known = this.#group.topics.find(({ name }) => name === topic);
    if (known === undefined) this.#group.createTopic(topic, partitions);
    else if (partitions === 0) this.#group.deleteTopic(topic);
    else this.#group.addPartitions(topic, Math.max(known.partitions, partitions));
  }

  /**
   * Lets something happen; `given`: the partitions whose owners lose them for it, `released`: those
   * that were asked to give them up, and do.
   */
  #check(
    happen: () => void,
    given: ReadonlySet<string> = new Set(),
    released: ReadonlySet<string> = new Set(),
  ): void {
    const before = this.#group.state;
    happen();
    const after = this.#group.state;
    this.#expectAllPartitions(after);
    if (after === before) return;
    expectCountedChange(before, after);
    this.#expectOneReader(after);
    expectNobodyElseStops(before, after, given);
    this.#expectDeadlines(before, after, released);
    for (const { memberId, epoch } of before.members) {
      if (hasLife(after, memberId, epoch)) continue;
      const { groupId, instance } = before;
      this.#past.push({ groupId, instance, memberId, memberEpoch: epoch });
    }
  }

  #expectOneReader(group: GroupState): void {
    const { generation, members, partitions } = group;
    expect(members.every(({ epoch }) => epoch <= generation)).toBe(true);
    expect(new Set(members.map(({ memberId }) => memberId)).size).toBe(members.length);
    expect(new Set(partitions.map(nameOf)).size).toBe(partitions.length);
    for (const { topic, topicId, partition, owner, target, epoch } of partitions) {
      expect(epoch).toBeLessThanOrEqual(generation);
      const takers = members.filter(({ subscription }) => subscribesTo(subscription, topic));
      const ids = takers.map(({ memberId }) => memberId);
      // What somebody wants is read: it never waits for anybody but its reader.
      expect(ids.length > 0 ? ids : [null]).toContain(owner);
      expect(ids.length > 0 ? ids : [null]).toContain(target);
      if (owner === null) continue;
      const assignment = `${topicId}/${partition}@${epoch}`;
      const life = `${owner}@${takers.find(({ memberId }) => memberId === owner)!.epoch}`;
      expect(this.#livesOf.get(assignment) ?? life, assignment).toBe(life);
      this.#livesOf.set(assignment, life);
    }
  }

  /** As of the last time that it looked, which was now. */
  #expectAllPartitions({ members, partitions }: GroupState): void {
    if (members.length === 0) return;
    const wanted = this.#group.topics
      .filter(({ name }) => members.some(({ subscription }) => subscribesTo(subscription, name)))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(({ id, partitions: count }) =>
        Array.from({ length: count }, (_, i) => `${id}/${i}`),
      );
    expect(partitions.map(nameOf)).toEqual(wanted);
  }

  #expectDeadlines(
    before: GroupState,
    { members, partitions }: GroupState,
    releasedNow: ReadonlySet<string>,
  ): void {
    for (const { memberId, epoch, releaseBy } of members) {
      const asked = partitions.some((p) => p.owner === memberId && p.target !== memberId);
      const was = before.members.find((m) => m.memberId === memberId && m.epoch === epoch);
      const had = new Set(before.partitions.filter(({ owner }) => owner === memberId).map(nameOf));
      // What it released may be its own again at once, where topics have changed unnoticed.
      const released =
        [...releasedNow].some((name) => had.has(name)) ||
        partitions.some((p) => p.owner !== memberId && had.has(nameOf(p)));
      const anew = this.#group.now + REBALANCE_TIMEOUT_MS;
      const due = released ? anew : (was?.releaseBy ?? anew);
      expect(releaseBy).toBe(asked ? due : null);
    }
  }
}

function expectCountedChange(before: GroupState, after: GroupState): void {
  expect(after.generation).toBe(before.generation + 1);
  expect({ ...after, generation: before.generation }).not.toEqual(before);
}

/** A partition changes hands only where its owner gave it up, or is no member any more. */
function expectNobodyElseStops(
  before: GroupState,
  after: GroupState,
  given: ReadonlySet<string>,
): void {
  const now = new Map(after.partitions.map((p) => [nameOf(p), p]));
  for (const was of before.partitions) {
    const is = now.get(nameOf(was));
    if (is === undefined) continue;
    expect(is.isNew).toBe(was.isNew);
    const life = before.members.find(({ memberId }) => memberId === was.owner);
    const remains = life !== undefined && hasLife(after, life.memberId, life.epoch);
    if (remains && !given.has(nameOf(was))) {
      expect({ owner: is.owner, epoch: is.epoch }).toEqual({ owner: was.owner, epoch: was.epoch });
    } else if (is.owner !== null) {
      expect(is.epoch).toBe(after.generation);
    }
  }
}

function hasLife({ members }: GroupState, memberId: string, epoch: number): boolean {
  return members.some((member) => member.memberId === memberId && member.epoch === epoch);
}

function nameOf({ topicId, partition }: Pick<GroupPartition, 'topicId' | 'partition'>): string {
  return `${topicId}/${partition}`;
}
