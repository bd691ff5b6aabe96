import { systemClock } from '../../../src/platform/clock.ts';
import { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import { serveWorker } from '../../../src/broker/serve-worker.ts';
import type { WorkerScope } from '../../../src/broker/serve-worker.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import { runIfLockAvailable } from '../../../src/platform/locks/liveness.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { idbStore } from '../../../src/store/indexeddb/idb-store-factory.ts';
import { pacedStore } from '../../../src/store/paced-store.ts';
import { TOPICS, logRef, partitionStore } from '../../../src/store/schema.ts';
import type { RowRef, Store } from '../../../src/store/store.ts';
import { KEEPER } from './keeper-wire.ts';
import type { Kept, Order, Report, Size, Work } from './keeper-wire.ts';
import { now } from './now.ts';

/**
 * tablog's worker, which also merges and compacts when the page asks for it: in the broker's thread
 * and on its database, as the janitor does, which cannot be asked.
 */
serveWorker(globalThis as unknown as WorkerScope, { store: idbStore() });

let opening: Promise<Store> | undefined;

const channel = new BroadcastChannel(KEEPER);
channel.onmessage = ({ data }: MessageEvent<Order>) => {
  const report = (message: Report): void => channel.postMessage(message);
  keep(data).then(
    (kept) => report({ kept }),
    (error: unknown) => report({ error: String(error) }),
  );
};

async function keep({ log, topic, work }: Order): Promise<Kept[]> {
  const store = await (opening ??= openAlone(log));
  const ref: RowRef<TopicRow> = { store: TOPICS, key: topic };
  const [row] = await store.read([ref]);
  const { id, stores, config } = row!;
  const kept: Kept[] = [];
  for (const [partition, index] of stores.entries()) {
    const place = { topicId: id, partition, store: partitionStore(index) };
    const keeper = new PartitionCleaner(pacedStore(store, systemClock), place);
    kept.push(await tend(keeper, work, config.deleteRetentionMs));
  }
  return kept;
}

async function tend(
  keeper: PartitionCleaner,
  work: Work,
  deleteRetentionMs: number,
): Promise<Kept> {
  const before = await sizeOf(keeper);
  const from = now();
  if (work === 'merge') await keeper.merge();
  else await keeper.compact(deleteRetentionMs, () => Date.now());
  const to = now();
  return { before, after: await sizeOf(keeper), from, to };
}

async function sizeOf(keeper: PartitionCleaner): Promise<Size> {
  const { bytes, segments } = await keeper.head();
  return { bytes, rows: segments };
}

/** Opens the log's store, and keeps the janitor from it for as long as this worker lives. */
async function openAlone(log: string): Promise<Store> {
  const store = await openIdbStore(log);
  const [row] = await store.read([logRef]);
  await new Promise<void>((resolve, reject) => {
    const hold = (): Promise<never> => {
      resolve();
      return new Promise(() => {});
    };
    runIfLockAvailable(`janitor/${row!.logId}`, hold).catch(reject);
  });
  return store;
}
