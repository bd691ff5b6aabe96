import { describe, expect, test } from 'vitest';
import { phaseOf } from '../../src/group/group-state.ts';
import { codeOf } from '../record/errors.ts';
import { groupOf, REBALANCE_TIMEOUT_MS, TestGroup } from './test-group.ts';

describe('release', () => {
  test('of nothing changes nothing', () => {
    const group = groupOf('a', 'b');
    expect(group.release('a', [])).toBe(false);
    expect(group.release('a')).toBe(false);
  });

  test('is of what the member has, since then; the rest is passed over', () => {
    const group = groupOf('a');
    group.join('b');
    const assignment = group.assignment('orders', 3);
    expect(group.release('b', [assignment])).toBe(false);
    expect(
      group.release('a', [{ ...assignment, assignmentEpoch: assignment.assignmentEpoch - 1 }]),
    ).toBe(false);
    expect(
      group.release('a', [{ ...assignment, assignmentEpoch: assignment.assignmentEpoch + 1 }]),
    ).toBe(false);
    expect(group.release('a', [{ ...assignment, partition: 4 }])).toBe(false);
    expect(group.release('a', [{ ...assignment, topicId: 'gone' }])).toBe(false);
    expect(group.release('a', [{ ...assignment, assignmentEpoch: 0 }, assignment])).toBe(true);
    expect(group.owners).toEqual({ orders: 'a a a b' });
    expect(group.release('a', [assignment])).toBe(false);
  });

  test('moves nothing but what was released', () => {
    const group = groupOf('a');
    group.join('b');
    const { partitions } = group.state;
    group.release('a', [group.assignment('orders', 2)]);
    expect(group.state.partitions.toSpliced(2, 1)).toEqual(partitions.toSpliced(2, 1));
  });

  test('of what was not asked for gives it back, under a new epoch', () => {
    const group = groupOf('a', 'b');
    const assignment = group.assignment('orders', 0);
    expect(group.release('a', [assignment])).toBe(true);
    expect(group.owners).toEqual({ orders: 'a a b b' });
    expect(group.assignment('orders', 0).assignmentEpoch).toBe(group.state.generation);
  });

  test('by a member of another life is fenced', () => {
    const group = groupOf('a', 'b');
    const before = group.ref('a');
    const assignment = group.assignment('orders', 0);
    group.expire('a');
    expect(codeOf(() => group.release(before, [assignment]))).toBe('FENCED');
    group.join('a');
    expect(codeOf(() => group.release(before, [assignment]))).toBe('FENCED');
    expect(codeOf(() => group.release({ ...before, memberId: 'x' }, []))).toBe('FENCED');
  });
});

describe('the time to release', () => {
  test('runs from the first asking, and anew from each release until the last', () => {
    const group = groupOf('a');
    expect(group.member('a').releaseBy).toBeNull();
    const due = group.now + REBALANCE_TIMEOUT_MS;
    group.join('b');
    expect(group.member('a').releaseBy).toBe(due);
    expect(group.member('b').releaseBy).toBeNull();
    group.now += 1000;
    group.join('c');
    expect(group.targets).toEqual({ orders: 'a a c b' });
    expect(group.member('a').releaseBy).toBe(due);
    group.release('a', [group.assignment('orders', 3)]);
    expect(group.member('a').releaseBy).toBe(due + 1000);
    group.release('a', [group.assignment('orders', 2)]);
    expect(group.member('a').releaseBy).toBeNull();
  });

  test('is each member’s own', () => {
    const group = groupOf();
    group.join('a', { rebalanceTimeoutMs: 5000 });
    group.join('b');
    expect(group.member('a').releaseBy).toBe(group.now + 5000);
  });

  test('begins anew with another asking', () => {
    const group = groupOf('a', 'b');
    group.now += 1_000_000;
    group.join('c');
    expect(group.member('b').releaseBy).toBe(group.now + REBALANCE_TIMEOUT_MS);
    expect(group.member('a').releaseBy).toBeNull();
  });

  test('when it is over, the member that is late is removed, and nobody else', () => {
    const group = groupOf('a', 'b');
    group.join('c');
    const late = group.member('b').releaseBy!;
    group.now = late - 1;
    expect(group.overdue()).toBe(false);
    group.now = late;
    expect(group.overdue()).toBe(true);
    expect(group.owners).toEqual({ orders: 'a a c c' });
    expect(phaseOf(group.state)).toBe('stable');
    expect(group.overdue()).toBe(false);
  });

  test('ends for each by itself where several are late', () => {
    const group = new TestGroup({ orders: 6 });
    group.join('a', { rebalanceTimeoutMs: 1000 });
    group.join('b', { rebalanceTimeoutMs: 9000 });
    group.settle();
    group.join('c');
    expect(group.targets).toEqual({ orders: 'a a c b b c' });
    group.now += 1000;
    group.overdue();
    expect(group.state.members.map(({ memberId }) => memberId)).toEqual(['b', 'c']);
    expect(phaseOf(group.state)).toBe('stable');
    expect(group.member('b').releaseBy).toBeNull();
  });

  test('does not run where nothing is asked', () => {
    const group = groupOf('a', 'b');
    group.now += 1_000_000_000;
    expect(group.overdue()).toBe(false);
  });
});
