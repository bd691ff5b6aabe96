import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TailCache } from '../../../src/broker/partitions/tail-cache.ts';
import type { Segment } from '../../../src/log/segment.ts';
import { placeBatch } from '../../../src/record/batch-seal.ts';
import { batch } from '../../support/broker-fixture.ts';
import { readRecords } from '../../support/batches.ts';

/** A segment of one batch of `records` records from `baseOffset` on. */
function segmentOf(baseOffset: number, records: number): Segment {
  const bytes = batch(...Array.from({ length: records }, () => 'x'));
  placeBatch(new Uint8Array(bytes), baseOffset);
  return { baseOffset, nextOffset: baseOffset + records, bytes };
}

const SIZE = segmentOf(0, 1).bytes.byteLength;

function offsets(
  cache: TailCache,
  offset: number,
  partition = 0,
  maxBytes = Infinity,
): number[] | undefined {
  return cache
    .of('t', partition)
    .read(offset, maxBytes)
    ?.segments.flatMap((segment) =>
      readRecords(new Uint8Array(segment)).map((record) => record.offset),
    );
}

describe('the tails of all partitions', () => {
  test('give what was pushed, from where it is asked for', () => {
    const cache = new TailCache(100 * SIZE);
    for (let i = 0; i < 4; i++) cache.push('t', 0, segmentOf(i, 1));
    expect(offsets(cache, 0)).toEqual([0, 1, 2, 3]);
    expect(offsets(cache, 2)).toEqual([2, 3]);
    expect(offsets(cache, 1, 0, SIZE * 2)).toEqual([1, 2]);
    expect(offsets(cache, 4)).toBeUndefined();
    expect(offsets(cache, 0, 1)).toBeUndefined();
    expect(cache.of('t', 0).endOffset).toBe(4);
  });

  test('drop the oldest segments when their budget is used up, of whatever partition', () => {
    const cache = new TailCache(3 * SIZE);
    cache.push('t', 0, segmentOf(0, 1));
    cache.push('t', 1, segmentOf(0, 1));
    cache.push('t', 0, segmentOf(1, 1));
    expect(offsets(cache, 0)).toEqual([0, 1]);
    cache.push('t', 0, segmentOf(2, 1));
    expect(offsets(cache, 0)).toBeUndefined();
    expect(offsets(cache, 1)).toEqual([1, 2]);
    expect(offsets(cache, 0, 1)).toEqual([0]);
    cache.push('t', 0, segmentOf(3, 1));
    expect(offsets(cache, 0, 1)).toBeUndefined();
    expect(cache.of('t', 1).endOffset).toBe(1);
  });

  test('keep no segment that is larger than the budget', () => {
    const cache = new TailCache(SIZE);
    cache.push('t', 0, segmentOf(0, 1));
    cache.push('t', 0, segmentOf(1, 500));
    expect(offsets(cache, 0)).toBeUndefined();
    expect(offsets(cache, 1)).toBeUndefined();
    expect(cache.of('t', 0).endOffset).toBe(501);
    cache.push('t', 0, segmentOf(501, 1));
    expect(offsets(cache, 501)).toEqual([501]);
  });

  test('begin anew after a gap: others appended in between', () => {
    const cache = new TailCache(100 * SIZE);
    cache.push('t', 0, segmentOf(0, 2));
    cache.push('t', 0, segmentOf(5, 1));
    expect(offsets(cache, 0)).toBeUndefined();
    expect(offsets(cache, 3)).toBeUndefined();
    expect(offsets(cache, 5)).toEqual([5]);
  });

  test('forget everything of topics that are gone, and nothing of others', () => {
    const cache = new TailCache(100 * SIZE);
    cache.push('t', 0, segmentOf(0, 1));
    cache.push('u', 1, segmentOf(0, 1));
    expect(cache.retain(new Set(['u']))).toEqual([{ topicId: 't', partition: 0 }]);
    expect(offsets(cache, 0)).toBeUndefined();
    expect(cache.of('t', 0).endOffset).toBeUndefined();
    expect(cache.of('u', 1).endOffset).toBe(1);
    cache.push('t', 0, segmentOf(1, 1));
    expect(offsets(cache, 1)).toEqual([1]);
  });

  test('hand out copies', () => {
    const cache = new TailCache(100 * SIZE);
    const segment = segmentOf(0, 1);
    cache.push('t', 0, segment);
    const [copy] = cache.of('t', 0).read(0, Infinity)!.segments;
    expect(copy).not.toBe(segment.bytes);
    structuredClone(copy, { transfer: [copy!] });
    expect(offsets(cache, 0)).toEqual([0]);
  });

  const push = fc.record({
    partition: fc.nat({ max: 2 }),
    records: fc.integer({ min: 1, max: 4 }),
    gap: fc.boolean(),
  });

  test('hold the newest segments that fit, whatever is pushed', () => {
    fc.assert(
      fc.property(
        fc.array(push, { maxLength: 30 }),
        fc.integer({ min: 1, max: 12 }),
        (pushes, room) => {
          const budget = room * SIZE;
          const cache = new TailCache(budget);
          const ends = [0, 0, 0];
          const pushed: { partition: number; segment: Segment; afterGap: boolean }[] = [];
          for (const { partition, records, gap } of pushes) {
            const segment = segmentOf(ends[partition]! + (gap ? 1 : 0), records);
            ends[partition] = segment.nextOffset;
            pushed.push({ partition, segment, afterGap: gap });
            cache.push('t', partition, segment);
          }
          let bytes = 0;
          const closed = new Set<number>(); // partitions of which no older segment is reachable
          for (const { partition, segment, afterGap } of pushed.toReversed()) {
            bytes += segment.bytes.byteLength;
            const kept = bytes <= budget && !closed.has(partition);
            const at = offsets(cache, segment.baseOffset, partition);
            if (kept) expect(at?.[0]).toBe(segment.baseOffset);
            else expect(at).toBeUndefined();
            if (afterGap) closed.add(partition);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
