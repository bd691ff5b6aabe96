import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEAD_KEY, partitionStore } from '../../src/store/schema.ts';
import type { SegmentsRead, Store } from '../../src/store/store.ts';

const HERE = partitionStore(3);
const THERE = partitionStore(4);

/** Rows of these sizes: base offset and bytes of each. */
type Sizes = readonly (readonly [baseOffset: number, bytes: number])[];

/** What `Store.readSegments` promises; `current` is the empty store of the running test. */
export function segmentsContract(current: () => Store): void {
  describe('readSegments', () => {
    const fill = (sizes: Sizes, store = HERE): Promise<void> =>
      current().update([{ store, key: HEAD_KEY }], (_, write) => {
        write.clear(store);
        write.put(store, HEAD_KEY, { for: store });
        for (const [base, bytes] of sizes) write.put(store, base, new ArrayBuffer(bytes));
      });
    const read = async (from: number, maxBytes: number): Promise<SegmentsRead> =>
      (await current().readSegments([{ store: HERE, from, maxBytes }]))[0]!;
    const sizesOf = ({ segments }: SegmentsRead): Sizes =>
      segments.map(({ baseOffset, bytes }) => [baseOffset, bytes.byteLength] as const);
    const basesOf = ({ segments }: SegmentsRead): number[] =>
      segments.map(({ baseOffset }) => baseOffset);
    const bases = async (from: number, maxBytes: number): Promise<number[]> =>
      basesOf(await read(from, maxBytes));

    test('has a head and no segments where nothing was appended', async () => {
      await fill([]);
      const requests = [HERE, THERE].map((store) => ({ store, from: 7, maxBytes: 100 }));
      expect(await current().readSegments(requests)).toEqual([
        { head: { for: HERE }, segments: [], nextBaseOffset: undefined },
        { head: undefined, segments: [], nextBaseOffset: undefined },
      ]);
    });

    test('begins with the segment that covers the offset', async () => {
      await fill([
        [0, 100],
        [10, 100],
        [25, 100],
      ]);
      expect(await bases(0, 1)).toEqual([0]);
      expect(await bases(9, 1)).toEqual([0]);
      expect(await bases(10, 1)).toEqual([10]);
      expect(await bases(24, 1)).toEqual([10]);
      expect(await bases(25, 1)).toEqual([25]);
      expect(await bases(1_000_000, 1)).toEqual([25]);
    });

    test('begins with the first there is where none covers the offset', async () => {
      await fill([
        [10, 100],
        [25, 100],
      ]);
      expect(await bases(3, 1)).toEqual([10]);
    });

    test('stops when the bytes are reached, after at least one segment', async () => {
      await fill([
        [0, 100],
        [10, 100],
        [20, 100],
        [30, 100],
      ]);
      expect(await bases(0, 0)).toEqual([0]);
      expect(await bases(0, 1)).toEqual([0]);
      expect(await bases(0, 100)).toEqual([0]);
      expect(await bases(0, 101)).toEqual([0, 10]);
      expect(await bases(0, 300)).toEqual([0, 10, 20]);
      expect(await bases(12, 1_000)).toEqual([10, 20, 30]);
    });

    test('stops when there are as many segments as are wanted', async () => {
      await fill(Array.from({ length: 100 }, (_, i) => [i * 10, 100] as const));
      for (const maxRows of [1, 2, 3, 64, 65, 100, 101]) {
        const request = { store: HERE, from: 0, maxBytes: 1_000_000, maxRows };
        const [found] = await current().readSegments([request]);
        expect(found!.segments).toHaveLength(Math.min(maxRows, 100));
        expect(found!.nextBaseOffset).toBe(maxRows < 100 ? maxRows * 10 : undefined);
      }
    });

    test('finds no segments of a range that was deleted', async () => {
      await fill([
        [0, 100],
        [10, 100],
        [20, 100],
        [30, 100],
      ]);
      await current().update([{ store: HERE, key: HEAD_KEY }], (_, write) => {
        write.deleteSegments(HERE, 10, 30);
        write.put(HERE, 10, new ArrayBuffer(200));
      });
      expect(sizesOf(await read(0, 1_000))).toEqual([
        [0, 100],
        [10, 200],
        [30, 100],
      ]);
      expect((await read(0, 1_000)).head).toEqual({ for: HERE });
    });

    test('tells where the row after these begins', async () => {
      await fill([
        [0, 100],
        [10, 100],
        [25, 100],
      ]);
      const next = async (from: number, maxBytes: number): Promise<number | undefined> =>
        (await read(from, maxBytes)).nextBaseOffset;
      expect(await next(0, 1)).toBe(10);
      expect(await next(0, 101)).toBe(25);
      expect(await next(12, 100)).toBe(25);
      expect(await next(0, 201)).toBeUndefined();
      expect(await next(25, 1)).toBeUndefined();
    });

    test('goes on across large and small segments, in order', async () => {
      const sizes = Array.from(
        { length: 150 },
        (_, i) => [i * 5, i % 40 === 0 ? 70_000 : 64] as const,
      );
      await fill(sizes);
      expect(sizesOf(await read(0, Infinity))).toEqual(sizes);
      const part = await read(501, 70_000);
      expect(sizesOf(part)).toEqual(sizes.slice(100, 121));
      expect(part.nextBaseOffset).toBe(605);
    });

    test('takes rows that are empty, or too short for a batch, as they are', async () => {
      await fill([
        [0, 0],
        [1, 0],
        [2, 3],
        [3, 100],
        [4, 0],
      ]);
      expect(await bases(0, 50)).toEqual([0, 1, 2, 3]);
      expect(await bases(0, 1_000)).toEqual([0, 1, 2, 3, 4]);
      expect(await bases(1, 0)).toEqual([1]);
    });

    test('sorts offsets as numbers', async () => {
      await fill([
        [2, 50],
        [10, 50],
        [100, 50],
        [2 ** 40, 50],
      ]);
      expect(await bases(0, 1_000)).toEqual([2, 10, 100, 2 ** 40]);
    });

    test('answers several requests at once, in their order, each with its own head', async () => {
      await fill([
        [0, 100],
        [10, 100],
      ]);
      await fill([[0, 80]], THERE);
      const reads = await current().readSegments([
        { store: THERE, from: 0, maxBytes: 1 },
        { store: HERE, from: 10, maxBytes: 1 },
        { store: HERE, from: 0, maxBytes: 1 },
      ]);
      expect(reads.map(({ head }) => head)).toEqual([{ for: THERE }, { for: HERE }, { for: HERE }]);
      expect(reads.map(sizesOf)).toEqual([[[0, 80]], [[10, 100]], [[0, 100]]]);
    });

    test('hands out copies', async () => {
      await fill([[0, 16]]);
      new Uint8Array((await read(0, 1)).segments[0]!.bytes).fill(255);
      expect(new Uint8Array((await read(0, 1)).segments[0]!.bytes)).toEqual(new Uint8Array(16));
    });

    test('finds what a sorted list would', async () => {
      const spans = fc.array(
        fc.record({ records: fc.integer({ min: 1, max: 9 }), bytes: fc.nat({ max: 400 }) }),
        { maxLength: 40 },
      );
      const from = fc.nat({ max: 400 });
      const maxBytes = fc.nat({ max: 9_000 });
      await fc.assert(
        fc.asyncProperty(spans, from, maxBytes, async (spans, from, maxBytes) => {
          let next = 0;
          const sizes = spans.map(({ records, bytes }) => {
            next += records;
            return [next - records, bytes] as const;
          });
          await fill(sizes);
          const covering = sizes.findLast(([base]) => base <= from)?.[0] ?? 0;
          const rest = sizes.filter(([base]) => base >= covering);
          const expected: (readonly [number, number])[] = [];
          let bytes = 0;
          while (rest.length > 0 && (bytes < maxBytes || expected.length === 0)) {
            const row = rest.shift()!;
            expected.push(row);
            bytes += row[1];
          }
          const found = await read(from, maxBytes);
          expect(sizesOf(found)).toEqual(expected);
          expect(found.nextBaseOffset).toBe(rest[0]?.[0]);
        }),
        { numRuns: 40 },
      );
    });
  });
}
