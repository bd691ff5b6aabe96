import { LISTING_UNAVAILABLE, NO_INDEXEDDB, STORAGE_UNAVAILABLE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { databaseOf, logOf, reserveDatabaseOf } from '../base/log-database.ts';
import { hasIndexedDb } from './indexeddb.ts';

/**
 * The names of the logs in the origin's IndexedDB. Throws `LISTING_UNAVAILABLE`, `NO_INDEXEDDB` and
 * `STORAGE_UNAVAILABLE`.
 */
export async function listLogDatabases(): Promise<string[]> {
  mustHaveIndexedDb();
  if (typeof indexedDB.databases !== 'function') {
    throw new TablogError(LISTING_UNAVAILABLE, 'this browser does not list databases');
  }
  try {
    const databases = await indexedDB.databases();
    return databases.flatMap(({ name = '' }) => logOf(name) ?? []);
  } catch (cause) {
    const happened = `IndexedDB does not list its databases (${String(cause)})`;
    throw new TablogError(STORAGE_UNAVAILABLE, happened, { cause });
  }
}

/**
 * Deletes the database of a log; resolves when every connection to it is closed. IndexedDB tells
 * those who have one. Throws `STORAGE_UNAVAILABLE`.
 */
export async function deleteLogDatabase(log: string): Promise<void> {
  await deleteDatabase(databaseOf(log));
  // A broker keeps the reserve of a log that it has open, so the log goes first.
  await deleteDatabase(reserveDatabaseOf(log));
}

/** Throws `STORAGE_UNAVAILABLE`. */
export function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(
        new TablogError(STORAGE_UNAVAILABLE, `IndexedDB failed (${String(cause)})`, { cause }),
      );
    try {
      const request = indexedDB.deleteDatabase(name);
      request.addEventListener('success', () => resolve());
      request.addEventListener('error', () => fail(request.error));
    } catch (error) {
      fail(error);
    }
  });
}

/** Throws `NO_INDEXEDDB`. */
export function mustHaveIndexedDb(): void {
  if (hasIndexedDb()) return;
  throw new TablogError(NO_INDEXEDDB, 'this context has no IndexedDB, and so no logs');
}
