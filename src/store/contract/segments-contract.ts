import { HEAD_KEY, partitionStore } from '../schema.ts';
import type { SegmentsRead, Store } from '../store.ts';
import { contractCase, row } from './contract-case.ts';
import type { StoreContractCase } from './contract-case.ts';
import { mustEqual } from './expect.ts';

/** The base offset and the bytes of each row. */
type Sizes = readonly (readonly [baseOffset: number, bytes: number])[];

/** Two partition stores, with short verbs to fill and read them. */
class Partitions {
  readonly store: Store;
  readonly here: string;
  readonly there: string;

  constructor(store: Store, [here, there]: readonly number[]) {
    this.store = store;
    this.here = partitionStore(here!);
    this.there = partitionStore(there!);
  }

  /** Replaces the rows of a partition store with rows of these sizes. */
  hold(sizes: Sizes, store: string = this.here): Promise<void> {
    return this.store.update([row(HEAD_KEY, store)], (_, write) => {
      write.clear(store);
      write.put(store, HEAD_KEY, { for: store });
      for (const [base, bytes] of sizes) write.put(store, base, new ArrayBuffer(bytes));
    });
  }

  async read(from: number, maxBytes: number): Promise<SegmentsRead> {
    const [read] = await this.store.readSegments([{ store: this.here, from, maxBytes }]);
    return read!;
  }

  async bases(from: number, maxBytes: number): Promise<number[]> {
    return (await this.read(from, maxBytes)).segments.map(({ baseOffset }) => baseOffset);
  }
}

function sizesOf({ segments }: SegmentsRead): Sizes {
  return segments.map(({ baseOffset, bytes }) => [baseOffset, bytes.byteLength] as const);
}

/** `count` rows of `bytes` each, ten records apart. */
function alike(count: number, bytes: number): Sizes {
  return Array.from({ length: count }, (_, i) => [i * 10, bytes] as const);
}

function segmentsCase(
  name: string,
  check: (partitions: Partitions) => Promise<void>,
): StoreContractCase {
  return contractCase(name, async ({ store }) => {
    const taken = await store.updatePartitions([row('none')], (_, write) =>
      write.takePartitions(2),
    );
    await check(new Partitions(store, taken));
  });
}

/** The cases of `readSegments` and `deleteSegments`. */
export function segmentsContract(): readonly StoreContractCase[] {
  return [
    segmentsCase('reads a head and no segments where nothing was appended', async (partitions) => {
      const { store, here, there } = partitions;
      await partitions.hold([]);
      const requests = [here, there].map((store) => ({ store, from: 7, maxBytes: 100 }));
      mustEqual('what was read', await store.readSegments(requests), [
        { head: { for: here }, segments: [], nextBaseOffset: undefined },
        { head: undefined, segments: [], nextBaseOffset: undefined },
      ]);
    }),

    segmentsCase('begins with the segment that covers the offset', async (partitions) => {
      await partitions.hold(alike(3, 100));
      const wanted = [
        [0, 0],
        [9, 0],
        [10, 10],
        [19, 10],
        [20, 20],
        [1_000_000, 20],
      ] as const;
      for (const [from, first] of wanted) {
        mustEqual(`what was read from ${from}`, await partitions.bases(from, 1), [first]);
      }
    }),

    segmentsCase(
      'begins with the first there is where none covers the offset',
      async (partitions) => {
        await partitions.hold([
          [10, 100],
          [25, 100],
        ]);
        mustEqual('what was read', await partitions.bases(3, 1), [10]);
      },
    ),

    segmentsCase(
      'stops when the bytes are reached, after at least one segment',
      async (partitions) => {
        await partitions.hold(alike(4, 100));
        const wanted = [
          [0, 0, [0]],
          [0, 1, [0]],
          [0, 100, [0]],
          [0, 101, [0, 10]],
          [0, 300, [0, 10, 20]],
          [12, 1_000, [10, 20, 30]],
        ] as const;
        for (const [from, maxBytes, bases] of wanted) {
          const what = `what was read from ${from}, up to ${maxBytes} bytes`;
          mustEqual(what, await partitions.bases(from, maxBytes), bases);
        }
      },
    ),

    segmentsCase('stops when there are as many segments as are wanted', async (partitions) => {
      await partitions.hold(alike(100, 100));
      for (const maxRows of [1, 2, 3, 64, 65, 100, 101]) {
        const request = { store: partitions.here, from: 0, maxBytes: 1_000_000, maxRows };
        const [found] = await partitions.store.readSegments([request]);
        const next = maxRows < 100 ? maxRows * 10 : undefined;
        mustEqual('how many', found!.segments.length, Math.min(maxRows, 100));
        mustEqual('where the next begins', found!.nextBaseOffset, next);
      }
    }),

    segmentsCase('finds no segments of a range that was deleted', async (partitions) => {
      const { store, here } = partitions;
      await partitions.hold(alike(4, 100));
      await store.update([row(HEAD_KEY, here)], (_, write) => {
        write.deleteSegments(here, 10, 30);
        write.put(here, 10, new ArrayBuffer(200));
      });
      const read = await partitions.read(0, 1_000);
      mustEqual('the segments', sizesOf(read), [
        [0, 100],
        [10, 200],
        [30, 100],
      ]);
      mustEqual('the head', read.head, { for: here });
    }),

    segmentsCase('tells where the segment after those that it read begins', async (partitions) => {
      await partitions.hold([
        [0, 100],
        [10, 100],
        [25, 100],
      ]);
      const wanted = [
        [0, 1, 10],
        [0, 101, 25],
        [12, 100, 25],
        [0, 201, undefined],
        [25, 1, undefined],
      ];
      for (const [from, maxBytes, next] of wanted) {
        const read = await partitions.read(from!, maxBytes!);
        mustEqual(`what follows ${from} and ${maxBytes} bytes`, read.nextBaseOffset, next);
      }
    }),

    segmentsCase('goes on across large and small segments, in order', async (partitions) => {
      const size = (i: number): number => (i % 40 === 0 ? 70_000 : 64);
      const sizes = Array.from({ length: 150 }, (_, i) => [i * 5, size(i)] as const);
      await partitions.hold(sizes);
      mustEqual('all segments', sizesOf(await partitions.read(0, Infinity)), sizes);
      const part = await partitions.read(501, 70_000);
      mustEqual('some segments', sizesOf(part), sizes.slice(100, 121));
      mustEqual('where the next begins', part.nextBaseOffset, 605);
    }),

    segmentsCase(
      'reads segments that are empty, or too short for a batch, as they are',
      async (partitions) => {
        await partitions.hold([
          [0, 0],
          [1, 0],
          [2, 3],
          [3, 100],
          [4, 0],
        ]);
        mustEqual('up to 50 bytes', await partitions.bases(0, 50), [0, 1, 2, 3]);
        mustEqual('up to 1,000 bytes', await partitions.bases(0, 1_000), [0, 1, 2, 3, 4]);
        mustEqual('up to 0 bytes', await partitions.bases(1, 0), [1]);
      },
    ),

    segmentsCase('reads a row that is no buffer as a segment without bytes', async (partitions) => {
      const { store, here } = partitions;
      await partitions.hold(alike(3, 100));
      await store.update([row(HEAD_KEY, here)], (_, write) => {
        write.put(here, 0, null);
        write.put(here, 20, 'damaged');
      });
      mustEqual('the sizes', sizesOf(await partitions.read(0, 1_000)), [
        [0, 0],
        [10, 100],
        [20, 0],
      ]);
    }),

    segmentsCase('sorts offsets as numbers', async (partitions) => {
      const offsets = [2, 10, 100, 2 ** 40];
      await partitions.hold(offsets.toReversed().map((offset) => [offset, 50] as const));
      mustEqual('the offsets', await partitions.bases(0, 1_000), offsets);
    }),

    segmentsCase('answers several requests at once, each with its own head', async (partitions) => {
      const { store, here, there } = partitions;
      await partitions.hold([
        [0, 100],
        [10, 100],
      ]);
      await partitions.hold([[0, 80]], there);
      const reads = await store.readSegments([
        { store: there, from: 0, maxBytes: 1 },
        { store: here, from: 10, maxBytes: 1 },
        { store: here, from: 0, maxBytes: 1 },
      ]);
      const heads = reads.map(({ head }) => head);
      mustEqual('the heads', heads, [{ for: there }, { for: here }, { for: here }]);
      mustEqual('the segments', reads.map(sizesOf), [[[0, 80]], [[10, 100]], [[0, 100]]]);
    }),

    segmentsCase('hands out copies of segments', async (partitions) => {
      await partitions.hold([[0, 16]]);
      const first = await partitions.read(0, 1);
      new Uint8Array(first.segments[0]!.bytes).fill(255);
      const again = await partitions.read(0, 1);
      mustEqual('the bytes', again.segments[0]!.bytes, new ArrayBuffer(16));
    }),

    segmentsCase('finds the segments that a sorted list would', async (partitions) => {
      const random = generator(1);
      for (let run = 0; run < RUNS; run++) {
        let next = 0;
        const sizes = Array.from({ length: random(41) }, () => {
          const base = next;
          next += 1 + random(9);
          return [base, random(401)] as const;
        });
        await partitions.hold(sizes);
        const [from, maxBytes] = [random(401), random(9_001)];
        const { expected, rest } = searched(sizes, from, maxBytes);
        const what = `from ${from}, up to ${maxBytes} bytes, of ${JSON.stringify(sizes)}`;
        const found = await partitions.read(from, maxBytes);
        mustEqual(`what was read ${what}`, sizesOf(found), expected);
        mustEqual(`where the next begins ${what}`, found.nextBaseOffset, rest[0]?.[0]);
      }
    }),
  ];
}

const RUNS = 60;

/** The rows that a read must return, by a linear search, and the rows after them. */
function searched(
  sizes: Sizes,
  from: number,
  maxBytes: number,
): { readonly expected: Sizes; readonly rest: Sizes } {
  const covering = sizes.findLast(([base]) => base <= from)?.[0] ?? 0;
  const rest = sizes.filter(([base]) => base >= covering);
  const expected: (readonly [number, number])[] = [];
  let bytes = 0;
  while (rest.length > 0 && (bytes < maxBytes || expected.length === 0)) {
    const next = rest.shift()!;
    expected.push(next);
    bytes += next[1];
  }
  return { expected, rest };
}

/** Random integers below a bound, by mulberry32: the same in each run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
