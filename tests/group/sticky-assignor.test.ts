import { describe, expect, test } from 'vitest';
import { all, sticky } from './assign.ts';
import type { Wishes } from './assign.ts';
import { descending, free, loadsOf, movedBetween } from './layout.ts';
import type { Layout } from './layout.ts';

describe('the first time', () => {
  test('the partitions go round', () => {
    expect(sticky(all('ab', 't1', 't2'), { t1: free(3), t2: free(3) })).toEqual({
      t1: 'a b a',
      t2: 'b a b',
    });
  });

  test('a member that can have little is made up for by the others', () => {
    const wishes = { a: ['t1'], b: ['t1', 't2'], c: ['t1'] };
    const after = sticky(wishes, { t1: free(3), t2: free(2) });
    expect(after['t2']).toBe('b b');
    expect(loadsOf(after, ['a', 'b', 'c']).sort(descending)).toEqual([2, 2, 1]);
  });

  // Kafka's example of what round robin does badly: two members want all five topics, two only three.
  test('the load is even where that is possible at all', () => {
    const wishes = {
      a: ['t1', 't2', 't3', 't4', 't5'],
      b: ['t1', 't3', 't5'],
      c: ['t1', 't3', 't5'],
      d: ['t1', 't2', 't3', 't4', 't5'],
    };
    const before = { t1: free(2), t2: free(1), t3: free(2), t4: free(1), t5: free(2) };
    expect(loadsOf(sticky(wishes, before), ['a', 'b', 'c', 'd'])).toEqual([2, 2, 2, 2]);
  });

  test('the load evens out over others, where two members have no topic in common', () => {
    const wishes = { a: ['t1'], b: ['t1', 't2'], c: ['t2', 't3'], d: ['t3'] };
    const after = sticky(wishes, { t1: 'a a a', t2: 'b', t3: 'c' });
    expect(loadsOf(after, ['a', 'b', 'c', 'd']).sort(descending)).toEqual([2, 1, 1, 1]);
  });
});

describe('what a member has', () => {
  test('stays where it is', () => {
    const before = { t1: 'b a b', t2: 'a b a' };
    expect(sticky(all('ab', 't1', 't2'), before)).toEqual(before);
  });

  test('stays but for what a new member must get', () => {
    expect(sticky(all('ab', 't1'), { t1: 'a a a' })).toEqual({ t1: 'a a b' });
    expect(sticky(all('abc', 't1'), { t1: 'a a a b b b' })).toEqual({ t1: 'a a c b b c' });
    expect(sticky(all('abcd', 't1'), { t1: 'a b c' })).toEqual({ t1: 'a b c' });
  });

  test('stays where another member leaves, and the rest is shared out evenly', () => {
    expect(sticky(all('bcd', 't1'), { t1: 'a b c a d a' })).toEqual({ t1: 'b b c c d d' });
    expect(sticky(all('b', 't1', 't2'), { t1: 'a b', t2: 'b a' })).toEqual({
      t1: 'b b',
      t2: 'b b',
    });
  });

  test('stays where partitions or a topic are added', () => {
    expect(sticky(all('ab', 't1', 't2'), { t1: 'b a -', t2: '- - -' })).toEqual({
      t1: 'b a a',
      t2: 'b a b',
    });
  });

  test('stays where a topic is deleted, but for the balance', () => {
    expect(sticky(all('ab', 't1', 't2'), { t2: 'a b' })).toEqual({ t2: 'a b' });
    expect(sticky(all('ab', 't1', 't2'), { t2: 'a a a' })).toEqual({ t2: 'a a b' });
  });

  test('goes to who wants it, where the member no longer does', () => {
    expect(sticky({ a: ['t1'], b: ['t2'] }, { t1: 'a b', t2: 'a b' })).toEqual({
      t1: 'a a',
      t2: 'b b',
    });
    expect(sticky({ a: ['t1'] }, { t1: 'a', t2: 'a' })).toEqual({ t1: 'a', t2: '-' });
  });

  test('counts for nothing where the member is not there', () => {
    expect(sticky(all('ab', 't1'), { t1: 'x x y y' })).toEqual({ t1: 'a b a b' });
  });

  test('stays through a chain of members, but for one partition each', () => {
    const wishes = { a: ['t1'], b: ['t1', 't2'], c: ['t2'] };
    expect(sticky(wishes, { t1: 'a a', t2: 'b b' })).toEqual({ t1: 'a a', t2: 'b c' });
    expect(sticky(wishes, { t1: 'a a a', t2: 'b' })).toEqual({ t1: 'a a b', t2: 'c' });
  });

  test('that nobody can help with does not keep others from sharing', () => {
    const wishes = { a: ['t1'], b: ['t2'], c: ['t2'] };
    expect(sticky(wishes, { t1: 'a a a', t2: 'b b' })).toEqual({ t1: 'a a a', t2: 'b c' });
  });

  test('is given up after what is only about to come', () => {
    // `a` comes first for t2/0, and then has too much with t3, which nobody else wants.
    const wishes = { a: ['t2', 't3'], b: ['t1', 't2'] };
    expect(sticky(wishes, { t1: 'b', t2: '- a', t3: '-' })).toEqual({
      t1: 'b',
      t2: 'b a',
      t3: 'a',
    });
  });

  test('stays where one move from another member does as well as a chain', () => {
    const wishes = { ...all('ab', 'audit', 'orders'), c: ['orders'] };
    const before = { audit: 'b b', orders: 'a a' };
    expect(sticky(wishes, before)).toEqual({ audit: 'b b', orders: 'a c' });
  });

  test('stays where new partitions alone can make the balance', () => {
    const wishes = { ...all('ab', 't1', 't2', 't3'), c: ['t1'] };
    const after = sticky(wishes, { t1: '-', t2: '-', t3: 'a' });
    expect(loadsOf(after, ['a', 'b', 'c'])).toEqual([1, 1, 1]);
    expect(after['t3']).toBe('a');
  });
});

describe('among equals a visible member comes first', () => {
  test('where there is something to get', () => {
    const ab = all('ab', 't1');
    expect(sticky(ab, { t1: '-' }, ['a'])).toEqual({ t1: 'b' });
    expect(sticky(ab, { t1: '- - -' }, ['a'])).toEqual({ t1: 'b a b' });
    expect(sticky(all('abc', 't1'), { t1: 'a a' }, ['b'])).toEqual({ t1: 'a c' });
  });

  test('and is the last to give', () => {
    expect(sticky(all('abc', 't1'), { t1: 'a a b b' }, ['a'])).toEqual({ t1: 'a c b b' });
    expect(sticky(all('abc', 't1'), { t1: 'a a b b' }, ['b'])).toEqual({ t1: 'a a b c' });
  });

  test('but takes nothing away from a hidden one', () => {
    expect(sticky(all('ab', 't1'), { t1: 'a a b' }, ['a'])).toEqual({ t1: 'a a b' });
    expect(sticky(all('ab', 't1'), { t1: 'a' }, ['a'])).toEqual({ t1: 'a' });
  });

  test('and where all are hidden, all are equal', () => {
    expect(sticky(all('ab', 't1'), { t1: '- -' }, ['a', 'b'])).toEqual({ t1: 'a b' });
  });
});

describe('with 100 members and 1000 partitions', () => {
  const members = Array.from({ length: 100 }, (_, i) => `m${String(i).padStart(2, '0')}`);
  const topics = Array.from({ length: 100 }, (_, i) => `t${i}`);
  const held = (by: string): Layout =>
    Object.fromEntries(topics.map((topic) => [topic, Array(10).fill(by).join(' ')]));
  const inTime = (wishes: Wishes, before: Layout): Layout => {
    const start = performance.now();
    const after = sticky(wishes, before);
    expect(performance.now() - start).toBeLessThan(3000);
    return after;
  };
  const wishes = Object.fromEntries(members.map((memberId) => [memberId, topics]));

  test('one member that has everything gives up all but its share', () => {
    const after = inTime(wishes, held('m00'));
    expect(new Set(loadsOf(after, members))).toEqual(new Set([10]));
  });

  test('one that leaves moves no partition but its own', () => {
    const before = sticky(wishes, held('-'));
    const { m50: _, ...others } = wishes;
    expect(movedBetween(before, inTime(others, before))).toBe(10);
  });

  test('the most different subscriptions still have a balance', () => {
    const nested = Object.fromEntries(
      members.map((memberId, i) => [memberId, topics.slice(0, i + 1)]),
    );
    const after = inTime(nested, held('-'));
    expect(loadsOf(after, members)).toEqual(members.map(() => 10));
  });
});
