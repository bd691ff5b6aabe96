import { asIdbKey } from './idb-request.ts';
import type { Writer } from '../store.ts';

/**
 * A `Writer` within any open transaction. `IdbStore` passes transactions of its own. An application
 * with the log's object stores in the application's database, under names that begin with `prefix`,
 * could pass a transaction that covers the application's rows as well.
 */
export function writerOf(tx: IDBTransaction, prefix: string): Writer {
  const storeOf = (store: string): IDBObjectStore => tx.objectStore(prefix + store);
  return {
    put: (store, key, value) => void storeOf(store).put(value, asIdbKey(key)),
    delete: (store, key) => void storeOf(store).delete(asIdbKey(key)),
    deleteSegments: (store, from, to) =>
      void storeOf(store).delete(IDBKeyRange.bound(from, to, false, true)),
    clear: (store) => void storeOf(store).clear(),
  };
}
