import { serveWorker } from './broker/serve-worker.ts';
import type { WorkerScope } from './broker/serve-worker.ts';
import { openIdbStore } from './store/indexeddb/open-idb-store.ts';

/** The worker's entry, and the only module of tablog with side effects at its import. */
serveWorker(globalThis as unknown as WorkerScope, { store: { open: openIdbStore } });
