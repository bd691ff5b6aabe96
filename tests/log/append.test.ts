import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendBatches } from '../../src/log/append.ts';
import { SEGMENT_BYTES } from '../../src/log/segment.ts';
import type { NewBatch } from '../../src/log/append.ts';
import { TablogError } from '../../src/base/error.ts';
import { newHead } from '../../src/log/head.ts';
import type { PartitionHead } from '../../src/log/head.ts';
import { lookUpTime } from '../../src/log/time-index.ts';
import { RecordBatch, readBatches } from '../../src/record/batch-reader.ts';
import { crcMatches, placeBatch } from '../../src/record/batch-seal.ts';
import { batchOf, compactedBatch, recordOf } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';

interface Spec {
  readonly records: number;
  readonly valueBytes: number;
  readonly timestamp: number;
}

const anySpec: fc.Arbitrary<Spec> = fc.record({
  records: fc.integer({ min: 1, max: 5 }),
  valueBytes: fc.oneof(
    { weight: 6, arbitrary: fc.nat(2000) },
    { weight: 3, arbitrary: fc.integer({ min: 100_000, max: 600_000 }) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: SEGMENT_BYTES - 200, max: SEGMENT_BYTES + 200_000 }),
    },
  ),
  timestamp: fc.nat(1000),
});
const anyAppends = fc.array(fc.array(anySpec, { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 5,
});

function built({ records, valueBytes, timestamp }: Spec): Bytes {
  const value = new Uint8Array(valueBytes);
  const small = Array.from({ length: records - 1 }, () => recordOf());
  return batchOf([recordOf({ value, timestamp }), ...small]);
}

function append(head: PartitionHead, ...batches: Bytes[]): ReturnType<typeof appendBatches> {
  return appendBatches(head, batches.map(newBatch), 0);
}

function newBatch(bytes: Bytes): NewBatch {
  return { batch: new RecordBatch(bytes), appendTime: null, expectedOffset: null };
}

function baseOffsetsOf({ results }: ReturnType<typeof appendBatches>): number[] {
  return results.map((result) => {
    if (result instanceof TablogError) throw result;
    return result.baseOffset;
  });
}

function batchesIn(segment: { readonly bytes: ArrayBuffer }): RecordBatch[] {
  return [...readBatches(new Uint8Array(segment.bytes))];
}

test('whatever is appended, the partition is what a plain list of batches is', () => {
  fc.assert(
    fc.property(anyAppends, (appends) => {
      let head = newHead('topic', 3);
      const model = { endOffset: 0, bytes: 0, segments: 0 };
      let maxTimestamp = -1;
      for (const specs of appends) {
        const before = structuredClone(head);
        const batches = specs.map(built);
        const sizes = batches.map((batch) => batch.length);
        const baseOffsets = specs.map(({ records, timestamp }) => {
          const baseOffset = model.endOffset;
          model.endOffset += records;
          maxTimestamp = Math.max(maxTimestamp, timestamp);
          return baseOffset;
        });
        const appended = append(head, ...batches);
        model.bytes += sizes.reduce((sum, size) => sum + size, 0);
        model.segments += appended.segments.length;

        expect(head).toEqual(before);
        expect(baseOffsetsOf(appended)).toEqual(baseOffsets);
        const stored = appended.segments.flatMap(batchesIn);
        expect(stored.map(({ baseOffset }) => baseOffset)).toEqual(baseOffsets);
        expect(stored.map(({ bytes }) => bytes.length)).toEqual(sizes);
        expect(stored.every(({ bytes }) => crcMatches(bytes))).toBe(true);
        expectTiles(appended.segments, head.endOffset, model.endOffset);
        ({ head } = appended);
        expect(head).toMatchObject({ topicId: 'topic', partition: 3, startOffset: 0, ...model });
        expect(lookUpTime(head.timeIndex, maxTimestamp)).toBeLessThan(head.endOffset);
        expect(lookUpTime(head.timeIndex, maxTimestamp + 1)).toBeUndefined();
      }
    }),
    { numRuns: 60 },
  );
});

/** Each segment begins where the one before ended, and holds no more than it may. */
function expectTiles(
  segments: readonly ReturnType<typeof append>['segments'][number][],
  from: number,
  to: number,
): void {
  let next = from;
  let sizeBefore = SEGMENT_BYTES;
  for (const segment of segments) {
    const batches = batchesIn(segment);
    expect(segment.baseOffset).toBe(next);
    expect(batches[0]!.baseOffset).toBe(next);
    expect(batches.at(-1)!.nextOffset).toBe(segment.nextOffset);
    if (batches.length > 1) expect(segment.bytes.byteLength).toBeLessThanOrEqual(SEGMENT_BYTES);
    // Otherwise the first batch would be in the segment before.
    expect(sizeBefore + batches[0]!.bytes.length).toBeGreaterThan(SEGMENT_BYTES);
    next = segment.nextOffset;
    sizeBefore = segment.bytes.byteLength;
  }
  expect(next).toBe(to);
}

describe('a segment', () => {
  const head = newHead('topic', 0);
  const batchOfBytes = (bytes: number): Bytes => {
    const overhead = batchOf([recordOf({ value: new Uint8Array(bytes) })]).length - bytes;
    return batchOf([recordOf({ value: new Uint8Array(bytes - overhead) })]);
  };

  test('is filled up to SEGMENT_BYTES exactly', () => {
    const half = (): Bytes => batchOfBytes(SEGMENT_BYTES / 2);
    expect(half().length).toBe(SEGMENT_BYTES / 2);
    const { segments } = append(head, half(), half(), half());
    expect(segments.map(({ bytes }) => bytes.byteLength)).toEqual([
      SEGMENT_BYTES,
      SEGMENT_BYTES / 2,
    ]);
  });

  test('is larger where one batch is, which is then alone', () => {
    const small = batchOf([recordOf()]);
    const large = batchOfBytes(SEGMENT_BYTES + 5000);
    const { segments } = append(head, small, large, batchOf([recordOf()]));
    expect(segments.map((segment) => batchesIn(segment).length)).toEqual([1, 1, 1]);
    expect(segments.map(({ baseOffset }) => baseOffset)).toEqual([0, 1, 2]);
  });

  test('of one batch that has a buffer of its own is that buffer', () => {
    const batch = batchOf([recordOf()]);
    expect(append(head, batch).segments[0]!.bytes).toBe(batch.buffer);
  });

  test('of one batch that lies in a larger buffer is a copy', () => {
    const batch = batchOf([recordOf({ value: 'v' })]);
    const larger = new Uint8Array(batch.length + 10);
    larger.set(batch, 5);
    const { segments } = append(head, larger.subarray(5, 5 + batch.length));
    expect(segments[0]!.bytes.byteLength).toBe(batch.length);
    expect(batchesIn(segments[0]!)).toHaveLength(1);
  });
});

test('the offsets that a batch brings along do not count, only how many', () => {
  const appended = append(
    { ...newHead('topic', 0), endOffset: 1000 },
    batchOf([recordOf(), recordOf()], { baseOffset: 77 }),
    compactedBatch(10),
    batchOf([recordOf()], { baseOffset: 2 ** 50 }),
  );
  expect(baseOffsetsOf(appended)).toEqual([1000, 1002, 1012]);
  expect(appended.head.endOffset).toBe(1013);
});

test('nothing appended changes nothing', () => {
  const head = newHead('topic', 0);
  expect(append(head)).toEqual({ head, segments: [], results: [] });
});

test('the time index never points past the first record of a time', () => {
  const spec = fc.record({
    records: fc.constant(1),
    valueBytes: fc.integer({ min: 20_000, max: 90_000 }),
    timestamp: fc.nat(1000),
  });
  fc.assert(
    fc.property(fc.array(spec, { minLength: 2, maxLength: 12 }), (specs) => {
      let head = newHead('topic', 0);
      for (const one of specs) ({ head } = append(head, built(one)));
      expect(head.timeIndex.entries.length).toBeGreaterThan(0);
      for (const { timestamp } of specs) {
        const first = specs.findIndex((other) => other.timestamp >= timestamp);
        expect(lookUpTime(head.timeIndex, timestamp)).toBeLessThanOrEqual(first);
      }
    }),
  );
});

test('timestamps that go back leave the largest one', () => {
  const first = append(newHead('topic', 0), batchOf([recordOf({ timestamp: 900 })]));
  const second = append(first.head, batchOf([recordOf({ timestamp: 100 })]));
  expect(lookUpTime(second.head.timeIndex, 900)).toBe(0);
  expect(lookUpTime(second.head.timeIndex, 901)).toBeUndefined();
});

describe('batches that keep their offsets', () => {
  const kept = (base: number, end: number): NewBatch => {
    const bytes = batchOf([recordOf({ value: new Uint8Array([base]) })]);
    placeBatch(bytes, base);
    return {
      batch: new RecordBatch(bytes),
      appendTime: null,
      expectedOffset: end,
      keepsOffset: true,
    };
  };
  const batchesOf = ({ segments }: ReturnType<typeof appendBatches>): [number, number, number][] =>
    segments
      .flatMap(batchesIn)
      .map(({ baseOffset, nextOffset, recordCount }) => [baseOffset, nextOffset, recordCount]);

  test('are behind gaps without records', () => {
    const first = appendBatches(newHead('topic', 0), [kept(5, 0), kept(6, 6), kept(9, 7)], 0);
    expect(baseOffsetsOf(first)).toEqual([5, 6, 9]);
    expect(batchesOf(first)).toEqual([
      [0, 5, 0],
      [5, 6, 1],
      [6, 7, 1],
      [7, 9, 0],
      [9, 10, 1],
    ]);
    expect(first.head).toMatchObject({ startOffset: 0, endOffset: 10 });
    const far = 2 ** 33;
    const second = appendBatches(first.head, [kept(far, 10)], 0);
    expect(second.head.endOffset).toBe(far + 1);
    expect(batchesOf(second).map(([from]) => from)).toEqual([
      10,
      10 + 2 ** 31,
      10 + 2 ** 32,
      10 + 3 * 2 ** 31,
      far,
    ]);
  });

  test.each([
    ['where the partition ends elsewhere', kept(9, 6), 'CONFLICT'],
    ['before the end of the partition', kept(3, 5), 'CONFLICT'],
    ['too far behind the end', kept(2 ** 41, 5), 'BATCH_CORRUPT'],
  ])('are refused %s', (_, batch, code) => {
    const { head } = appendBatches(newHead('topic', 0), [kept(4, 0)], 0);
    const refused = appendBatches(head, [batch], 0);
    expect(refused.results).toMatchObject([{ code }]);
    expect(refused.segments).toEqual([]);
    expect(refused.head.endOffset).toBe(5);
  });
});
