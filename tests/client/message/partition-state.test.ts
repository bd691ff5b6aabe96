import { describe, expect, test } from 'vitest';
import { PartitionState } from '../../../src/client/message/partition-state.ts';
import type { PartitionStateName } from '../../../src/client/message/partition-state.ts';

const NAMES: readonly PartitionStateName[] = [
  'starting',
  'reading',
  'resetting',
  'deleted',
  'revoking',
  'lost',
];

describe('a partition', () => {
  test.each<[PartitionStateName, string]>([
    ['starting', 'reading revoking lost'],
    ['reading', 'resetting deleted revoking lost'],
    ['resetting', 'reading revoking lost'],
    ['deleted', 'revoking lost'],
    ['revoking', 'lost'],
    ['lost', ''],
  ])('that is %s can be next: %s', (name, expected) => {
    const next = NAMES.filter((other) => new PartitionState(name).enter(other));
    expect(next.join(' ')).toBe(expected);
  });

  test('stays what it is where the table has no such step', () => {
    const state = new PartitionState('revoking');
    expect(state.enter('reading')).toBe(false);
    expect(state.polls).toBe(false);
    expect(state.enter('lost')).toBe(true);
  });

  test.each<[PartitionStateName, boolean, boolean]>([
    ['starting', false, true],
    ['reading', true, true],
    ['resetting', false, true],
    ['deleted', false, false],
    ['revoking', false, false],
    ['lost', false, false],
  ])('that is %s polls: %s, delivers what was polled: %s', (name, polls, delivers) => {
    expect(new PartitionState(name)).toMatchObject({ polls, delivers });
  });

  test('delivers only what was polled since the last seek', () => {
    const state = new PartitionState('reading');
    const { seekVersion } = state;
    expect(state.isCurrent(seekVersion)).toBe(true);
    state.seek();
    expect(state.isCurrent(seekVersion)).toBe(false);
    expect(state.isCurrent(state.seekVersion)).toBe(true);
    state.enter('revoking');
    expect(state.isCurrent(state.seekVersion)).toBe(false);
  });

  test('is read again after a seek where it was being reset, and nowhere else', () => {
    for (const name of NAMES) {
      const state = new PartitionState(name);
      state.seek();
      expect(state.seekVersion).toBe(1);
      expect(state.polls).toBe(['reading', 'resetting'].includes(name));
    }
  });
});
