import { HEAD_KEY, damagedPartitions, partitionStore, topicsVersionRef } from '../schema.ts';
import type { TopicsVersionRow } from '../schema.ts';
import type {
  PartitionWriter,
  RowRef,
  RowsOf,
  Store,
  Synchronous,
  UpdateOptions,
  Writer,
} from '../store.ts';
import { hasShape } from '../stored-row.ts';
import type { RowShape } from '../stored-row.ts';

/**
 * The pool of partition stores. IndexedDB creates object stores only in a version upgrade, which
 * every other connection can block. So partition stores are created in advance, and the partition
 * stores of deleted topics are used again.
 */

/** `meta` / 'pool' in IndexedDB. */
export interface PoolRow extends TopicsVersionRow {
  /** The number of partition stores in the database. */
  readonly size: number;
  /** The numbers of the partition stores that no topic has. */
  readonly free: readonly number[];
}

export const poolRef: RowRef<PoolRow> = topicsVersionRef as RowRef<PoolRow>;

/** The number of partition stores that one upgrade creates. */
const POOL_STEP = 64;

/** The pool with `POOL_STEP` further partition stores, all free, and the numbers of these. */
export function growPool({ size, free, version }: PoolRow = { size: 0, free: [], version: 0 }): {
  readonly pool: PoolRow;
  readonly added: readonly number[];
} {
  const added = Array.from({ length: POOL_STEP }, (_, i) => size + i);
  return { pool: { size: size + POOL_STEP, free: [...free, ...added], version }, added };
}

/** A store whose pool can grow. */
export interface PooledStore extends Pick<Store, 'read' | 'update'> {
  extendPool(): Promise<void>;
}

/**
 * `updatePartitions` of a store with a pool. A transaction of IndexedDB must name its object stores
 * when it opens, but `decide` takes partition stores within the transaction. So the first run of
 * `decide` may only find out how many partition stores it takes. The next run has named enough free
 * partition stores, unless another connection has taken some of them meanwhile.
 */
export async function updateWithPool<const Refs extends readonly RowRef<unknown>[], Result>(
  store: PooledStore,
  refs: Refs,
  decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
  options?: UpdateOptions,
): Promise<Result> {
  let named: readonly number[] = [];
  for (;;) {
    const heads = named.map((number) => ({ store: partitionStore(number), key: HEAD_KEY }));
    try {
      return await store.update(
        [poolRef, ...heads, ...refs],
        (found, write) => {
          const pool = poolOf(found[0]);
          const lent = lend(pool, named, write);
          const result = decide(
            found.slice(1 + heads.length) as unknown as RowsOf<Refs>,
            lent.write,
          );
          const left = lent.pool();
          if (left !== pool) write.put(poolRef.store, poolRef.key, left);
          return result;
        },
        options,
      );
    } catch (error) {
      if (!(error instanceof ShortOfStores)) throw error;
      let { pool } = error;
      while (pool.free.length < error.wanted) {
        await store.extendPool();
        const [row] = await store.read([poolRef]);
        pool = poolOf(row);
      }
      named = pool.free.slice(0, 2 * error.wanted); // `decide` may take more after `wanted`
    }
  }
}

/** A `PartitionWriter` that takes partition stores from the pool, and puts them back into it. */
function lend(
  pool: PoolRow,
  named: readonly number[],
  write: Writer,
): { readonly write: PartitionWriter; readonly pool: () => PoolRow } {
  let left = pool;
  let taken = 0;
  const stillFree = named.filter((number) => pool.free.includes(number));
  const partitions = {
    takePartitions(count: number): readonly number[] {
      const numbers = stillFree.slice(taken, taken + count);
      taken += count;
      if (taken > stillFree.length) throw new ShortOfStores(pool, taken);
      left = { ...left, free: left.free.filter((number) => !numbers.includes(number)) };
      return numbers;
    },
    freePartitions(numbers: readonly number[]): void {
      for (const number of numbers) write.clear(partitionStore(number));
      left = { ...left, free: [...left.free, ...numbers] };
    },
    topicsChanged(): void {
      left = { ...left, version: pool.version + 1 };
    },
  };
  return { write: { ...write, ...partitions }, pool: () => left };
}

/** Aborts a transaction that takes more partition stores than it has named. */
class ShortOfStores extends Error {
  /** The pool as the transaction found it. */
  readonly pool: PoolRow;
  readonly wanted: number;

  constructor(pool: PoolRow, wanted: number) {
    super();
    this.pool = pool;
    this.wanted = wanted;
  }
}

const POOL: RowShape<PoolRow> = { size: 'integer', free: 'array', version: 'integer' };

function poolOf(row: unknown): PoolRow {
  if (hasShape(row, POOL)) return row;
  throw damagedPartitions();
}
