import {
  deleteLogDatabase,
  listLogDatabases,
  mustHaveIndexedDb,
} from '../../platform/log-databases.ts';
import type { StoreFactory } from '../store-factory.ts';
import { openIdbStore } from './open-idb-store.ts';

/**
 * Logs in the IndexedDB of this origin, one database each. This is the default store of all tabs.
 */
export function idbStore(): StoreFactory {
  return {
    open: openIdbStore,
    list: listLogDatabases,
    async delete(log) {
      mustHaveIndexedDb();
      await deleteLogDatabase(log);
    },
  };
}
