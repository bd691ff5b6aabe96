import { isName } from './argument.ts';

/** The name of the IndexedDB database of a log. Stored: a log of another name would be another log. */
export function databaseOf(log: string): string {
  return `${PREFIX}${log}`;
}

/** The log of a database; `undefined`: the database is not tablog's. */
export function logOf(database: string): string | undefined {
  if (!database.startsWith(PREFIX)) return undefined;
  const log = database.slice(PREFIX.length);
  return isName(log) ? log : undefined;
}

const PREFIX = 'tablog/';
