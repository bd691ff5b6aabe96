import { reserveDatabaseOf } from '../../base/log-database.ts';
import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { deleteDatabase } from '../../platform/log-databases.ts';
import type { Reserve } from '../reserve.ts';
import { storageError } from './storage-error.ts';

const STORE = 'reserve';

/**
 * A reserve in a database of its own, which every browser deletes as files. Rows of the log's own
 * database would not do: the file of a database in WebKit never shrinks, and WebKit refuses a put
 * by the size of the file, whatever is free in it.
 */
export function idbReserve(log: string, clock: Clock, deadlineMs: number): Reserve {
  const name = reserveDatabaseOf(log);
  const late = (): Error => new Error(`the database '${name}' did not answer in ${deadlineMs} ms`);
  return {
    keep: (rows) => withDeadline(clock, deadlineMs, keepRows(name, rows), late),
    drop: () => withDeadline(clock, deadlineMs, deleteDatabase(name), late),
  };
}

async function keepRows(name: string, rows: readonly ArrayBuffer[]): Promise<void> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      opening.result.onversionchange = () => opening.result.close(); // it is being dropped
      const store = opening.result.createObjectStore(STORE);
      rows.forEach((row, i) => void store.put(row, i));
    };
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(storageError(opening.error));
  });
  db.close();
}
