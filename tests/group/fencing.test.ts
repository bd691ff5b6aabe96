import { describe, expect, test } from 'vitest';
import { owns, phaseOf } from '../../src/group/group-state.ts';
import { mustBeMember, mustOwn } from '../../src/group/transitions.ts';
import type { PartitionAssignment } from '../../src/protocol/group.ts';
import { codeOf, errorOf } from '../record/errors.ts';
import { TestGroup } from './test-group.ts';

/** Two members, and a third that waits for a partition of the first. */
function groupOfThree(): TestGroup {
  const group = new TestGroup({ orders: 4 });
  group.joinAll('a', 'b');
  group.join('c');
  expect(group.owners).toEqual({ orders: 'a a b b' });
  expect(group.targets).toEqual({ orders: 'a a b c' });
  return group;
}

describe('mustBeMember', () => {
  test('finds the member of that life', () => {
    const group = groupOfThree();
    expect(mustBeMember(group.state, group.ref('b'))).toBe(group.member('b'));
  });

  test('fences who is none, or was one in another life', () => {
    const group = groupOfThree();
    const a = group.ref('a');
    const fenced = (ref = a): string => codeOf(() => mustBeMember(group.state, ref));
    expect(fenced({ ...a, memberId: 'x' })).toBe('FENCED');
    expect(fenced({ ...a, memberEpoch: a.memberEpoch - 1 })).toBe('FENCED');
    expect(fenced({ ...a, memberEpoch: a.memberEpoch + 1 })).toBe('FENCED');
    group.expire('a');
    expect(fenced()).toBe('FENCED');
    group.join('a');
    expect(fenced()).toBe('FENCED');
    expect(mustBeMember(group.state, group.ref('a')).memberId).toBe('a');
  });

  test('says who is fenced from what, and that trying again is no use', () => {
    const group = groupOfThree();
    const a = group.ref('a');
    group.leave('a');
    const error = errorOf(() => mustBeMember(group.state, a));
    expect(error).toMatchObject({ retriable: false, details: { group: 'billing', member: 'a' } });
    expect(error.message).toContain("the group 'billing' has removed its member 'a'");
  });
});

describe('holds', () => {
  test('is true for the owner, since it got the partition', () => {
    const { state } = groupOfThree();
    for (const { topicId, partition, epoch, owner } of state.partitions) {
      const assignment: PartitionAssignment = { topicId, partition, assignmentEpoch: epoch };
      for (const { memberId } of state.members) {
        expect(owns(state, memberId, assignment)).toBe(memberId === owner);
      }
      expect(owns(state, owner!, { ...assignment, assignmentEpoch: epoch - 1 })).toBe(false);
      expect(owns(state, owner!, { ...assignment, assignmentEpoch: epoch + 1 })).toBe(false);
      expect(owns(state, owner!, { ...assignment, topicId: 'x' })).toBe(false);
      expect(owns(state, owner!, { ...assignment, partition: 9 })).toBe(false);
    }
  });

  test('stays true through whatever does not concern the partition', () => {
    const group = groupOfThree();
    const assignment = group.assignment('orders', 0);
    group.show('a', true);
    group.join('d');
    group.settle();
    group.addPartitions('orders', 9);
    group.refresh();
    group.leave('b');
    expect(owns(group.state, 'a', assignment)).toBe(true);
  });

  test('stays true while the partition is asked for, until it is released', () => {
    const group = groupOfThree();
    const assignment = group.assignment('orders', 3);
    expect(owns(group.state, 'b', assignment)).toBe(true);
    group.release('b');
    expect(owns(group.state, 'b', assignment)).toBe(false);
    expect(owns(group.state, 'c', assignment)).toBe(false);
    expect(owns(group.state, 'c', group.assignment('orders', 3))).toBe(true);
  });

  test('is no longer true after a restart, and in another life', () => {
    const group = groupOfThree();
    const assignments = [0, 1].map((partition) => group.assignment('orders', partition));
    group.restart(assignments[0]!);
    expect(assignments.map((assignment) => owns(group.state, 'a', assignment))).toEqual([
      false,
      true,
    ]);
    group.leave('a');
    group.leave('b');
    group.leave('c');
    group.join('a');
    expect(group.owners).toEqual({ orders: 'a a a a' });
    expect(assignments.map((assignment) => owns(group.state, 'a', assignment))).toEqual([
      false,
      false,
    ]);
  });
});

describe('mustHold', () => {
  test('lets the owner pass', () => {
    const group = groupOfThree();
    mustOwn(group.state, group.ref('a'), group.assignment('orders', 0));
    mustOwn(group.state, group.ref('b'), group.assignment('orders', 3));
  });

  test('fences everybody else, and says from which partition', () => {
    const group = groupOfThree();
    const assignment = group.assignment('orders', 3);
    const error = errorOf(() => mustOwn(group.state, group.ref('c'), assignment));
    expect(error).toMatchObject({
      code: 'FENCED',
      retriable: false,
      details: { group: 'billing', member: 'c', partition: 3, epoch: assignment.assignmentEpoch },
    });
    expect(error.message).toContain("the member 'c' no longer has partition 3 of 'orders'");
  });

  test('fences a commit that comes after the release', () => {
    const group = groupOfThree();
    const assignment = group.assignment('orders', 3);
    group.release('b');
    expect(codeOf(() => mustOwn(group.state, group.ref('b'), assignment))).toBe('FENCED');
  });

  test('fences a commit that comes after a restart', () => {
    const group = groupOfThree();
    const assignment = group.assignment('orders', 0);
    group.restart(assignment);
    expect(codeOf(() => mustOwn(group.state, group.ref('a'), assignment))).toBe('FENCED');
    mustOwn(group.state, group.ref('a'), group.assignment('orders', 0));
  });

  test('names a topic that is gone by its id', () => {
    const group = groupOfThree();
    const assignment = group.assignment('orders', 0);
    group.deleteTopic('orders');
    group.refresh();
    const { message } = errorOf(() => mustOwn(group.state, group.ref('a'), assignment));
    expect(message).toContain(`partition 0 of '${assignment.topicId}'`);
  });
});

describe('viewOf', () => {
  test('tells a member what it has, what it is asked for and what it waits for', () => {
    const group = groupOfThree();
    const { generation } = group.state;
    const owned = [2, 3].map((partition) => ({
      ...group.assignment('orders', partition),
      topic: 'orders',
      revoked: partition === 3,
    }));
    const { memberEpoch } = group.ref('b');
    expect(group.view('b')).toMatchObject({ memberEpoch, generation, owned, pending: 0 });
    expect(group.view('c')).toMatchObject({
      memberEpoch: generation,
      generation,
      owned: [],
      pending: 1,
    });
  });

  test('leaves out what others have, and what has no reader', () => {
    const group = groupOfThree();
    const { memberEpoch } = group.ref('a');
    const owned = [0, 1].map((partition) => ({
      ...group.assignment('orders', partition),
      topic: 'orders',
      revoked: false,
    }));
    expect(group.view('a')).toMatchObject({
      memberEpoch,
      generation: group.state.generation,
      owned,
      pending: 0,
    });
  });
});

test('phaseOf tells whether some partition is still to move', () => {
  const group = new TestGroup({ orders: 2 });
  const phases = [phaseOf(group.state)];
  for (const happen of [
    () => group.join('a'),
    () => group.join('b'),
    () => group.release('a'),
    () => group.leave('a'),
    () => group.leave('b'),
  ]) {
    happen();
    phases.push(phaseOf(group.state));
  }
  expect(phases).toEqual(['empty', 'stable', 'reconciling', 'stable', 'stable', 'empty']);
});
