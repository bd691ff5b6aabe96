import { checkEach } from '../base/argument.ts';
import { listLogDatabases } from '../platform/log-databases.ts';
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
  const names = host?.logs === undefined ? await listLogDatabases() : await host.logs.list();
  return [...names].sort();
}
