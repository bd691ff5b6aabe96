import { asIdbKey } from './idb-request.ts';
import type { Writer } from '../store.ts';

/**
 * Writes within a transaction, whoever has opened it. `IdbStore` opens its own; an application that
 * has the log's stores in its own database, under names that begin with `prefix`, could pass a
 * transaction that covers its rows, too.
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
