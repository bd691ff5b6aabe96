import type { RandomSource } from '../platform/random-id.ts';
import { MemoryRows } from './memory-rows.ts';
import { newLogRows, numberedPartitions } from './numbered-partitions.ts';
import { topicsVersionRef } from './schema.ts';
import type { PartitionWriter, RowRef, RowsOf, Store, Synchronous } from './store.ts';

/**
 * A new log in memory, for tests, demos and contexts without IndexedDB. It ends with its context.
 */
export function openMemoryStore(now: number = Date.now(), random?: RandomSource): Store {
  return new MemoryStore(now, random);
}

class MemoryStore extends MemoryRows implements Store {
  constructor(now: number, random: RandomSource | undefined) {
    super();
    const rows = newLogRows(now, random);
    void this.update(rows, (_, write) => {
      for (const { store, key, value } of rows) write.put(store, key, value);
    });
  }

  updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
  ): Promise<Result> {
    return this.update([topicsVersionRef, ...refs], ([row, ...rows], write, scope) => {
      const partitions = numberedPartitions(row, write, (store) => scope.add(store));
      return decide(rows, partitions);
    });
  }
}
