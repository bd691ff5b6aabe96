import { serveWorker } from './broker/serve-worker.ts';
import type { WorkerScope } from './broker/serve-worker.ts';
import { openIdbStore } from './store/indexeddb/idb-store.ts';

/** The worker's entry: the one module of tablog that does something when it is imported. */
serveWorker(globalThis as unknown as WorkerScope, { store: { open: openIdbStore } });
