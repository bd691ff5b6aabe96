import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TablogError } from '../../src/base/error.ts';
import { FIELD } from '../../src/record/batch-format.ts';
import { EVERYTHING, offsetsOf, partitionOf, range } from './partition.ts';
import type { TestPartition } from './partition.ts';

/** The error that a read at `offset` rejects with, or `undefined`. */
async function errorAt(
  partition: TestPartition,
  offset: number,
  maxBytes: number = EVERYTHING,
): Promise<TablogError | undefined> {
  return partition.read(offset, maxBytes).then(
    () => undefined,
    (error: unknown) => {
      expect(error).toBeInstanceOf(TablogError);
      return error as TablogError;
    },
  );
}

/** Segments of 4 records, in two batches, and the one at `index` lost. */
async function withLost(segments: number, index: number): Promise<TestPartition> {
  const partition = await partitionOf(...Array.from({ length: segments }, () => [3, 1]));
  await partition.lose(partition.segments[index]!);
  return partition;
}

describe('where a segment has been lost', () => {
  test.each([
    ['at the head', 0, [0, 4]],
    ['in the middle', 1, [4, 8]],
    ['at the tail', 2, [8, 12]],
  ] as const)(
    '%s, every offset in the hole is LOG_CORRUPT with what is left of it',
    async (_, index, [from, to]) => {
      const partition = await withLost(3, index);
      for (let offset = from; offset < to; offset++) {
        expect(await errorAt(partition, offset)).toMatchObject({
          code: 'LOG_CORRUPT',
          details: { partition: 0, from: offset, to },
          happened: `the stored records ${offset} to ${to - 1} of partition 0 are gone`,
        });
      }
    },
  );

  test('what lies before the hole is read up to it, and what lies after it to the end', async () => {
    const partition = await withLost(3, 1);
    expect(offsetsOf(await partition.read(0))).toEqual(range(0, 4));
    expect(offsetsOf(await partition.read(3))).toEqual([3]);
    expect((await partition.read(0)).nextOffset).toBe(4);
    expect(offsetsOf(await partition.read(8))).toEqual(range(8, 12));
    expect(await partition.read(12)).toMatchObject({ segments: [], head: { endOffset: 12 } });
  });

  test('two holes are two errors', async () => {
    const partition = await withLost(5, 1);
    await partition.lose(partition.segments[3]!);
    expect((await errorAt(partition, 5))?.details).toMatchObject({ from: 5, to: 8 });
    expect(offsetsOf(await partition.read(8))).toEqual(range(8, 12));
    expect((await errorAt(partition, 12))?.details).toMatchObject({ from: 12, to: 16 });
  });

  test('neighbours that are lost together are one range', async () => {
    const partition = await withLost(4, 1);
    await partition.lose(partition.segments[2]!);
    expect((await errorAt(partition, 4))?.details).toMatchObject({ from: 4, to: 12 });
  });

  test('all of them: the range goes to the end', async () => {
    const partition = await withLost(1, 0);
    expect((await errorAt(partition, 0))?.details).toMatchObject({ from: 0, to: 4 });
    expect((await errorAt(partition, 2))?.details).toMatchObject({ from: 2, to: 4 });
  });

  test('seeking past each range reads all that is left, and nothing that is not', async () => {
    const shape = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.oneof(fc.constant(EVERYTHING), fc.integer({ min: 1, max: 700 })),
        async (kept, maxBytes) => {
          const partition = await partitionOf(...kept.map(() => [3, 1]));
          for (const [i, segment] of partition.segments.entries()) {
            if (!kept[i]) await partition.lose(segment);
          }
          const found: number[] = [];
          let errors = 0;
          for (let offset = 0; offset < kept.length * 4;) {
            const error = await errorAt(partition, offset, maxBytes);
            if (error === undefined) {
              const read = await partition.read(offset, maxBytes);
              found.push(...offsetsOf(read).filter((at) => at >= offset));
              offset = read.nextOffset;
            } else {
              errors++;
              expect(error.code).toBe('LOG_CORRUPT');
              expect(error.details['to']).toBeGreaterThan(offset);
              offset = error.details['to'] as number;
            }
          }
          expect(found).toEqual(kept.flatMap((keep, i) => (keep ? range(i * 4, i * 4 + 4) : [])));
          // A store that stopped at maxBytes has not seen where the hole ends; else one error says it.
          const holes = kept.filter((keep, i) => !keep && (i === 0 || kept[i - 1])).length;
          if (maxBytes === EVERYTHING) expect(errors).toBe(holes);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('where a batch has been damaged', () => {
  /** A partition of batches 0-2, 3, 4-6, 7 in two segments; the one at 3 is changed at `field`. */
  async function withDamaged(field: number, mask = 0xff): Promise<TestPartition> {
    const partition = await partitionOf([3, 1], [3, 1]);
    const [segment] = partition.segments;
    const { byteLength } = segment!.bytes;
    const lastBatch = byteLength - (await partitionOf([1])).segments[0]!.bytes.byteLength;
    await partition.damage(segment!, (bytes) => (bytes[lastBatch + field]! ^= mask));
    return partition;
  }

  test.each([
    ['a record', FIELD.records + 2],
    ['the CRC', FIELD.crc],
    ['the timestamps', FIELD.maxTimestamp + 7],
    ['the record count', FIELD.recordCount],
    ['the magic', FIELD.magic],
    ['the codec', FIELD.attributes + 1],
  ])(
    'in %s, it is BATCH_CORRUPT with its range, and what lies around it is read',
    async (_, field) => {
      const partition = await withDamaged(field);
      expect(offsetsOf(await partition.read(0))).toEqual(range(0, 3));
      expect((await partition.read(0)).nextOffset).toBe(3);
      expect(await errorAt(partition, 3)).toMatchObject({
        code: 'BATCH_CORRUPT',
        details: { partition: 0, from: 3, to: 4 },
      });
      expect(offsetsOf(await partition.read(4))).toEqual(range(4, 8));
    },
  );

  test('cut short anywhere, it is a TablogError, and never another', async () => {
    const whole = await partitionOf([3, 1], [3, 1]);
    const { byteLength } = whole.segments[0]!.bytes;
    for (let length = 0; length < byteLength; length += 3) {
      const partition = await partitionOf([3, 1], [3, 1]);
      const [segment] = partition.segments;
      await partition.replace(segment!, segment!.bytes.slice(0, length));
      expect(['LOG_CORRUPT', 'BATCH_CORRUPT']).toContain((await errorAt(partition, 3))?.code);
      expect(offsetsOf(await partition.read(4))).toEqual(range(4, 8));
    }
  });
});
