import { beforeEach, describe, expect, test } from 'vitest';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { poolRef } from '../../../src/store/indexeddb/idb-pool.ts';
import type { PoolRow } from '../../../src/store/indexeddb/idb-pool.ts';
import { HEAD_KEY, TOPICS, partitionStore } from '../../../src/store/schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';

stubIndexedDb();
let opened = 0;

let store: Store;
beforeEach(async () => {
  store = await openIdbStore(`pool-${++opened}`);
});

const pool = async (): Promise<PoolRow> => (await store.read([poolRef]))[0]!;
const take = (count: number): Promise<readonly number[]> =>
  store.updatePartitions([], (_, write) => write.takePartitions(count));
const free = (...numbers: number[]): Promise<void> => {
  const heads = numbers.map((number) => ({ store: partitionStore(number), key: HEAD_KEY }));
  return store.updatePartitions(heads, (_, write) => write.freePartitions(numbers));
};
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

describe('the pool', () => {
  test('has 64 stores at first, all free', async () => {
    expect(await pool()).toEqual({ size: 64, free: numbers(0, 64), version: 0 });
  });

  test('gives its stores from the first on, and takes them back at its end', async () => {
    expect(await take(3)).toEqual([0, 1, 2]);
    expect(await pool()).toEqual({ size: 64, free: numbers(3, 64), version: 0 });
    await free(1, 0);
    expect(await pool()).toEqual({ size: 64, free: [...numbers(3, 64), 1, 0], version: 0 });
  });

  test('grows by 64 when it has too few, and gives what it had first', async () => {
    await take(60);
    expect(await take(10)).toEqual(numbers(60, 70));
    expect(await pool()).toEqual({ size: 128, free: numbers(70, 128), version: 0 });
    expect(await take(200)).toEqual(numbers(70, 270));
    expect(await pool()).toMatchObject({ size: 320 });
  });

  test('is changed in the transaction that makes and deletes topics, with the version', async () => {
    await store.updatePartitions([{ store: TOPICS, key: 'a' }], (_, write) => {
      write.put(TOPICS, 'a', write.takePartitions(2));
      write.topicsChanged();
    });
    expect(await pool()).toEqual({ size: 64, free: numbers(2, 64), version: 1 });
    await store.updatePartitions([], (_, write) => write.topicsChanged());
    expect(await pool()).toEqual({ size: 64, free: numbers(2, 64), version: 2 });
  });

  test('stays as it is where nothing is taken, and where the transaction fails', async () => {
    await store.updatePartitions([], () => {});
    const failing = store.updatePartitions([], (_, write) => {
      write.takePartitions(2);
      throw new Error('decided against it');
    });
    await expect(failing).rejects.toThrow('decided against it');
    expect(await pool()).toEqual({ size: 64, free: numbers(0, 64), version: 0 });
  });

  test('runs a transaction once where it takes none, and twice where it takes some', async () => {
    let runs = 0;
    await store.updatePartitions([], () => void runs++);
    expect(runs).toBe(1);
    await store.updatePartitions([{ store: TOPICS, key: 'a' }], (_, write) => {
      runs++;
      const taken = write.takePartitions(1);
      write.put(TOPICS, 'a', taken);
      write.put(partitionStore(taken[0]!), HEAD_KEY, 1);
    });
    expect(runs).toBe(3);
  });

  test('tells of two connections that grow it at once, neither of which loses a store', async () => {
    const other = await openIdbStore(`pool-${opened}`);
    const results = await Promise.allSettled([
      take(60),
      other.updatePartitions([], (_, write) => write.takePartitions(60)),
    ]);
    // The one whose database the other has upgraded is closed, and has stored nothing.
    const given = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    expect(new Set(given).size).toBe(given.length);
    expect(given.length).toBeGreaterThanOrEqual(60);
    const [row] = await (await openIdbStore(`pool-${opened}`)).read([poolRef]);
    const taken = new Set(given);
    expect(row!.free).toEqual(numbers(0, row!.size).filter((number) => !taken.has(number)));
  });
});
