import { isName } from './argument.ts';

/**
 * The name of a log's IndexedDB database. The databases are on users' disks, so the scheme of names
 * must not change: under another name a log would be empty.
 */
export function databaseOf(log: string): string {
  return `${PREFIX}${log}`;
}

/** The log of a database; `undefined` for a database that is not tablog's. */
export function logOf(database: string): string | undefined {
  if (!database.startsWith(PREFIX)) return undefined;
  const log = database.slice(PREFIX.length);
  return isName(log) ? log : undefined;
}

/** The name of the database that keeps room for a log; see src/store/reserve.ts. */
export function reserveDatabaseOf(log: string): string {
  return `tablog-reserve/${log}`;
}

const PREFIX = 'tablog/';
