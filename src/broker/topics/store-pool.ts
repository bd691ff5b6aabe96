import { headRef, newHead } from '../../log/head.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import { HEAD_KEY, TOPICS, partitionStore, poolRef } from '../../store/schema.ts';
import type { PoolRow } from '../../store/schema.ts';
import type { RowRef, Store, Writer } from '../../store/store.ts';
import { poolOf } from '../rows/pool-row.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/** The result of a transaction, and whether it changed a topic. */
interface Allocated {
  readonly topics: readonly TopicRow[];
  readonly hasChanged: boolean;
}

/**
 * Runs `change` in a transaction that can give partition stores of the pool to topics. A transaction
 * has to name its stores beforehand, so this looks which are free, and looks again when somebody else
 * was faster.
 */
export async function withFreeStores(
  store: Store,
  refs: readonly RowRef<TopicRow>[],
  change: (rows: readonly (TopicRow | undefined)[], allocation: Allocation) => TopicRow[],
): Promise<Allocated> {
  let wanted = 0;
  for (;;) {
    const [row] = await store.read([poolRef]);
    const pool = poolOf(row);
    if (pool.free.length < wanted) {
      await store.extendPool();
      continue;
    }
    const candidates = pool.free.slice(0, wanted);
    const heads = candidates.map((index) => headRef(partitionStore(index)));
    try {
      return await store.update([poolRef, ...refs, ...heads] as const, (found, write) => {
        const allocation = new Allocation(candidates, write);
        const rows = found.slice(1, 1 + refs.length) as (TopicRow | undefined)[];
        const topics = change(rows, allocation);
        allocation.end(poolOf(found[0]));
        return { topics, hasChanged: allocation.hasChanged };
      });
    } catch (error) {
      if (!(error instanceof ShortOfStores)) throw error;
      wanted = error.wanted;
    }
  }
}

/** Gives stores to topics within one transaction. */
export class Allocation {
  readonly #candidates: readonly number[];
  readonly #write: Writer;
  readonly #taken: number[] = [];
  #short = 0;
  #hasNew = false;
  #hasOther = false;

  constructor(candidates: readonly number[], write: Writer) {
    this.#candidates = candidates;
    this.#write = write;
  }

  /** Whether a topic got new partitions or another configuration. */
  get hasChanged(): boolean {
    return this.#hasNew || this.#hasOther;
  }

  /** Writes a topic's new configuration, and allocates partitions up to the given number. */
  change(row: TopicRow, partitions: number): TopicRow {
    this.#hasOther = true;
    return this.grow(row, partitions - row.stores.length);
  }

  /** Writes the topic, and gives it so many more partitions. */
  grow(row: TopicRow, partitions: number): TopicRow {
    this.#hasNew ||= partitions > 0;
    const stores = isInMemory(row.id) ? ownStores(row, partitions) : this.#take(row, partitions);
    const grown: TopicRow = { ...row, stores: [...row.stores, ...stores] };
    this.#write.put(TOPICS, row.name, grown);
    return grown;
  }

  /** Writes what is left of the pool. Throws `ShortOfStores` where not all was there to be taken. */
  end(pool: PoolRow): void {
    const taken = this.#taken;
    if (this.#short > 0) throw new ShortOfStores(taken.length + this.#short);
    if (!taken.every((index) => pool.free.includes(index))) {
      throw new ShortOfStores(this.#candidates.length);
    }
    if (!this.#hasNew) return;
    const free = pool.free.filter((index) => !taken.includes(index));
    this.#write.put(poolRef.store, poolRef.key, { ...pool, free, version: pool.version + 1 });
  }

  #take(row: TopicRow, partitions: number): number[] {
    const { length } = this.#taken;
    const stores = this.#candidates.slice(length, length + partitions);
    this.#short += partitions - stores.length;
    this.#taken.push(...stores);
    stores.forEach((index, i) => {
      const partition = row.stores.length + i;
      this.#write.put(partitionStore(index), HEAD_KEY, newHead(row.id, partition));
    });
    return stores;
  }
}

/** Undoes a transaction that would have needed other stores than it had named. */
class ShortOfStores extends Error {
  readonly wanted: number;

  constructor(wanted: number) {
    super(`needs ${wanted} free partition stores`);
    this.wanted = wanted;
  }
}

/** The indices of the next partitions of a topic in memory, which need no pool. */
function ownStores({ stores }: TopicRow, partitions: number): number[] {
  return Array.from({ length: partitions }, (_, i) => stores.length + i);
}
