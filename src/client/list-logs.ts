import { checkEach } from '../base/argument.ts';
import { listLogDatabases } from '../platform/log-databases.ts';
import { checkInlineHost } from './connection/worker-host.ts';
import type { InlineHost } from './connection/worker-host.ts';

export interface ListLogsOptions {
  /**
   * The host whose logs are listed: the host that `inline({ storage: 'memory' })` returned.
   * Default: the logs of the origin's IndexedDB.
   */
  readonly host?: InlineHost;
}

/**
 * The names of all logs of this origin, in alphabetical order. Opens no log.
 *
 * Throws a `TypeError` for a bad option, `LISTING_UNAVAILABLE` where the browser does not list
 * databases (Firefox before 126), `NO_INDEXEDDB`, and `STORAGE_UNAVAILABLE`.
 */
export async function listLogs(options: ListLogsOptions = {}): Promise<string[]> {
  const { host } = checkEach('listLogs()', options, { host: (_, value) => checkInlineHost(value) });
  const names = host?.logs === undefined ? await listLogDatabases() : await host.logs.list();
  return [...names].sort();
}
