import { describe, expect, test } from 'vitest';
import { newGroup, phaseOf } from '../../src/group/group-state.ts';
import type { MemberRef } from '../../src/protocol/group.ts';
import { codeOf } from '../record/errors.ts';
import { groupOf, joinRequest, TestGroup, lifeOf } from './test-group.ts';

describe('four partitions', () => {
  test('all go at once to the first member', () => {
    const group = groupOf();
    const a = group.join('a');
    expect(group.owners).toEqual({ orders: 'a a a a' });
    expect(group.view(a).owned.map(({ assignmentEpoch }) => assignmentEpoch)).toEqual([1, 1, 1, 1]);
    expect(a.memberEpoch).toBe(1);
    expect(phaseOf(group.state)).toBe('stable');
  });

  test('go to a second member only when the first has released them', () => {
    const group = groupOf('a');
    group.join('b');
    expect(group.owners).toEqual({ orders: 'a a a a' });
    expect(group.targets).toEqual({ orders: 'a a b b' });
    expect(group.view('a').owned.map(({ revoked }) => revoked)).toEqual([false, false, true, true]);
    expect(group.view('b')).toMatchObject({ owned: [], pending: 2 });
    expect(phaseOf(group.state)).toBe('reconciling');

    group.release('a', [group.assignment('orders', 3)]);
    expect(group.owners).toEqual({ orders: 'a a a b' });
    expect(group.view('b')).toMatchObject({
      owned: [{ partition: 3, assignmentEpoch: 3 }],
      pending: 1,
    });
    group.release('a', [group.assignment('orders', 2)]);
    expect(group.owners).toEqual({ orders: 'a a b b' });
    expect(group.epochs('orders')).toEqual([1, 1, 4, 3]);
    expect(phaseOf(group.state)).toBe('stable');
  });

  test('of three members move to a fourth, one only, and the others go on', () => {
    const group = groupOf('a', 'b', 'c');
    expect(group.owners).toEqual({ orders: 'a a b c' });
    const epochs = group.epochs('orders');
    group.joinAll('d');
    expect(group.owners).toEqual({ orders: 'a d b c' });
    expect(group.epochs('orders').with(1, 0)).toEqual(epochs.with(1, 0));
  });

  test('leave nothing for a fifth member, until another leaves', () => {
    const group = groupOf('a', 'b', 'c', 'd');
    const { partitions } = group.state;
    group.join('e');
    expect(group.state.partitions).toEqual(partitions);
    expect(group.view('e')).toMatchObject({ owned: [], pending: 0 });
    expect(phaseOf(group.state)).toBe('stable');

    group.leave('d');
    expect(group.owners).toEqual({ orders: 'a e b c' });
    expect(phaseOf(group.state)).toBe('stable');
  });

  test('are nobody’s when the last member has left, and go to the next one that comes', () => {
    const group = groupOf('a', 'b');
    group.leave('a');
    expect(group.owners).toEqual({ orders: 'b b b b' });
    group.leave('b');
    expect(group.owners).toEqual({ orders: '- - - -' });
    expect(group.targets).toEqual({ orders: '- - - -' });
    expect(phaseOf(group.state)).toBe('empty');
    const { generation } = group.state;
    group.join('a');
    expect(group.owners).toEqual({ orders: 'a a a a' });
    expect(new Set(group.epochs('orders'))).toEqual(new Set([generation + 1]));
  });
});

describe.for(['leave', 'expire'] as const)('%s', (kind) => {
  const go = (group: TestGroup, member: string | MemberRef): boolean => group[kind](member);

  test('frees at once what the member had, and moves nothing else', () => {
    const group = groupOf('a', 'b');
    const epochs = group.epochs('orders');
    expect(go(group, 'a')).toBe(true);
    expect(group.owners).toEqual({ orders: 'b b b b' });
    const { generation } = group.state;
    expect(group.epochs('orders')).toEqual([generation, generation, epochs[2], epochs[3]]);
  });

  test('gives what the member was asked to release to those it was meant for', () => {
    const group = groupOf('a');
    group.join('b');
    group.join('c');
    expect(group.targets).toEqual({ orders: 'a a c b' });
    go(group, 'a');
    expect(group.owners).toEqual({ orders: 'b c c b' });
    expect(phaseOf(group.state)).toBe('stable');
  });

  test('of whom partitions were meant for, lets the others keep them', () => {
    const group = groupOf('a');
    group.join('b');
    expect(group.member('a').releaseBy).not.toBeNull();
    go(group, 'b');
    expect(group.owners).toEqual({ orders: 'a a a a' });
    expect(group.targets).toEqual({ orders: 'a a a a' });
    expect(new Set(group.epochs('orders'))).toEqual(new Set([1]));
    expect(group.member('a').releaseBy).toBeNull();
  });

  test('drops the topics that only this member wanted', () => {
    const group = new TestGroup({ orders: 2, audit: 2 });
    group.join('a');
    group.join('b', { topics: ['audit'] });
    go(group, 'b');
    expect(group.owners).toEqual({ orders: 'a a' });
  });

  test('changes nothing where it is of another life, or of nobody', () => {
    const group = groupOf('a');
    const before = group.ref('a');
    group.leave('a');
    expect(go(group, before)).toBe(false);
    group.join('a');
    expect(go(group, before)).toBe(false);
    expect(go(group, { ...before, memberId: 'b' })).toBe(false);
  });
});

test('expire removes many members in one generation', () => {
  const group = groupOf('a', 'b', 'c', 'd');
  const { generation } = group.state;
  expect(group.expire('a', { ...group.ref('b'), memberEpoch: -1 }, 'c')).toBe(true);
  expect(group.owners).toEqual({ orders: 'b d b d' });
  expect(group.state.generation).toBe(generation + 1);
  expect(group.expire()).toBe(false);
});

describe('show', () => {
  test('changes what is known of the tab, and moves nothing', () => {
    const group = groupOf('a', 'b', 'c');
    const { partitions, generation } = group.state;
    expect(group.show('a', true)).toBe(true);
    expect(group.member('a').hidden).toBe(true);
    expect(group.member('b').hidden).toBe(false);
    expect(group.state.partitions).toEqual(partitions);
    expect(group.state.generation).toBe(generation + 1);
    expect(group.show('a', true)).toBe(false);
    expect(group.show('a', false)).toBe(true);
  });

  test('does not turn back what is on its way', () => {
    const group = new TestGroup({ orders: 6 });
    group.joinAll('a');
    group.join('b');
    group.join('c');
    const { targets } = group;
    expect(targets).toEqual({ orders: 'a a c b c b' });
    group.show('b', true);
    expect(group.targets).toEqual(targets);
    group.release('a', [group.assignment('orders', 5)]);
    expect(group.targets).toEqual(targets);
  });

  test('counts when partitions are next shared out', () => {
    const group = groupOf('a', 'b');
    group.show('a', true);
    group.join('c');
    expect(group.targets).toEqual({ orders: 'a c b b' });
  });

  test('by a member of another life is fenced', () => {
    const group = groupOf('a', 'b');
    const before = group.ref('a');
    group.leave('a');
    expect(codeOf(() => group.show(before, true))).toBe('FENCED');
    group.join('a');
    expect(codeOf(() => group.show(before, true))).toBe('FENCED');
  });
});

describe('restart', () => {
  test('gives the owner its partition anew, and leaves the others alone', () => {
    const group = groupOf('a', 'b');
    const epochs = group.epochs('orders');
    expect(group.restart({ topicId: group.assignment('orders', 2).topicId, partition: 2 })).toBe(
      true,
    );
    expect(group.owners).toEqual({ orders: 'a a b b' });
    expect(group.epochs('orders')).toEqual(epochs.with(2, group.state.generation));
  });

  test('of what is to be released leaves it to be released', () => {
    const group = groupOf('a');
    group.join('b');
    const due = group.member('a').releaseBy;
    group.now += 1000;
    const old = group.assignment('orders', 3);
    group.restart(old);
    expect(group.member('a').releaseBy).toBe(due);
    expect(group.targets).toEqual({ orders: 'a a b b' });
    expect(group.release('a', [old])).toBe(false);
    group.release('a');
    expect(group.owners).toEqual({ orders: 'a a b b' });
  });

  test('of nothing changes nothing', () => {
    expect(groupOf('a').restart()).toBe(false);
  });

  test('of a partition that the group does not have changes nothing', () => {
    expect(groupOf('a').restart({ topicId: 'gone', partition: 0 })).toBe(false);
  });

  test('of what nobody reads changes nothing', () => {
    const group = groupOf('a');
    const assignment = group.assignment('orders', 0);
    group.leave('a');
    expect(group.restart(assignment)).toBe(false);
  });
});

test('each change is one generation more, and what is no change is the very same group', () => {
  const group = groupOf('a', 'b', 'c');
  const changes: (() => boolean)[] = [
    () => group.happen({ kind: 'join', request: joinRequest('d') }),
    () => group.release('a'),
    () => group.show('b', true),
    () => group.restart(group.assignment('orders', 0)),
    () => group.leave('b'),
    () => group.expire('c'),
  ];
  for (const change of changes) {
    const { generation } = group.state;
    expect(group.refresh()).toBe(false);
    expect(group.overdue()).toBe(false);
    expect(change()).toBe(true);
    expect(group.state.generation).toBe(generation + 1);
  }
});

test('a new group has nothing and asks for nothing', () => {
  const group = new TestGroup({ orders: 4 });
  expect(group.state).toEqual(newGroup('billing'));
  expect(group.state.generation).toBe(0);
  expect(phaseOf(group.state)).toBe('empty');
  expect(group.refresh()).toBe(false);
  expect(group.overdue()).toBe(false);
});

test('twenty members and a thousand partitions come together in no time', () => {
  const group = new TestGroup({ orders: 1000 });
  const start = performance.now();
  for (let i = 0; i < 20; i++) {
    group.join(`m${i}`);
    for (const { memberId, releaseBy } of group.state.members) {
      if (releaseBy !== null) group.release(memberId);
    }
  }
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(phaseOf(group.state)).toBe('stable');
  expect(group.state.members.map(({ memberId }) => group.view(memberId).owned.length)).toEqual(
    Array.from({ length: 20 }, () => 50),
  );
});

describe('silent', () => {
  const half = 22_500;

  test('is asked first, and removed when that is in vain for half of its session timeout', () => {
    const group = groupOf('a', 'b');
    const silent = (): boolean =>
      group.happen({ kind: 'silent', members: [lifeOf(group.ref('b'))] });
    expect(silent()).toBe(true);
    expect(group.member('b').suspectedAt).toBe(group.now);
    group.now += half - 1;
    expect(silent()).toBe(false);
    expect(group.owners).toEqual({ orders: 'a a b b' });
    group.now += 1;
    expect(silent()).toBe(true);
    expect(group.owners).toEqual({ orders: 'a a a a' });
  });

  test('is not removed when it has shown itself meanwhile', () => {
    const group = groupOf('a', 'b');
    const member = group.ref('b');
    const silent = (): boolean => group.happen({ kind: 'silent', members: [lifeOf(member)] });
    silent();
    group.now += half;
    expect(group.happen({ kind: 'show', member, hidden: false })).toBe(true);
    expect(group.member('b').suspectedAt).toBeNull();
    expect(silent()).toBe(true); // and is asked again
    expect(group.ref('b')).toEqual(member);
  });

  test('of an earlier life changes nothing', () => {
    const group = groupOf('a', 'b');
    const members = [{ ...group.ref('b'), epoch: -1 }];
    expect(group.happen({ kind: 'silent', members })).toBe(false);
  });
});
