import {
  deleteLogDatabase,
  listLogDatabases,
  mustHaveIndexedDb,
} from '../../platform/log-databases.ts';
import type { StoreFactory } from '../store-factory.ts';
import { openIdbStore } from './idb-store.ts';

/** Logs in the IndexedDB of this origin, a database each: those that the tabs have by default. */
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
