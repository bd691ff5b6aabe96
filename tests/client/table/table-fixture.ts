import { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import type { Table } from '../../../src/index.ts';
import type { InlineHost } from '../../../src/inline.ts';
import { TOPICS, partitionStore } from '../../../src/store/schema.ts';
import type { RowRef } from '../../../src/store/store.ts';
import type { FaultStore } from '../../support/fault-store.ts';
import { World } from '../../support/world.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { systemClock } from '../../../src/platform/clock.ts';

/** A log that is compacted when a test says so. */
export interface CompactingHost extends InlineHost {
  /** Leaves the last record of each key, and no tombstone. */
  compact(topic: string): Promise<void>;
  /** The connection that the newest broker opened last. */
  readonly connection: FaultStore;
}

export function compactingHost(): CompactingHost {
  const world = new World();
  const { store } = world;
  const brokers: TestBroker[] = [];
  return {
    get connection() {
      return brokers.at(-1)!.connection;
    },
    open(name) {
      const opened = world.broker({ name, clock: systemClock });
      brokers.push(opened);
      return { broker: opened.broker, close: () => opened.broker.close() };
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
