import { LISTING_UNAVAILABLE, NO_INDEXEDDB, STORAGE_UNAVAILABLE } from '../base/error-rules.ts';
import { isError } from '../base/brand.ts';
import { TablogError } from '../base/error.ts';
import { databaseOf, generationOf, logOf, reserveDatabaseOf } from '../base/log-database.ts';
import { hasIndexedDb, indexedDbRefused } from './indexeddb.ts';

/** The policy for a log that can never be opened again; see `OpenLogOptions`. */
export type OnUnrecoverable = 'error' | 'recreate';

/**
 * The names of the logs in the origin's IndexedDB. Throws `LISTING_UNAVAILABLE`, `NO_INDEXEDDB` and
 * `STORAGE_UNAVAILABLE`.
 */
export async function listLogDatabases(): Promise<string[]> {
  mustHaveIndexedDb();
  if (!listsDatabases()) {
    throw new TablogError(LISTING_UNAVAILABLE, 'this browser does not list databases');
  }
  const names = await databaseNames();
  return [...new Set(names.flatMap((name) => logOf(name) ?? []))];
}

/**
 * The generation of the log's newest database; 0: the log has one database or none. Where the
 * browser does not list databases (Firefox before 126), a log has the generation 0 alone. Throws
 * `STORAGE_UNAVAILABLE`.
 */
export async function newestGeneration(log: string): Promise<number> {
  return Math.max(0, ...(await generationsOf(log)));
}

async function generationsOf(log: string): Promise<number[]> {
  if (!listsDatabases()) return [];
  const names = await databaseNames();
  return names.flatMap((name) => generationOf(log, name) ?? []).sort((a, b) => a - b);
}

/** Whether this browser lists databases, so that a log can have a further generation. */
export function listsDatabases(): boolean {
  return typeof indexedDB.databases === 'function';
}

async function databaseNames(): Promise<string[]> {
  try {
    const databases = await indexedDB.databases();
    // WebKit lists a database whose first upgrade was aborted, with the version 0.
    return databases.filter(({ version }) => version !== 0).map(({ name = '' }) => name);
  } catch (cause) {
    if (isError(cause) && cause.name === 'SecurityError') throw indexedDbRefused(cause);
    const happened = `IndexedDB does not list its databases (${String(cause)})`;
    throw new TablogError(STORAGE_UNAVAILABLE, happened, { cause });
  }
}

/**
 * Deletes the databases of a log, those that were set aside included; resolves when every
 * connection to them is closed. IndexedDB tells those who have one. Throws `STORAGE_UNAVAILABLE`.
 */
export async function deleteLogDatabase(log: string): Promise<void> {
  const failures: unknown[] = [];
  const remove = async (generation: number): Promise<void> => {
    // A database that was set aside may resist, and the log is deleted all the same.
    await deleteDatabase(databaseOf(log, generation)).catch((error: unknown) => {
      failures.push(error);
    });
  };
  // The first comes before the listing, which Chromium refuses while the databases are damaged. The
  // newest comes last, because it is the log as long as it is there.
  await remove(0);
  for (const generation of await generationsOf(log)) if (generation > 0) await remove(generation);
  // A broker keeps the reserve of a log that it has open, so the log goes first.
  await deleteDatabase(reserveDatabaseOf(log));
  if (failures.length > 0) throw failures[0];
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
