import { checkEach } from '../base/argument.ts';
import { LISTING_UNAVAILABLE, NO_INDEXEDDB, STORAGE_UNAVAILABLE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { logOf } from '../base/log-database.ts';
import { checkInlineHost } from './connection/worker-host.ts';
import type { InlineHost } from './connection/worker-host.ts';

export interface ListLogsOptions {
  /**
   * The host whose logs are listed: what `inline({ storage: 'memory' })` returned. Default: the
   * origin's IndexedDB.
   */
  readonly host?: InlineHost;
}

/**
 * The names of this origin's logs, in alphabetical order, whichever page created them. Opens none
 * of them.
 *
 * Throws a `TypeError` for a bad option, `LISTING_UNAVAILABLE` where the browser does not list
 * databases (Firefox before 126), `NO_INDEXEDDB`, and `STORAGE_UNAVAILABLE`.
 */
export async function listLogs(options: ListLogsOptions = {}): Promise<string[]> {
  const { host } = checkEach('listLogs()', options, { host: (_, value) => checkInlineHost(value) });
  const names = host?.logs === undefined ? await originLogs() : await host.logs.list();
  return [...names].sort();
}

async function originLogs(): Promise<string[]> {
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

/** Throws `NO_INDEXEDDB`. */
export function mustHaveIndexedDb(): void {
  if ('indexedDB' in globalThis) return;
  throw new TablogError(NO_INDEXEDDB, 'this context has no IndexedDB, and so no logs');
}
