import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEAD_KEY, partitionStore } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';

const HERE = partitionStore(3);
const THERE = partitionStore(4);

/** What `Store.readSegments` promises; `current` is the empty store of the running test. */
export function segmentsContract(current: () => Store): void {
  describe('readSegments', () => {
    /** A row as the log writes it: its base offset first, and then `bytes` in all. */
    const segment = (baseOffset: number, bytes: number): ArrayBuffer => {
      const buffer = new ArrayBuffer(bytes);
      new DataView(buffer).setBigInt64(0, BigInt(baseOffset));
      return buffer;
    };
    const fill = (sizes: ReadonlyMap<number, number>, store = HERE): Promise<void> =>
      current().update([{ store, key: HEAD_KEY }], (_, write) => {
        write.clear(store);
        write.put(store, HEAD_KEY, { for: store });
        for (const [base, bytes] of sizes) write.put(store, base, segment(base, bytes));
      });
    const basesOf = (segments: readonly ArrayBuffer[]): number[] =>
      segments.map((buffer) => Number(new DataView(buffer).getBigInt64(0)));
    const bases = async (from: number, maxBytes: number): Promise<number[]> => {
      const [read] = await current().readSegments([{ store: HERE, from, maxBytes }]);
      return basesOf(read!.segments);
    };

    test('has a head and no segments where nothing was appended', async () => {
      await fill(new Map());
      expect(await current().readSegments([{ store: HERE, from: 0, maxBytes: 100 }])).toEqual([
        { head: { for: HERE }, segments: [] },
      ]);
      expect(await current().readSegments([{ store: THERE, from: 7, maxBytes: 100 }])).toEqual([
        { head: undefined, segments: [] },
      ]);
    });

    test('begins with the segment that covers the offset', async () => {
      await fill(new Map([[0, 100], [10, 100], [25, 100]]));
      expect(await bases(0, 1)).toEqual([0]);
      expect(await bases(9, 1)).toEqual([0]);
      expect(await bases(10, 1)).toEqual([10]);
      expect(await bases(24, 1)).toEqual([10]);
      expect(await bases(25, 1)).toEqual([25]);
      expect(await bases(1_000_000, 1)).toEqual([25]);
    });

    test('begins with the first there is where none covers the offset', async () => {
      await fill(new Map([[10, 100], [25, 100]]));
      expect(await bases(3, 1)).toEqual([10]);
    });

    test('stops when the bytes are reached, after at least one segment', async () => {
      await fill(new Map([[0, 100], [10, 100], [20, 100], [30, 100]]));
      expect(await bases(0, 1)).toEqual([0]);
      expect(await bases(0, 100)).toEqual([0]);
      expect(await bases(0, 101)).toEqual([0, 10]);
      expect(await bases(0, 300)).toEqual([0, 10, 20]);
      expect(await bases(12, 1_000)).toEqual([10, 20, 30]);
    });

    test('goes on across large and small segments, in order', async () => {
      const sizes = new Map<number, number>();
      for (let i = 0; i < 150; i++) sizes.set(i * 5, i % 40 === 0 ? 70_000 : 64);
      await fill(sizes);
      const all = [...sizes.keys()];
      expect(await bases(0, Infinity)).toEqual(all);
      expect(await bases(501, 70_000)).toEqual(all.slice(100, 121));
    });

    test('sorts offsets as numbers', async () => {
      await fill(new Map([[2, 50], [10, 50], [100, 50], [2 ** 40, 50]]));
      expect(await bases(0, 1_000)).toEqual([2, 10, 100, 2 ** 40]);
    });

    test('answers several requests at once, in their order, each with its own head', async () => {
      await fill(new Map([[0, 100], [10, 100]]));
      await fill(new Map([[0, 80]]), THERE);
      const read = await current().readSegments([
        { store: THERE, from: 0, maxBytes: 1 },
        { store: HERE, from: 10, maxBytes: 1 },
        { store: HERE, from: 0, maxBytes: 1 },
      ]);
      expect(read.map(({ head }) => head)).toEqual([{ for: THERE }, { for: HERE }, { for: HERE }]);
      expect(read.map(({ segments }) => basesOf(segments))).toEqual([[0], [10], [0]]);
    });

    test('hands out copies', async () => {
      await fill(new Map([[0, 16]]));
      const [first] = await current().readSegments([{ store: HERE, from: 0, maxBytes: 1 }]);
      new Uint8Array(first!.segments[0]!).fill(255);
      expect(await bases(0, 1)).toEqual([0]);
    });

    test('finds what a sorted list would', async () => {
      const spans = fc.array(
        fc.record({ records: fc.integer({ min: 1, max: 9 }), bytes: fc.integer({ min: 8, max: 400 }) }),
        { maxLength: 40 },
      );
      const from = fc.integer({ min: 0, max: 400 });
      const maxBytes = fc.integer({ min: 1, max: 9_000 });
      await fc.assert(
        fc.asyncProperty(spans, from, maxBytes, async (spans, from, maxBytes) => {
          const sizes = new Map<number, number>();
          let next = 0;
          for (const { records, bytes } of spans) {
            sizes.set(next, bytes);
            next += records;
          }
          await fill(sizes);
          const covering = [...sizes.keys()].filter((base) => base <= from).at(-1) ?? 0;
          const expected: number[] = [];
          let read = 0;
          for (const [base, bytes] of sizes) {
            if (base < covering || read >= maxBytes) continue;
            expected.push(base);
            read += bytes;
          }
          expect(await bases(from, maxBytes)).toEqual(expected);
        }),
        { numRuns: 40 },
      );
    });
  });
}
