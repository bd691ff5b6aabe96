import { isName } from './argument.ts';

/**
 * The IndexedDB database of a log. The name is on users' disks: another one would find an empty
 * log.
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

const PREFIX = 'tablog/';
