import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY_TIME_INDEX, extendTimeIndex, offsetBefore } from '../../src/log/time-index.ts';
import type { TimeIndex } from '../../src/log/time-index.ts';

const KIB = 1024;
const MAX_ENTRIES = 128;

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
  let maxBefore = -1;
  let bytes = 0;
  for (const segment of segments) {
    index = extendTimeIndex(index, timestamps.length, maxBefore, segment.bytes);
    expect(index.entries.length / 2).toBeLessThanOrEqual(MAX_ENTRIES);
    for (const timestamp of segment.timestamps) {
      timestamps.push(timestamp);
      bytesBefore.push(bytes);
      maxBefore = Math.max(maxBefore, timestamp);
    }
    bytes += segment.bytes;
  }
  return { index, timestamps, bytesBefore };
}

/** The first offset with a timestamp of at least `time`, or the one after the last. */
function trueOffset({ timestamps }: Log, time: number): number {
  const found = timestamps.findIndex((timestamp) => timestamp >= time);
  return found < 0 ? timestamps.length : found;
}

function expectNeverAfter(log: Log, time: number): void {
  expect(offsetBefore(log.index, time) ?? 0).toBeLessThanOrEqual(trueOffset(log, time));
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
    if (count > MAX_ENTRIES) expect(entries.length / 2).toBeGreaterThanOrEqual(MAX_ENTRIES / 2 - 2);
    for (let time = 0; time < count; time += Math.ceil(count / 500)) {
      expectNeverAfter(log, time);
      const found = offsetBefore(log.index, time) ?? 0;
      const read = log.bytesBefore[trueOffset(log, time)]! - log.bytesBefore[found]!;
      expect(read).toBeLessThanOrEqual(2 * strideBytes);
    }
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
        expect(entries[i + 1]!).toBeGreaterThanOrEqual(entries[i - 1]!);
      }
    }),
    { numRuns: 50 },
  );
});

test('it says nothing where it knows nothing', () => {
  expect(offsetBefore(EMPTY_TIME_INDEX, 0)).toBeUndefined();
  expect(EMPTY_TIME_INDEX.entries).toHaveLength(0);
});

test('extending makes a new index and leaves the old one', () => {
  const first = extendTimeIndex(EMPTY_TIME_INDEX, 0, -1, 100 * KIB);
  const copy = structuredClone(first);
  const second = extendTimeIndex(first, 10, 5, 100 * KIB);
  expect(first).toEqual(copy);
  expect([...second.entries]).toEqual([0, -1, 10, 5]);
});
