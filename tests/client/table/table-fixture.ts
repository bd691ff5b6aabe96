import { LogBroker } from '../../../src/broker/log-broker.ts';
import { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import type { Table } from '../../../src/index.ts';
import type { InlineHost } from '../../../src/inline.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import { TOPICS, partitionStore } from '../../../src/store/schema.ts';
import type { RowRef } from '../../../src/store/store.ts';
import { FaultStore } from '../../support/fault-store.ts';

/** A log that is compacted when a test says so. */
export interface CompactingHost extends InlineHost {
  /** Leaves the last record of each key, and no tombstone. */
  compact(topic: string): Promise<void>;
  /** The connection that the newest broker opened last. */
  readonly connection: FaultStore;
}

export function compactingHost(): CompactingHost {
  const store = openMemoryStore();
  let connection: FaultStore | undefined;
  return {
    get connection() {
      return connection!;
    },
    open(name) {
      const openStore = async (): Promise<FaultStore> => (connection = new FaultStore(store));
      const broker = new LogBroker({ name, openStore });
      return { broker, close: () => broker.close() };
    },
    async compact(topic) {
      const ref: RowRef<TopicRow> = { store: TOPICS, key: topic };
      const [row] = await store.read([ref]);
      for (const [partition, index] of row!.stores.entries()) {
        const kept = { topicId: row!.id, partition, store: partitionStore(index) };
        const keeper = new PartitionCleaner(store, kept);
        // The first pass sees which tombstones are the last of their keys, the second removes them.
        for (let pass = 0; pass < 2; pass++) await keeper.compact(0, () => Date.now());
      }
    },
  };
}

/** Resolves once the table is as `isSo` wants it. */
export function until<K, V, I>(
  table: Table<K, V, I>,
  isSo: (table: Table<K, V, I>) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = table.subscribe(() => {
      if (table.error !== undefined) reject(table.error);
      if (!isSo(table)) return;
      resolve();
      queueMicrotask(() => stop());
    });
  });
}
