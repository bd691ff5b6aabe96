import { HEAD_KEY, damagedPartitions, partitionStore, topicsVersionRef } from '../schema.ts';
import type { TopicsVersionRow } from '../schema.ts';
import type {
  Durability,
  Key,
  PartitionWriter,
  RowRef,
  RowsOf,
  Store,
  Synchronous,
  Writer,
} from '../store.ts';
import { hasShape } from '../stored-row.ts';
import type { RowShape } from '../stored-row.ts';

/**
 * The pool of partition stores. IndexedDB makes object stores in a version upgrade alone, which every
 * other connection can block, so they are made in advance, and those of deleted topics are used again.
 */

/** `meta` / 'pool' in IndexedDB. */
export interface PoolRow extends TopicsVersionRow {
  /** How many partition stores there are. */
  readonly size: number;
  /** The numbers of those that no topic has. */
  readonly free: readonly number[];
}

export const poolRef: RowRef<PoolRow> = topicsVersionRef as RowRef<PoolRow>;

/** Partition stores made at once. */
const POOL_STEP = 64;

/** The pool with `POOL_STEP` more stores, all free, and their numbers. */
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
 * `updatePartitions` of a store with a pool. A transaction of IndexedDB has to name its object stores
 * beforehand, and how many partitions it takes is decided within it. So the first run may only find
 * out the number; the next has as many stores, unless another connection was faster.
 */
export async function updateWithPool<const Refs extends readonly RowRef<unknown>[], Result>(
  store: PooledStore,
  refs: Refs,
  decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
  options?: { readonly durability?: Durability },
): Promise<Result> {
  let candidates: readonly number[] = [];
  for (;;) {
    const heads = candidates.map((number) => ({ store: partitionStore(number), key: HEAD_KEY }));
    try {
      return await store.update(
        [poolRef, ...heads, ...refs],
        (found, write) => {
          const lender = new PoolWriter(poolOf(found[0]), candidates, write);
          const result = decide(found.slice(1 + heads.length) as unknown as RowsOf<Refs>, lender);
          lender.end();
          return result;
        },
        options,
      );
    } catch (error) {
      if (!(error instanceof ShortOfStores)) throw error;
      candidates = await freeStores(store, error);
    }
  }
}

/** The numbers of as many free stores as a transaction wanted; the pool grows where it has fewer. */
async function freeStores(store: PooledStore, short: ShortOfStores): Promise<readonly number[]> {
  let { pool } = short;
  while (pool.free.length < short.wanted) {
    await store.extendPool();
    const [row] = await store.read([poolRef]);
    pool = poolOf(row);
  }
  return pool.free.slice(0, short.wanted);
}

/** Takes stores out of the pool, and puts them back, within one transaction. */
class PoolWriter implements PartitionWriter {
  readonly #pool: PoolRow;
  /** The stores that the transaction has named, and that are still free. */
  readonly #candidates: readonly number[];
  readonly #write: Writer;
  readonly #freed: number[] = [];
  #taken = 0;
  #isChanged = false;

  constructor(pool: PoolRow, candidates: readonly number[], write: Writer) {
    this.#pool = pool;
    this.#candidates = candidates.filter((number) => pool.free.includes(number));
    this.#write = write;
  }

  takePartitions(count: number): readonly number[] {
    const from = this.#taken;
    this.#taken += count;
    return Array.from({ length: count }, (_, i) => this.#candidates[from + i] ?? NO_STORE);
  }

  freePartitions(numbers: readonly number[]): void {
    for (const number of numbers) this.clear(partitionStore(number));
    this.#freed.push(...numbers);
  }

  topicsChanged(): void {
    this.#isChanged = true;
  }

  put(store: string, key: Key, value: unknown): void {
    if (!this.#isShort) this.#write.put(store, key, value);
  }

  delete(store: string, key: Key): void {
    if (!this.#isShort) this.#write.delete(store, key);
  }

  deleteSegments(store: string, from: number, to: number): void {
    if (!this.#isShort) this.#write.deleteSegments(store, from, to);
  }

  clear(store: string): void {
    if (!this.#isShort) this.#write.clear(store);
  }

  /** Writes what is left of the pool. Throws `ShortOfStores` where not all was there to be taken. */
  end(): void {
    if (this.#isShort) throw new ShortOfStores(this.#pool, this.#taken);
    if (this.#taken === 0 && this.#freed.length === 0 && !this.#isChanged) return;
    const taken = new Set(this.#candidates.slice(0, this.#taken));
    const free = [...this.#pool.free.filter((number) => !taken.has(number)), ...this.#freed];
    const version = this.#pool.version + (this.#isChanged ? 1 : 0);
    this.#write.put(poolRef.store, poolRef.key, { ...this.#pool, free, version });
  }

  /** The transaction is undone at its end: until then its writes go nowhere. */
  get #isShort(): boolean {
    return this.#taken > this.#candidates.length;
  }
}

/** Stands for a store in a transaction that will be undone. */
const NO_STORE = -1;

/** Undoes a transaction that would have needed other stores than it had named. */
class ShortOfStores extends Error {
  /** The pool as the transaction found it. */
  readonly pool: PoolRow;
  readonly wanted: number;

  constructor(pool: PoolRow, wanted: number) {
    super(`needs ${wanted} free partition stores`);
    this.pool = pool;
    this.wanted = wanted;
  }
}

const POOL: RowShape<PoolRow> = { free: 'array', version: 'integer' };

function poolOf(row: unknown): PoolRow {
  if (hasShape(row, POOL)) return row;
  throw damagedPartitions();
}
