import { asIdbKey } from './idb-request.ts';
import { callStorage } from './storage-error.ts';
import type { Writer } from '../store.ts';

/**
 * A `Writer` within any open transaction. `IdbStore` passes transactions of its own. An application
 * with the log's object stores in the application's database, under names that begin with `prefix`,
 * could pass a transaction that covers the application's rows as well.
 */
export function writerOf(tx: IDBTransaction, prefix: string): Writer {
  const inStore = (store: string, write: (rows: IDBObjectStore) => IDBRequest): void =>
    void callStorage(() => write(tx.objectStore(prefix + store)));
  return {
    put: (store, key, value) => inStore(store, (rows) => rows.put(value, asIdbKey(key))),
    delete: (store, key) => inStore(store, (rows) => rows.delete(asIdbKey(key))),
    deleteSegments: (store, from, to) =>
      inStore(store, (rows) => rows.delete(IDBKeyRange.bound(from, to, false, true))),
    clear: (store) => inStore(store, (rows) => rows.clear()),
  };
}
