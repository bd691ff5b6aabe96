import { isName } from './argument.ts';

/**
 * The name of a log's IndexedDB database. The databases are on users' disks, so the scheme of names
 * must not change: under another name a log would be empty.
 *
 * A log has a database of the next `generation` when its database can never be opened again. No
 * name of a log contains a tilde, so no other log has that name, and versions of tablog before
 * generations do not take it for a log.
 */
export function databaseOf(log: string, generation = 0): string {
  return `${PREFIX}${log}${generation === 0 ? '' : `~${generation}`}`;
}

/** The log of a database; `undefined` for a database that is not tablog's. */
export function logOf(database: string): string | undefined {
  return parse(database)?.log;
}

/** The generation of a log's database; `undefined` for any other database. */
export function generationOf(log: string, database: string): number | undefined {
  const parsed = parse(database);
  return parsed?.log === log ? parsed.generation : undefined;
}

function parse(
  database: string,
): { readonly log: string; readonly generation: number } | undefined {
  if (!database.startsWith(PREFIX)) return undefined;
  const [log = '', generation = '0', ...more] = database.slice(PREFIX.length).split('~');
  if (!isName(log) || !/^\d{1,9}$/.test(generation) || more.length > 0) return undefined;
  const isOurs = database === databaseOf(log, Number(generation));
  return isOurs ? { log, generation: Number(generation) } : undefined;
}

/** The name of the database that keeps room for a log; see src/store/reserve.ts. */
export function reserveDatabaseOf(log: string): string {
  return `tablog-reserve/${log}`;
}

const PREFIX = 'tablog/';
