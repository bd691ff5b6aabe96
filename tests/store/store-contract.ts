import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { storeFactoryContract } from '../../src/store/contract/factory-contract.ts';
import { storeContract } from '../../src/store/contract/store-contract.ts';
import { HEAD_KEY, partitionStore } from '../../src/store/schema.ts';
import type { StoreFactory } from '../../src/store/store-factory.ts';
import type { Store } from '../../src/store/store.ts';

/** Runs the contract, as everybody can, on stores that `open` opens, each of a new log. */
export function testStoreContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} as a store`, () => {
    for (const { name, run } of storeContract()) test(name, () => run(open));
    testSegmentReads(open);
  });
}

export function testStoreFactoryContract(name: string, factory: StoreFactory): void {
  describe(`${name} as a store factory`, () => {
    for (const { name, run } of storeFactoryContract()) test(name, () => run(factory));
  });
}

/** A case of the contract with histories that are other ones at each run, and that shrink. */
function testSegmentReads(open: () => Promise<Store>): void {
  test('readSegments finds what a sorted list would', async () => {
    const store = await open();
    const [number] = await store.updatePartitions([], (_, write) => write.takePartitions(1));
    const name = partitionStore(number!);
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
        await store.update([{ store: name, key: HEAD_KEY }], (_, write) => {
          write.clear(name);
          for (const [base, bytes] of sizes) write.put(name, base, new ArrayBuffer(bytes));
        });
        const covering = sizes.findLast(([base]) => base <= from)?.[0] ?? 0;
        const rest = sizes.filter(([base]) => base >= covering);
        const expected: (readonly [number, number])[] = [];
        let bytes = 0;
        while (rest.length > 0 && (bytes < maxBytes || expected.length === 0)) {
          const row = rest.shift()!;
          expected.push(row);
          bytes += row[1];
        }
        const [found] = await store.readSegments([{ store: name, from, maxBytes }]);
        const sizesOf = found!.segments.map(
          ({ baseOffset, bytes }) => [baseOffset, bytes.byteLength] as const,
        );
        expect(sizesOf).toEqual(expected);
        expect(found!.nextBaseOffset).toBe(rest[0]?.[0]);
      }),
      { numRuns: 40 },
    );
    store.close();
  });
}
