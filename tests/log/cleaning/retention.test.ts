import { describe, expect, test } from 'vitest';
import { newHead } from '../../../src/log/head.ts';
import { rowsBeyond, startByTime, trustTime } from '../../../src/log/cleaning/retention.ts';
import type { Segment } from '../../../src/log/segment.ts';
import type { TimeTrust } from '../../../src/log/cleaning/retention.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** Rows of these sizes, of ten offsets each. */
function rows(...sizes: number[]): Segment[] {
  return sizes.map((size, i) => ({
    baseOffset: i * 10,
    nextOffset: i * 10 + 10,
    bytes: new ArrayBuffer(size),
  }));
}

describe('rowsBeyond', () => {
  test.each([
    ['none where all fit', 600, Infinity, 0],
    ['the first where what is left is enough', 500, Infinity, 1],
    ['none where too little would be left', 501, Infinity, 0],
    ['all where nothing has to stay', 0, Infinity, 3],
    ['those whose last record is not protected', 0, 20, 2],
    ['not one that reaches into what is protected', 0, 19, 1],
  ])('%s', (_, maxBytes, protectedFrom, count) => {
    expect(rowsBeyond(600, maxBytes, rows(100, 200, 300), protectedFrom)).toBe(count);
  });
});

describe('startByTime', () => {
  const timeIndex = {
    entries: Float64Array.of(0, 1_000, 10, 2_000, 20, 3_000),
    strideBytes: 1,
    lastBytes: 1,
  };
  const head = { ...newHead('t', 0), endOffset: 30, timeIndex };

  test.each([
    [0, 0],
    [1_000, 0],
    [1_001, 10],
    [2_001, 20],
    [3_000, 20],
    [3_001, 30],
  ])('what is older than %i ends before %i', (cutoff, start) => {
    expect(startByTime(head, cutoff, Infinity)).toBe(start);
  });

  test('never before the start', () => {
    expect(startByTime({ ...head, startOffset: 15 }, 1_001, Infinity)).toBe(15);
  });
});

describe('trustTime', () => {
  /** What each look says, one after the other. */
  function looks(...times: number[]): boolean[] {
    let trust: TimeTrust = { seenAt: 0, doubtedAt: null };
    return times.map((now) => {
      const look = trustTime(trust, now);
      trust = look.trust;
      return look.isTrusted;
    });
  }

  test('small steps are trusted', () => {
    expect(looks(HOUR_MS, 2 * HOUR_MS, 30 * HOUR_MS)).toEqual([true, true, true]);
  });

  test('a jump is trusted when it is still so an hour later', () => {
    const there = YEAR_MS + HOUR_MS;
    expect(looks(YEAR_MS, there - 1, there, there + 1)).toEqual([false, false, true, true]);
  });

  test('so is a jump back', () => {
    expect(looks(-YEAR_MS, HOUR_MS - YEAR_MS)).toEqual([false, true]);
  });

  test('one that is set right was never one', () => {
    expect(looks(YEAR_MS, HOUR_MS, YEAR_MS + 2 * HOUR_MS)).toEqual([false, true, false]);
  });

  test('a second jump begins anew', () => {
    expect(looks(YEAR_MS, 2 * YEAR_MS, 2 * YEAR_MS + HOUR_MS)).toEqual([false, false, true]);
  });
});
