import { asIdbKey } from './idb-request.ts';
import type { Writer } from './store.ts';

/**
 * Writes within a transaction, whoever has opened it. `IdbStore` opens its own; an application that
 * has the log's stores in its own database could pass a transaction that covers its rows, too.
 */
export function writerOf(tx: IDBTransaction): Writer {
  return {
    put: (store, key, value) => void tx.objectStore(store).put(value, asIdbKey(key)),
    delete: (store, key) => void tx.objectStore(store).delete(asIdbKey(key)),
    deleteSegments: (store, from, to) =>
      void tx.objectStore(store).delete(IDBKeyRange.bound(from, to, false, true)),
    clear: (store) => void tx.objectStore(store).clear(),
  };
}
