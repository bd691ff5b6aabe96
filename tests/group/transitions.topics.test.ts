import { describe, expect, test } from 'vitest';
import { owns, phaseOf } from '../../src/group/group-state.ts';
import { TestGroup } from './test-group.ts';

/** Which partitions of a topic came while the group was there, by number. */
function newOnes(group: TestGroup, topic: string): number[] {
  return group.state.partitions
    .filter((p) => p.topic === topic && p.isNew)
    .map(({ partition }) => partition);
}

describe('a topic', () => {
  test('that was there when the group came is not new', () => {
    const group = new TestGroup({ orders: 2, audit: 2 });
    group.join('a');
    group.join('b', { topics: ['audit'] });
    expect(newOnes(group, 'orders')).toEqual([]);
    expect(newOnes(group, 'audit')).toEqual([]);
  });

  test('that comes later, and matches, is given out at once, and new', () => {
    const group = new TestGroup({ 'orders.eu': 1 });
    group.join('a', { patterns: [/^orders\./] });
    group.join('b', { topics: ['orders.us'] });
    group.createTopic('orders.us', 2);
    group.createTopic('other', 2);
    const { generation } = group.state;
    expect(group.refresh()).toBe(true);
    expect(group.owners).toEqual({ 'orders.eu': 'a', 'orders.us': 'b a' });
    expect(group.epochs('orders.us')).toEqual([generation + 1, generation + 1]);
    expect(newOnes(group, 'orders.eu')).toEqual([]);
    expect(newOnes(group, 'orders.us')).toEqual([0, 1]);
    expect(group.refresh()).toBe(false);
  });

  test('that nobody wants is none of the group’s business', () => {
    const group = new TestGroup({ orders: 2 });
    group.join('a');
    group.createTopic('audit', 2);
    expect(group.refresh()).toBe(false);
  });

  test('is known by number, and topics by name, wherever they stand in the log', () => {
    const group = new TestGroup({ b: 2, a: 11, B: 1 });
    group.join('x', { patterns: [/./] });
    const partitions = group.state.partitions.map(
      ({ topic, partition }) => `${topic}/${partition}`,
    );
    const ofA = Array.from({ length: 11 }, (_, i) => `a/${i}`);
    expect(partitions).toEqual(['B/0', ...ofA, 'b/0', 'b/1']);
    group.topics = group.topics.toReversed();
    expect(group.refresh()).toBe(false);
  });

  test('that is deleted is forgotten, whoever read it', () => {
    const group = new TestGroup({ orders: 2, audit: 2 });
    const a = group.join('a', { topics: ['orders', 'audit'] });
    const assignment = group.assignment('audit', 0);
    group.deleteTopic('audit');
    expect(group.refresh()).toBe(true);
    expect(group.owners).toEqual({ orders: 'a a' });
    expect(group.view(a).owned.map(({ topic }) => topic)).toEqual(['orders', 'orders']);
    expect(owns(group.state, 'a', assignment)).toBe(false);
  });

  test('that is deleted leaves nothing to be released', () => {
    const group = new TestGroup({ orders: 4 });
    group.join('a');
    group.join('b');
    group.deleteTopic('orders');
    group.refresh();
    expect(group.member('a').releaseBy).toBeNull();
    expect(group.view('b').pending).toBe(0);
    expect(phaseOf(group.state)).toBe('stable');
  });

  test('that is made again under its name is another one', () => {
    const group = new TestGroup({ orders: 2 });
    group.join('a');
    const assignment = group.assignment('orders', 0);
    group.deleteTopic('orders');
    group.createTopic('orders', 2);
    expect(group.refresh()).toBe(true);
    expect(group.owners).toEqual({ orders: 'a a' });
    expect(newOnes(group, 'orders')).toEqual([0, 1]);
    expect(group.epochs('orders')).toEqual([2, 2]);
    expect(owns(group.state, 'a', assignment)).toBe(false);
    expect(owns(group.state, 'a', group.assignment('orders', 0))).toBe(true);
  });
});

describe('partitions that are added', () => {
  test('are new, and those that were there are not touched', () => {
    const group = new TestGroup({ orders: 2 });
    group.joinAll('a', 'b');
    const { partitions } = group.state;
    group.addPartitions('orders', 4);
    expect(group.refresh()).toBe(true);
    expect(group.owners).toEqual({ orders: 'a b a b' });
    expect(group.state.partitions.slice(0, 2)).toEqual(partitions);
    expect(newOnes(group, 'orders')).toEqual([2, 3]);
  });

  test('stay new, whatever happens', () => {
    const group = new TestGroup({ orders: 2 });
    group.joinAll('a');
    group.addPartitions('orders', 4);
    group.refresh();
    group.joinAll('b');
    group.leave('a');
    expect(newOnes(group, 'orders')).toEqual([2, 3]);
  });

  test('are found by whatever happens next', () => {
    const found = (happen: (group: TestGroup) => unknown): void => {
      const group = new TestGroup({ orders: 2 });
      group.joinAll('a', 'b');
      group.addPartitions('orders', 4);
      happen(group);
      expect(newOnes(group, 'orders')).toEqual([2, 3]);
      expect(group.view('a').owned.length).toBeGreaterThan(1);
    };
    found((group) => group.join('a'));
    found((group) => group.join('c'));
    found((group) => group.leave('b'));
    found((group) => group.release('a', [group.assignment('orders', 0)]));
    found((group) => group.show('a', true));
    found((group) => group.restart(group.assignment('orders', 0)));
    found((group) => group.overdue());
  });

  test('can ask for others: the balance is that of all', () => {
    const group = new TestGroup({ audit: 1, orders: 3 });
    group.join('a', { topics: ['audit', 'orders'] });
    group.join('b');
    group.settle();
    expect(group.owners).toEqual({ audit: 'a', orders: 'a b b' });
    group.addPartitions('audit', 3);
    group.refresh();
    expect(group.owners).toEqual({ audit: 'a a a', orders: 'a b b' });
    expect(group.targets).toEqual({ audit: 'a a a', orders: 'b b b' });
    expect(group.member('a').releaseBy).not.toBeNull();
  });
});

describe('what comes while a member joins', () => {
  test('is new where it belongs to a topic that the group has', () => {
    const group = new TestGroup({ orders: 1 });
    group.join('a');
    group.addPartitions('orders', 2);
    group.join('b');
    expect(newOnes(group, 'orders')).toEqual([1]);
  });

  test('is not new where the group did not want it before', () => {
    const group = new TestGroup({ orders: 1 });
    group.join('a');
    group.createTopic('audit', 2);
    group.join('b', { topics: ['audit'] });
    expect(newOnes(group, 'audit')).toEqual([]);
  });

  test('is new where somebody waited for it', () => {
    const group = new TestGroup({});
    group.join('a');
    group.createTopic('orders', 2);
    group.join('b');
    expect(newOnes(group, 'orders')).toEqual([0, 1]);
  });

  test('is new where a topic was made again', () => {
    const group = new TestGroup({ orders: 2 });
    group.join('a');
    group.deleteTopic('orders');
    group.createTopic('orders', 2);
    group.join('b');
    expect(newOnes(group, 'orders')).toEqual([0, 1]);
  });
});

describe('a group without members', () => {
  const left = (): TestGroup => {
    const group = new TestGroup({ audit: 1, orders: 2 });
    group.join('a', { topics: ['audit', 'orders'] });
    group.leave('a');
    return group;
  };

  test('keeps what it had, whatever happens to the topics', () => {
    const group = left();
    expect(group.owners).toEqual({ audit: '-', orders: '- -' });
    group.addPartitions('orders', 4);
    group.deleteTopic('audit');
    expect(group.refresh()).toBe(false);
    expect(group.overdue()).toBe(false);
  });

  test('goes on with what there is when somebody comes', () => {
    const group = left();
    group.addPartitions('orders', 3);
    group.deleteTopic('audit');
    group.createTopic('audit', 1);
    group.createTopic('other', 1);
    group.join('b', { patterns: [/./] });
    expect(group.owners).toEqual({ audit: 'b', orders: 'b b b', other: 'b' });
    expect(newOnes(group, 'orders')).toEqual([2]);
    expect(newOnes(group, 'other')).toEqual([]);
  });

  test('forgets what the next ones do not want', () => {
    const group = left();
    group.join('b');
    expect(group.owners).toEqual({ orders: 'b b' });
  });
});

describe('a pattern', () => {
  test('means any part of a name, but for its anchors', () => {
    const group = new TestGroup({ orders: 1, 'orders.eu': 1, reorders: 1, ORDERS: 1 });
    group.join('a', { patterns: [/^orders$/] });
    group.join('b', { patterns: [/eu$/, /^re/] });
    expect(group.owners).toEqual({ orders: 'a', 'orders.eu': 'b', reorders: 'b' });
    group.join('c', { patterns: [/orders/i] });
    expect(Object.keys(group.targets)).toEqual(['ORDERS', 'orders', 'orders.eu', 'reorders']);
  });

  test('adds to the topics that are named', () => {
    const group = new TestGroup({ audit: 1, orders: 1, other: 1 });
    group.join('a', { topics: ['audit'], patterns: [/^ord/] });
    expect(group.owners).toEqual({ audit: 'a', orders: 'a' });
  });

  test.for([/^orders/g, /^orders/y])('matches every time: %s', (pattern) => {
    const group = new TestGroup({ orders: 2 });
    group.join('a', { patterns: [pattern] });
    expect(group.owners).toEqual({ orders: 'a a' });
    expect(group.refresh()).toBe(false);
    expect(group.refresh()).toBe(false);
    expect(pattern.lastIndex).toBe(0);
  });
});
