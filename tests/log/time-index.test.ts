import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newHead, startedAt } from '../../src/log/head.ts';
import type { PartitionHead } from '../../src/log/head.ts';
import { startByTime } from '../../src/log/cleaning/retention.ts';
import {
  EMPTY_TIME_INDEX,
  extendTimeIndex,
  lookUpAge,
  lookUpTime,
  markAhead,
  trimTimeIndex,
} from '../../src/log/time-index.ts';
import type { TimeIndex } from '../../src/log/time-index.ts';

const KIB = 1024;
const MAX_ENTRIES = 128;
const FIRST_STRIDE_BYTES = 64 * KIB;

interface Segment {
  readonly bytes: number;
  readonly timestamps: readonly number[];
}

interface Log {
  readonly index: TimeIndex;
  /** The timestamp of each offset. */
  readonly timestamps: readonly number[];
  /** The bytes of all segments before that of each offset. */
  readonly bytesBefore: readonly number[];
}

function indexed(segments: readonly Segment[]): Log {
  const timestamps: number[] = [];
  const bytesBefore: number[] = [];
  let index = EMPTY_TIME_INDEX;
  let bytes = 0;
  for (const segment of segments) {
    index = extendTimeIndex(
      index,
      timestamps.length,
      Math.max(...segment.timestamps),
      segment.bytes,
    );
    expect(index.entries.length / 2).toBeLessThan(MAX_ENTRIES);
    for (const timestamp of segment.timestamps) {
      timestamps.push(timestamp);
      bytesBefore.push(bytes);
    }
    bytes += segment.bytes;
  }
  return { index, timestamps, bytesBefore };
}

/** The first offset from `start` on with a timestamp of at least `time`, or `undefined`. */
function trueOffset({ timestamps }: Log, time: number, start = 0): number | undefined {
  const found = timestamps.findIndex((timestamp, offset) => offset >= start && timestamp >= time);
  return found < 0 ? undefined : found;
}

/** It says that there is one where there is, and not behind it. */
function expectNeverAfter(log: Log, time: number, start = 0): void {
  const found = lookUpTime(log.index, time) ?? Infinity;
  expect(found).toBeLessThanOrEqual(trueOffset(log, time, start) ?? Infinity);
}

const anySegments = (maxLength: number): fc.Arbitrary<Segment[]> =>
  fc.array(
    fc.record({
      bytes: fc.oneof(
        fc.integer({ min: 70, max: 4 * KIB }),
        fc.integer({ min: 4 * KIB, max: KIB * KIB }),
      ),
      timestamps: fc.array(fc.nat(1000), { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 1, maxLength, size: 'max' },
  );

test('it never points past the first record of a time, however the timestamps jump', () => {
  fc.assert(
    fc.property(anySegments(600), (segments) => {
      const log = indexed(segments);
      for (let time = -1; time <= 1001; time += 7) expectNeverAfter(log, time);
    }),
    { numRuns: 100 },
  );
});

test('nor with timestamps that only mostly grow', () => {
  const jitter = fc.array(fc.nat(300), { minLength: 500, maxLength: 1000, size: 'max' });
  fc.assert(
    fc.property(jitter, fc.integer({ min: 1, max: 40 }), (jitters, step) => {
      const segments = jitters.map((late, i) => ({
        bytes: 32 * KIB,
        timestamps: [i * step, Math.max(0, i * step - late)],
      }));
      const log = indexed(segments);
      for (let time = 0; time <= jitters.length * step; time += 11) expectNeverAfter(log, time);
    }),
    { numRuns: 20 },
  );
});

test('it stays small, and points close, in a log of any size', () => {
  for (const count of [1, 10, 127, 128, 129, 1000, 20_000]) {
    const segments = Array.from({ length: count }, (_, i) => ({
      bytes: 64 * KIB,
      timestamps: [i],
    }));
    const log = indexed(segments);
    const { entries, strideBytes } = log.index;
    // Half of the room is used at least, once there has been enough to fill it.
    if (count > MAX_ENTRIES) expect(entries.length / 2).toBeGreaterThanOrEqual(MAX_ENTRIES / 2);
    for (let time = 0; time < count; time += Math.ceil(count / 500)) {
      const [found, first] = [lookUpTime(log.index, time)!, trueOffset(log, time)!];
      expect(found).toBeLessThanOrEqual(first);
      const read = log.bytesBefore[first]! - log.bytesBefore[found]!;
      expect(read).toBeLessThanOrEqual(2 * strideBytes);
    }
    expect(lookUpTime(log.index, count)).toBeUndefined();
  }
});

test('entries ascend, and lie a stride apart', () => {
  fc.assert(
    fc.property(anySegments(1000), (segments) => {
      const { index, bytesBefore } = indexed(segments);
      const { entries, strideBytes } = index;
      for (let i = 2; i < entries.length; i += 2) {
        const [before, offset] = [entries[i - 2]!, entries[i]!];
        expect(bytesBefore[offset]! - bytesBefore[before]!).toBeGreaterThanOrEqual(strideBytes);
      }
    }),
    { numRuns: 50 },
  );
});

test('what lies before the start can be forgotten, and nothing else is', () => {
  fc.assert(
    fc.property(anySegments(600), fc.nat(2000), (segments, at) => {
      const whole = indexed(segments);
      const start = at % whole.timestamps.length;
      const log = { ...whole, index: trimTimeIndex(whole.index, start) };
      for (let time = -1; time <= 1001; time += 7) expectNeverAfter(log, time, start);
      expect(log.index.entries[2] ?? Infinity).toBeGreaterThan(start);
    }),
    { numRuns: 100 },
  );
});

test('a partition that lives long keeps its records as long as it is to, and little more', () => {
  // 64 KiB a minute for a month, of which an hour is to stay.
  const next = (before: PartitionHead, minute: number): PartitionHead => {
    const timeIndex = extendTimeIndex(before.timeIndex, minute, minute, 64 * KIB);
    const head = { ...before, endOffset: minute + 1, timeIndex };
    return startedAt(head, startByTime(head, minute - 60, minute));
  };
  let head = newHead('t', 0);
  for (let minute = 0; minute < 30 * 24 * 60; minute++) {
    head = next(head, minute);
    expect(head.endOffset - head.startOffset).toBeLessThanOrEqual(62);
  }
});

test('strides become short again where little is left of a large partition', () => {
  const segments = Array.from({ length: 100_000 }, (_, i) => ({
    bytes: 64 * KIB,
    timestamps: [i],
  }));
  const { index } = indexed(segments);
  expect(index.strideBytes).toBeGreaterThan(16 * FIRST_STRIDE_BYTES);
  const few = trimTimeIndex(index, 99_999);
  expect(few.entries).toHaveLength(2);
  expect(few.strideBytes).toBeLessThanOrEqual(index.strideBytes / 32);
  const { length } = index.entries;
  const half = trimTimeIndex(index, index.entries[Math.floor(length / 4) * 2]!);
  expect(half.strideBytes).toBe(index.strideBytes);
});

test('what was deleted to the end is forgotten: a record of the future, too', () => {
  const timeIndex = extendTimeIndex(EMPTY_TIME_INDEX, 0, 10 ** 15, 100);
  const head = startedAt({ ...newHead('t', 0), endOffset: 1, timeIndex }, 1);
  expect(lookUpTime(head.timeIndex, 0)).toBeUndefined();
});

test('marks are at what is ahead of the clock, stay as they are, and go when it is not', () => {
  let index = extendTimeIndex(EMPTY_TIME_INDEX, 0, 50, 64 * KIB);
  index = extendTimeIndex(index, 10, 1_000, 64 * KIB);
  expect(markAhead(index, 1_000)).toBe(index);
  const marked = markAhead(index, 100);
  expect([...marked.aheadSince!]).toEqual([0, 100]);
  expect(markAhead(marked, 200)).toBe(marked);
  expect(markAhead(marked, 1_000)).toEqual(index);
  expect(markAhead({ ...marked, aheadSince: Float64Array.of(1) }, 200).aheadSince).toEqual(
    Float64Array.of(0, 200),
  );
  expect([100, 101].map((cutoff) => lookUpAge(marked, cutoff, 300))).toEqual([10, undefined]);
  expect(lookUpAge(index, 300, 300)).toBe(10); // not seen before
  expect(lookUpAge(marked, 1_000, 1_000)).toBe(10); // the timestamp counts, once it is not ahead
});

test('a stride that gets more is younger than its mark', () => {
  const marked = markAhead(extendTimeIndex(EMPTY_TIME_INDEX, 0, 1_000, 100), 100);
  const longer = extendTimeIndex(marked, 1, 150, 100);
  expect(lookUpAge(longer, 150, 150)).toBe(0);
  expect([...markAhead(longer, 150).aheadSince!]).toEqual([150]);
});

test('no mark is ever earlier than the newest record of its stride', () => {
  const steps = fc.array(
    fc.record({
      ahead: fc.nat(5),
      bytes: fc.integer({ min: 1, max: 64 * KIB }),
      look: fc.boolean(),
    }),
    { minLength: 1, maxLength: 400, size: 'max' },
  );
  fc.assert(
    fc.property(steps, fc.nat(), (all, cut) => {
      let index = EMPTY_TIME_INDEX;
      all.forEach(({ ahead, bytes, look }, now) => {
        index = extendTimeIndex(index, now, now + ahead * 100, bytes);
        if (look) index = markAhead(index, now);
        if (now === cut % all.length) index = trimTimeIndex(index, Math.floor(now / 2));
        const { entries, aheadSince = new Float64Array() } = index;
        const tooEarly = aheadSince.findIndex((mark, i) => {
          const newest = (entries[2 * i + 2] ?? now + 1) - 1;
          return mark !== 0 && mark < newest;
        });
        if (tooEarly !== -1) expect.fail(`the mark ${tooEarly} is too early at ${now}`);
      });
    }),
    { numRuns: 100 },
  );
});

test('it says nothing where it knows nothing', () => {
  expect(lookUpTime(EMPTY_TIME_INDEX, 0)).toBeUndefined();
  expect(EMPTY_TIME_INDEX.entries).toHaveLength(0);
});

test('extending and trimming make a new index and leave the old one', () => {
  const first = extendTimeIndex(EMPTY_TIME_INDEX, 0, 3, 100 * KIB);
  const second = extendTimeIndex(first, 10, 5, 10 * KIB);
  const third = extendTimeIndex(second, 11, 7, 10 * KIB);
  expect([...first.entries]).toEqual([0, 3]);
  expect([...second.entries]).toEqual([0, 3, 10, 5]);
  expect([...third.entries]).toEqual([0, 3, 10, 7]);
  expect([...trimTimeIndex(third, 10).entries]).toEqual([10, 7]);
  expect([...third.entries]).toEqual([0, 3, 10, 7]);
});
