import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newHead } from '../../src/log/head.ts';
import { hasCompressed, offsetAtTime, readPartition } from '../../src/log/segment-reader.ts';
import { sliceSegment } from '../../src/log/segment-slice.ts';
import { readBatches } from '../../src/record/batch-reader.ts';
import { batchOf, compactedBatch, rawBatch, readRecords, recordOf } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';
import { anyTimestamp } from '../record/arbitraries.ts';
import { codeOf, errorOf } from '../record/errors.ts';
import {
  EVERYTHING,
  TOPIC_ID,
  TestPartition,
  offsetsOf,
  partitionOf,
  range,
  readAt,
} from './partition.ts';

/** Batches of 1 to 4 records of any size, some of them with gaps, some with offsets and no record. */
const anyBatch: fc.Arbitrary<Bytes> = fc.oneof(
  { weight: 5, arbitrary: fc.array(fc.nat(120), { minLength: 1, maxLength: 4 }).map(batchOfSizes) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }).map(compactedBatch) },
  { weight: 1, arbitrary: fc.nat(3).map((gap) => rawBatch(RECORD, { lastOffsetDelta: gap })) },
);
const anyLog = fc.array(fc.array(anyBatch, { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 5,
});
const anyMaxBytes = fc.oneof(fc.integer({ min: 1, max: 1500 }), fc.constantFrom(1, EVERYTHING));

/** The smallest record, at offset delta 0. */
const RECORD = [12, 0, 0, 0, 1, 1, 0];

function batchOfSizes(sizes: readonly number[]): Bytes {
  return batchOf(sizes.map((size) => recordOf({ value: new Uint8Array(size) })));
}

async function logOf(segments: readonly (readonly Bytes[])[]): Promise<TestPartition> {
  const partition = new TestPartition();
  for (const batches of segments) await partition.append(...batches.map((batch) => batch.slice()));
  return partition;
}

function batchesOf(
  segments: readonly ArrayBuffer[],
): { from: number; to: number; bytes: number }[] {
  return segments.flatMap((segment) =>
    [...readBatches(new Uint8Array(segment))].map((batch) => ({
      from: batch.baseOffset,
      to: batch.nextOffset,
      bytes: batch.bytes.length,
    })),
  );
}

/** Whole batches without a gap, the first covers `offset`, and they stop soon after `maxBytes`. */
function expectWholeBatches(
  segments: readonly ArrayBuffer[],
  offset: number,
  maxBytes: number,
): number {
  const batches = batchesOf(segments);
  const [first] = batches;
  const last = batches.at(-1)!;
  expect(first!.from).toBeLessThanOrEqual(offset);
  expect(first!.to).toBeGreaterThan(offset);
  batches.slice(1).forEach((batch, i) => expect(batch.from).toBe(batches[i]!.to));
  const bytes = segments.reduce((sum, segment) => sum + segment.byteLength, 0);
  expect(batches.reduce((sum, batch) => sum + batch.bytes, 0)).toBe(bytes);
  if (bytes > maxBytes) expect(bytes - last.bytes).toBeLessThan(maxBytes);
  return last.to;
}

describe('a sound partition', () => {
  test('gives whole batches from the one that covers the offset, at every offset', async () => {
    await fc.assert(
      fc.asyncProperty(anyLog, anyMaxBytes, async (segments, maxBytes) => {
        const partition = await logOf(segments);
        const { endOffset } = partition.head;
        for (let offset = 0; offset < endOffset; offset++) {
          const read = await partition.read(offset, maxBytes);
          expect(read.segments.length).toBeGreaterThan(0);
          const next = expectWholeBatches(read.segments, offset, maxBytes);
          expect(next).toBeLessThanOrEqual(endOffset);
          expect(read).toMatchObject({ head: { startOffset: 0, endOffset }, nextOffset: next });
        }
      }),
      { numRuns: 100 },
    );
  });

  test('read from its start to its end gives every record once', async () => {
    await fc.assert(
      fc.asyncProperty(anyLog, anyMaxBytes, async (segments, maxBytes) => {
        const partition = await logOf(segments);
        const expected = partition.segments.flatMap(({ bytes }) =>
          readRecords(new Uint8Array(bytes)),
        );
        const found: unknown[] = [];
        for (let offset = 0; offset < partition.head.endOffset;) {
          const read = await partition.read(offset, maxBytes);
          expect(read.nextOffset).toBeGreaterThan(offset);
          found.push(...read.segments.flatMap((bytes) => readRecords(new Uint8Array(bytes))));
          offset = read.nextOffset;
        }
        expect(found).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  test('has nothing at its end', async () => {
    const partition = await partitionOf([2], [3]);
    expect(await partition.read(5)).toEqual({
      head: partition.head,
      nextOffset: 5,
      segments: [],
    });
    const empty = new TestPartition();
    await empty.append();
    expect(await empty.read(0)).toMatchObject({ head: { endOffset: 0 }, segments: [] });
  });

  test('gives a segment that is wanted whole as it is, uncopied', async () => {
    const partition = await partitionOf([2, 2], [3]);
    const stored = await partition.stored(0, EVERYTHING);
    expect(readPartition(stored, readAt(0)).segments[0]).toBe(stored.segments[0]!.bytes);
    expect(readPartition(stored, readAt(2)).segments[0]).not.toBe(stored.segments[0]!.bytes);
  });

  test.each([-1, 6, 1000])('is not read at %i', async (offset) => {
    const stored = await (await partitionOf([2], [3])).stored(Math.max(offset, 0), EVERYTHING);
    expect(errorOf(() => readPartition(stored, readAt(offset)))).toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { partition: 0, offset, startOffset: 0, endOffset: 5 },
    });
  });

  test('is not read before its start', async () => {
    const read = await (await partitionOf([2], [3])).stored(2, EVERYTHING);
    const head = { ...newHead(TOPIC_ID, 0), startOffset: 2, endOffset: 5 };
    expect(codeOf(() => readPartition({ ...read, head }, readAt(1)))).toBe('OFFSET_OUT_OF_RANGE');
    expect(readPartition({ ...read, head }, readAt(2)).nextOffset).toBe(5);
  });
});

test('a store that is another topic’s now, or another partition, or nobody’s, is UNKNOWN_TOPIC', async () => {
  const stored = await (await partitionOf([2])).stored(0, EVERYTHING);
  const codeAt = (from: object): string =>
    codeOf(() => readPartition(stored, { ...readAt(0), ...from }));
  expect(codeAt({ topicId: 'topic-2' })).toBe('UNKNOWN_TOPIC');
  expect(codeAt({ partition: 1 })).toBe('UNKNOWN_TOPIC');
  expect(codeOf(() => readPartition({ ...stored, head: undefined, segments: [] }, readAt(0)))).toBe(
    'UNKNOWN_TOPIC',
  );
});

describe('sliceSegment', () => {
  test('gives what a list of the batches says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyBatch, { minLength: 1, maxLength: 8 }),
        anyMaxBytes,
        async (batches, maxBytes) => {
          const { segments, ranges, head } = await logOf([batches]);
          const segment = segments[0]!;
          for (let offset = 0; offset < head.endOffset; offset++) {
            const first = ranges.findIndex(({ to }) => to > offset);
            let end = first + 1;
            let size = batches[first]!.length;
            while (end < batches.length && size + batches[end]!.length <= maxBytes) {
              size += batches[end++]!.length;
            }
            const slice = sliceSegment(segment, offset, maxBytes, true);
            expect(slice.nextOffset).toBe(ranges[end - 1]!.to);
            expect(slice.bytes.byteLength).toBe(size);
            expect(batchesOf([slice.bytes])[0]!.from).toBe(ranges[first]!.from);
          }
          const after = sliceSegment(segment, head.endOffset, maxBytes, true);
          expect(after.bytes.byteLength).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });
});

test('offsetAtTime finds the first record at or after a time', async () => {
  const anyTimes = fc.array(fc.array(anyTimestamp, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(anyTimes, anyTimestamp, fc.boolean(), async (batches, time, gzip) => {
      const { segments } = await logOf([
        batches.map((times) =>
          batchOf(
            times.map((timestamp) => recordOf({ timestamp, value: 'abc'.repeat(40) })),
            { gzip },
          ),
        ),
      ]);
      const times = batches.flat();
      for (const wanted of [time, ...times]) {
        for (const from of [0, 1, times.length]) {
          const first = times.findIndex((timestamp, i) => timestamp >= wanted && i >= from);
          expect(offsetAtTime(segments[0]!, from, wanted, 10_000)).toBe(
            first < 0 ? undefined : first,
          );
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('hasCompressed sees one compressed batch among others', async () => {
  const record = recordOf({ value: 'a'.repeat(500) });
  const plain = (): Bytes => batchOf([record]);
  const packed = (): Bytes => batchOf([record], { gzip: true });
  const { segments } = await logOf([
    [plain(), plain()],
    [plain(), packed()],
    [packed(), plain()],
  ]);
  expect(segments.map(({ bytes }) => hasCompressed(bytes))).toEqual([false, true, true]);
});

test('a read of part of a segment gives the batches asked for', async () => {
  const partition = await partitionOf([2, 2, 2], [2]);
  expect(offsetsOf(await partition.read(3))).toEqual(range(2, 8));
  expect(offsetsOf(await partition.read(3, 1))).toEqual([2, 3]);
});
