import { serveWorker } from './broker/serve-worker.ts';
import type { WorkerScope } from './broker/serve-worker.ts';
import { idbStore } from './store/indexeddb/idb-store-factory.ts';

/** The worker's entry: the one module of tablog that does something when it is imported. */
serveWorker(globalThis as unknown as WorkerScope, { store: idbStore() });
