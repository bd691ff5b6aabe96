import { describe, expect, test } from 'vitest';
import { holds, phaseOf } from '../../src/group/group-state.ts';
import { mustBeMember, mustHold } from '../../src/group/transitions.ts';
import type { Claim } from '../../src/protocol/group.ts';
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
    expect(fenced({ ...a, epoch: a.epoch - 1 })).toBe('FENCED');
    expect(fenced({ ...a, epoch: a.epoch + 1 })).toBe('FENCED');
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
      const claim: Claim = { topicId, partition, epoch };
      for (const { memberId } of state.members) {
        expect(holds(state, memberId, claim)).toBe(memberId === owner);
      }
      expect(holds(state, owner!, { ...claim, epoch: epoch - 1 })).toBe(false);
      expect(holds(state, owner!, { ...claim, epoch: epoch + 1 })).toBe(false);
      expect(holds(state, owner!, { ...claim, topicId: 'x' })).toBe(false);
      expect(holds(state, owner!, { ...claim, partition: 9 })).toBe(false);
    }
  });

  test('stays true through whatever does not concern the partition', () => {
    const group = groupOfThree();
    const claim = group.claim('orders', 0);
    group.show('a', true);
    group.join('d');
    group.settle();
    group.addPartitions('orders', 9);
    group.refresh();
    group.leave('b');
    expect(holds(group.state, 'a', claim)).toBe(true);
  });

  test('stays true while the partition is asked for, until it is released', () => {
    const group = groupOfThree();
    const claim = group.claim('orders', 3);
    expect(holds(group.state, 'b', claim)).toBe(true);
    group.release('b');
    expect(holds(group.state, 'b', claim)).toBe(false);
    expect(holds(group.state, 'c', claim)).toBe(false);
    expect(holds(group.state, 'c', group.claim('orders', 3))).toBe(true);
  });

  test('is no longer true after a restart, and in another life', () => {
    const group = groupOfThree();
    const claims = [0, 1].map((partition) => group.claim('orders', partition));
    group.restart(claims[0]!);
    expect(claims.map((claim) => holds(group.state, 'a', claim))).toEqual([false, true]);
    group.leave('a');
    group.leave('b');
    group.leave('c');
    group.join('a');
    expect(group.owners).toEqual({ orders: 'a a a a' });
    expect(claims.map((claim) => holds(group.state, 'a', claim))).toEqual([false, false]);
  });
});

describe('mustHold', () => {
  test('lets the owner pass', () => {
    const group = groupOfThree();
    mustHold(group.state, group.ref('a'), group.claim('orders', 0));
    mustHold(group.state, group.ref('b'), group.claim('orders', 3));
  });

  test('fences everybody else, and says from which partition', () => {
    const group = groupOfThree();
    const claim = group.claim('orders', 3);
    const error = errorOf(() => mustHold(group.state, group.ref('c'), claim));
    expect(error).toMatchObject({
      code: 'FENCED',
      retriable: false,
      details: { group: 'billing', member: 'c', partition: 3, epoch: claim.epoch },
    });
    expect(error.message).toContain("the member 'c' no longer has partition 3 of 'orders'");
  });

  test('fences a commit that comes after the release', () => {
    const group = groupOfThree();
    const claim = group.claim('orders', 3);
    group.release('b');
    expect(codeOf(() => mustHold(group.state, group.ref('b'), claim))).toBe('FENCED');
  });

  test('fences a commit that comes after a restart', () => {
    const group = groupOfThree();
    const claim = group.claim('orders', 0);
    group.restart(claim);
    expect(codeOf(() => mustHold(group.state, group.ref('a'), claim))).toBe('FENCED');
    mustHold(group.state, group.ref('a'), group.claim('orders', 0));
  });

  test('names a topic that is gone by its id', () => {
    const group = groupOfThree();
    const claim = group.claim('orders', 0);
    group.deleteTopic('orders');
    group.refresh();
    const { message } = errorOf(() => mustHold(group.state, group.ref('a'), claim));
    expect(message).toContain(`partition 0 of '${claim.topicId}'`);
  });
});

describe('viewOf', () => {
  test('tells a member what it has, what it is asked for and what it waits for', () => {
    const group = groupOfThree();
    const { generation } = group.state;
    const owned = [2, 3].map((partition) => ({
      ...group.claim('orders', partition),
      topic: 'orders',
      revoked: partition === 3,
    }));
    const { epoch } = group.ref('b');
    expect(group.view('b')).toMatchObject({ epoch, generation, owned, pending: 0 });
    expect(group.view('c')).toMatchObject({ epoch: generation, generation, owned: [], pending: 1 });
  });

  test('leaves out what others have, and what has no reader', () => {
    const group = groupOfThree();
    const { epoch } = group.ref('a');
    const owned = [0, 1].map((partition) => ({
      ...group.claim('orders', partition),
      topic: 'orders',
      revoked: false,
    }));
    expect(group.view('a')).toMatchObject({
      epoch,
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
