import { afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { stubIndexedDb } from '../store/indexeddb/fake-indexeddb.ts';
import { stubWorkers } from './fake-worker.ts';
import { stopTime } from './waiting.ts';

/** Workers and IndexedDB in this thread, in which a test makes something hang, and a stopped time. */
export function useStoppedWorld(): void {
  // An import takes real time, which fake timers do not see.
  beforeAll(() => import('../../src/client/connection/worker-fault.ts'));
  beforeEach(async () => {
    await stopTime();
    stubWorkers();
    stubIndexedDb();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });
}

/** Makes every transaction from now on one whose backend is dead: no event of it fires. */
export function killTransactions(): void {
  vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation((_, mode) => {
    const request = (): object => ({});
    const store = { get: request, getAll: request, getAllKeys: request, openCursor: request };
    const transaction = { mode, objectStore: () => store, abort() {}, commit() {} };
    return transaction as unknown as IDBTransaction;
  });
}
