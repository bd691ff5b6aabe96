import { beforeEach, describe, expect, test } from 'vitest';
import { OffsetRanges } from '../../../src/broker/memory/offset-ranges.ts';

const RANGE = 1_000_000_000;

/** What was set aside of a topic, in order; the next worker's comes after it. */
let reserved: { readonly topicId: string; readonly from: number; readonly count: number }[];
let failures: number;
beforeEach(() => {
  reserved = [];
  failures = 0;
});

function endOf(topicId: string): number {
  return reserved
    .filter((one) => one.topicId === topicId)
    .reduce((end, { from, count }) => Math.max(end, from + count), 0);
}

async function reserve(topicId: string, count: number): Promise<number> {
  const from = endOf(topicId);
  await Promise.resolve();
  if (failures-- > 0) throw new Error('the store is away');
  reserved.push({ topicId, from, count });
  return from;
}

describe('a worker’s records of a topic begin', () => {
  test('where nobody’s were before', async () => {
    for (const from of [0, RANGE, 2 * RANGE]) {
      expect(await new OffsetRanges(reserve).begin('t')).toBe(from);
    }
  });

  test('at one place for all of its partitions, though they begin at once', async () => {
    const ranges = new OffsetRanges(reserve);
    expect(await Promise.all([ranges.begin('t'), ranges.begin('t')])).toEqual([0, 0]);
    expect(await ranges.begin('t')).toBe(0);
    expect(reserved).toHaveLength(1);
  });

  test('at a place of its own for each topic', async () => {
    await new OffsetRanges(reserve).begin('t');
    const ranges = new OffsetRanges(reserve);
    expect([await ranges.begin('t'), await ranges.begin('u')]).toEqual([RANGE, 0]);
  });

  test('at the next try where the store was away', async () => {
    const ranges = new OffsetRanges(reserve);
    failures = 1;
    const first = [ranges.begin('t'), ranges.begin('t')].map((begun) =>
      expect(begun).rejects.toThrow('the store is away'),
    );
    await Promise.all(first);
    expect(await ranges.begin('t')).toBe(0);
  });

  test('anew where the topic was forgotten', async () => {
    const ranges = new OffsetRanges(reserve);
    await ranges.begin('t');
    ranges.forget('t');
    expect(await ranges.begin('t')).toBe(RANGE);
  });
});

describe('what comes after is set aside', () => {
  test('when half of it is used, not before, and once', async () => {
    const ranges = new OffsetRanges(reserve);
    await ranges.begin('t');
    for (const offset of [1, 1_000, RANGE / 2 - 1]) await ranges.reached('t', offset);
    expect(endOf('t')).toBe(RANGE);
    await Promise.all([ranges.reached('t', RANGE / 2), ranges.reached('t', RANGE / 2 + 1)]);
    expect(endOf('t')).toBe(2 * RANGE);
    await ranges.reached('t', RANGE);
    expect(endOf('t')).toBe(2 * RANGE);
    await ranges.reached('t', 1.5 * RANGE);
    expect(endOf('t')).toBe(3 * RANGE);
  });

  test('again after a failure, with the next record', async () => {
    const ranges = new OffsetRanges(reserve);
    await ranges.begin('t');
    failures = 2;
    for (const offset of [RANGE / 2, RANGE / 2 + 1]) {
      await expect(ranges.reached('t', offset)).rejects.toThrow('the store is away');
    }
    await ranges.reached('t', RANGE / 2 + 2);
    expect(endOf('t')).toBe(2 * RANGE);
  });

  test('beyond what an import brought, however far that is', async () => {
    const ranges = new OffsetRanges(reserve);
    await ranges.begin('t');
    const far = 7 * RANGE + 5;
    await ranges.reached('t', far);
    expect(endOf('t')).toBeGreaterThanOrEqual(far + RANGE);
    expect(await new OffsetRanges(reserve).begin('t')).toBeGreaterThan(far);
    await ranges.reached('t', far + 1);
    expect(reserved).toHaveLength(3);
  });

  test('beyond the farthest of what several imports bring at once', async () => {
    const ranges = new OffsetRanges(reserve);
    await ranges.begin('t');
    const far = [5 * RANGE, 9 * RANGE, 7 * RANGE];
    await Promise.all(
      far.map(async (offset) => {
        await ranges.reached('t', offset);
        expect(endOf('t')).toBeGreaterThan(offset); // before it is stored
      }),
    );
    expect(await new OffsetRanges(reserve).begin('t')).toBeGreaterThan(9 * RANGE);
  });

  test('for the partition that is farthest', async () => {
    const ranges = new OffsetRanges(reserve);
    await ranges.begin('t');
    await ranges.reached('t', 0.6 * RANGE);
    await ranges.reached('t', 0.1 * RANGE);
    await ranges.reached('t', 0.6 * RANGE);
    expect(endOf('t')).toBe(2 * RANGE);
  });

  test('never for a topic that was not begun, or is forgotten', async () => {
    const ranges = new OffsetRanges(reserve);
    await ranges.reached('t', RANGE);
    await ranges.begin('t');
    ranges.forget('t');
    await ranges.reached('t', RANGE);
    expect(reserved).toHaveLength(1);
  });

  test('not of what another topic needs', async () => {
    const ranges = new OffsetRanges(reserve);
    await Promise.all([ranges.begin('t'), ranges.begin('u')]);
    await ranges.reached('t', RANGE);
    expect([endOf('t'), endOf('u')]).toEqual([2 * RANGE, RANGE]);
  });
});
