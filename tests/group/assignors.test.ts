import { describe, expect, test } from 'vitest';
import { ASSIGNORS } from '../../src/group/assignors.ts';
import { ASSIGNOR_NAMES } from '../../src/protocol/group.ts';
import { assign } from './assign.ts';
import { free, loadsOf } from './layout.ts';

test('there is an assignor for each name', () => {
  expect(Object.keys(ASSIGNORS).sort()).toEqual([...ASSIGNOR_NAMES].sort());
});

describe.for(ASSIGNOR_NAMES)('%s', (name) => {
  test('has nothing to give where there is no topic', () => {
    expect(assign(name, { a: [] }, {})).toEqual({});
    expect(assign(name, { a: ['t1'] }, {})).toEqual({});
  });

  test('has nobody to give to where there is no member', () => {
    expect(assign(name, {}, { t1: '- a' })).toEqual({ t1: '- -' });
  });

  test('gives one member all that it wants, and only that', () => {
    expect(assign(name, { a: ['t1'] }, { t1: free(3) })).toEqual({ t1: 'a a a' });
    expect(assign(name, { a: ['t1', 't3'] }, { t1: free(1), t2: free(2), t3: free(2) })).toEqual({
      t1: 'a',
      t2: '- -',
      t3: 'a a',
    });
  });

  test('gives one partition to one of two members', () => {
    expect(assign(name, { a: ['t1'], b: ['t1'] }, { t1: '-' })).toEqual({ t1: 'a' });
  });

  test('gives two members one partition each', () => {
    expect(assign(name, { a: ['t1'], b: ['t1'] }, { t1: '- -' })).toEqual({ t1: 'a b' });
  });

  test('goes by member ids, in whatever order they come', () => {
    const wishes = { b10: ['t1'], a: ['t1'], B: ['t1'], b2: ['t1'] };
    expect(assign(name, wishes, { t1: free(4) })).toEqual({ t1: 'B a b10 b2' });
  });

  test('leaves aside a topic that nobody wants, wherever it stands', () => {
    const wishes = { a: ['t2', 't4'], b: ['t2', 't4'] };
    const before = { t1: free(1), t2: free(1), t3: free(3), t4: free(1), t5: free(2) };
    const after = assign(name, wishes, before);
    expect(after).toMatchObject({ t1: '-', t2: 'a', t3: '- - -', t5: '- -' });
  });

  test('leaves members idle where there are more of them than partitions', () => {
    const wishes = { a: ['t1'], b: ['t1'], c: ['t1'], d: ['t1'], e: ['t1'] };
    expect(assign(name, wishes, { t1: free(3) })).toEqual({ t1: 'a b c' });
  });

  test('deals with 100 members and 1000 partitions in no time', () => {
    const topics = Array.from({ length: 10 }, (_, i) => `t${i}`);
    const members = Array.from({ length: 100 }, (_, i) => `m${String(i).padStart(2, '0')}`);
    const wishes = Object.fromEntries(members.map((id) => [id, topics]));
    const before = Object.fromEntries(topics.map((topic) => [topic, free(100)]));
    const start = performance.now();
    const after = assign(name, wishes, before);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(loadsOf(after, members)).toEqual(members.map(() => 10));
  });
});

describe('range', () => {
  test('gives runs, and the first members one more where the numbers do not divide', () => {
    const wishes = { a: ['t1'], b: ['t1'], c: ['t1'] };
    const assigned = (partitions: number): string =>
      assign('range', wishes, { t1: free(partitions) })['t1']!;
    expect(assigned(2)).toBe('a b');
    expect(assigned(6)).toBe('a a b b c c');
    expect(assigned(7)).toBe('a a a b b c c');
    expect(assigned(8)).toBe('a a a b b b c c');
  });

  test('counts for each topic those who want it', () => {
    const wishes = { a: ['t1'], b: ['t1', 't2'], c: ['t1'] };
    expect(assign('range', wishes, { t1: free(3), t2: free(2) })).toEqual({
      t1: 'a b c',
      t2: 'b b',
    });
  });

  test('gives the first members the rest of every topic', () => {
    const wishes = { a: ['t1', 't2'], b: ['t1', 't2'] };
    expect(assign('range', wishes, { t1: free(3), t2: free(3) })).toEqual({
      t1: 'a a b',
      t2: 'a a b',
    });
  });

  test('gives the same number of equal topics to the same member', () => {
    const wishes = { a: ['t1', 't2', 't3'], b: ['t1', 't2', 't3'], c: ['t1', 't2', 't3'] };
    const { t1, t2, t3 } = assign('range', wishes, { t1: free(8), t2: free(8), t3: free(5) });
    expect(t1).toBe('a a a b b b c c');
    expect(t2).toBe(t1);
    expect(t3).toBe('a a b b c');
  });

  test('does not look at who has what, nor at who is seen', () => {
    const wishes = { a: ['t1'], b: ['t1'] };
    const before = { t1: 'b b b a' };
    expect(assign('range', wishes, before, { hidden: ['a'] })).toEqual({ t1: 'a a b b' });
  });

  test('draws the runs anew where members or partitions are added', () => {
    const a = { a: ['t1'] };
    const ab = { ...a, b: ['t1'] };
    expect(assign('range', ab, { t1: 'a a a a' })).toEqual({ t1: 'a a b b' });
    expect(assign('range', ab, { t1: 'a a b b -' })).toEqual({ t1: 'a a a b b' });
    expect(assign('range', { b: ['t1'] }, { t1: 'a a a b b' })).toEqual({ t1: 'b b b b b' });
  });
});

describe('roundRobin', () => {
  test('deals out the partitions of all topics in one row', () => {
    const wishes = { a: ['t1', 't2'], b: ['t1', 't2'] };
    expect(assign('roundRobin', wishes, { t1: free(3), t2: free(3) })).toEqual({
      t1: 'a b a',
      t2: 'b a b',
    });
  });

  test('passes over who does not want the topic, and goes on from there', () => {
    const wishes = { a: ['t1'], b: ['t1', 't2'], c: ['t1'] };
    expect(assign('roundRobin', wishes, { t1: free(3), t2: free(2) })).toEqual({
      t1: 'a b c',
      t2: 'b b',
    });
    expect(assign('roundRobin', wishes, { t1: free(1), t2: free(1), t3: free(1) })).toEqual({
      t1: 'a',
      t2: 'b',
      t3: '-',
    });
    expect(
      assign('roundRobin', { a: ['t1', 't3'], b: ['t2', 't3'] }, { t1: '- -', t2: '-', t3: '-' }),
    ).toEqual({ t1: 'a a', t2: 'b', t3: 'a' });
  });

  test('is not put out of step by a topic that nobody wants', () => {
    const wishes = { a: ['t1', 't3'], b: ['t1', 't3'] };
    const before = { t1: free(1), t2: free(3), t3: free(2) };
    expect(assign('roundRobin', wishes, before)).toEqual({ t1: 'a', t2: '- - -', t3: 'b a' });
  });

  test('does not look at who has what, nor at who is seen', () => {
    const wishes = { a: ['t1'], b: ['t1'] };
    const before = { t1: 'b b b a' };
    expect(assign('roundRobin', wishes, before, { hidden: ['a'] })).toEqual({ t1: 'a b a b' });
  });

  test('deals anew where members or partitions are added', () => {
    const wishes = { a: ['t1'], b: ['t1'], c: ['t1'] };
    expect(assign('roundRobin', wishes, { t1: 'a b a b' })).toEqual({ t1: 'a b c a' });
    expect(assign('roundRobin', wishes, { t1: 'a b c a -' })).toEqual({ t1: 'a b c a b' });
  });
});
