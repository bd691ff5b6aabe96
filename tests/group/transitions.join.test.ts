import { describe, expect, test } from 'vitest';
import { phaseOf } from '../../src/group/group-state.ts';
import { errorOf } from '../record/errors.ts';
import { groupOf, joinRequest, REBALANCE_TIMEOUT_MS, TestGroup } from './test-group.ts';

describe('join', () => {
  test('writes down who came, when, and for what', () => {
    const group = groupOf();
    const patterns = [/^audit\./i];
    group.join('a', { topics: ['orders'], patterns, hidden: true, clientId: 'tab' });
    expect(group.state).toMatchObject({ generation: 1, assignor: 'sticky' });
    expect(group.state.members).toEqual([
      {
        memberId: 'a',
        clientId: 'tab',
        epoch: 1,
        subscription: { topics: ['orders'], patterns },
        hidden: true,
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
        joinedAt: group.now,
        suspectedAt: null,
        releaseBy: null,
      },
    ]);
  });

  test('leaves something that can be stored', () => {
    const group = groupOf('a');
    group.join('b', { patterns: [/^orders/] });
    expect(structuredClone(group.state)).toEqual(group.state);
  });

  test('puts members in the order in which they came, but shares out by their ids', () => {
    const group = groupOf();
    group.join('b');
    group.join('a');
    expect(group.state.members.map(({ memberId }) => memberId)).toEqual(['b', 'a']);
    group.leave('b');
    group.join('b');
    expect(group.targets).toEqual({ orders: 'a a b b' });
  });

  test('again, from the same tab, changes nothing', () => {
    const group = groupOf('a', 'b');
    group.join('c');
    group.now += 1000;
    expect(group.happen({ kind: 'join', request: joinRequest('a') })).toBe(false);
    expect(group.happen({ kind: 'join', request: joinRequest('c') })).toBe(false);
  });

  test('under the id of a member of another tab is an error', () => {
    const group = groupOf('a');
    const error = errorOf(() => group.join('a', { clientId: 'another tab' }));
    expect(error).toMatchObject({
      code: 'MEMBER_EXISTS',
      retriable: true,
      details: { group: 'billing', member: 'a' },
    });
    group.leave('a');
    group.join('a', { clientId: 'another tab' });
    expect(group.member('a').clientId).toBe('another tab');
  });

  test('after leaving is another life', () => {
    const group = groupOf('a', 'b');
    const before = group.ref('a');
    group.leave('a');
    expect(group.join('a').memberEpoch).toBeGreaterThan(before.memberEpoch);
  });

  test('where nothing is to be read yet, waits for it', () => {
    const group = new TestGroup({ orders: 4 });
    group.join('a', { topics: ['later'] });
    expect(group.state).toMatchObject({ generation: 1, partitions: [] });
    expect(phaseOf(group.state)).toBe('stable');
    group.join('b', { topics: [] });
    expect(group.state).toMatchObject({ generation: 2, partitions: [] });
  });

  test('for other topics than the others leaves them theirs', () => {
    const group = new TestGroup({ orders: 2, audit: 2, other: 2 });
    group.join('a');
    group.join('b', { topics: ['audit'] });
    expect(group.owners).toEqual({ audit: 'b b', orders: 'a a' });
    expect(phaseOf(group.state)).toBe('stable');
    group.join('c', { topics: ['audit', 'orders'] });
    expect(group.targets).toEqual({ audit: 'b c', orders: 'a a' });
  });

  describe('with an assignor', () => {
    test('decides for a group without members', () => {
      const group = groupOf();
      group.join('a', { assignor: 'range' });
      expect(group.state.assignor).toBe('range');
      group.join('b');
      expect(group.state.assignor).toBe('range');
      expect(group.targets).toEqual({ orders: 'a a b b' });
    });

    test('of the group’s name is welcome', () => {
      const group = groupOf();
      group.join('a', { assignor: 'roundRobin' });
      group.join('b', { assignor: 'roundRobin' });
      expect(group.targets).toEqual({ orders: 'a b a b' });
    });

    test('of another name is an error, as long as there are members', () => {
      const group = groupOf('a');
      const error = errorOf(() => group.join('b', { assignor: 'range' }));
      expect(error).toMatchObject({
        code: 'INCONSISTENT_GROUP_PROTOCOL',
        retriable: false,
        details: { group: 'billing', assignor: 'sticky' },
      });
      expect(error.message).toContain("'range'");
      group.leave('a');
      group.join('b', { assignor: 'range' });
      expect(group.state.assignor).toBe('range');
    });

    test('none, keeps the one of the group that was', () => {
      const group = groupOf();
      group.join('a', { assignor: 'range' });
      group.leave('a');
      group.join('b');
      expect(group.state.assignor).toBe('range');
    });
  });
});
