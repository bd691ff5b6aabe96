import { checkEach } from '../base/argument.ts';
import { STORAGE_TIMEOUT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { systemClock, withDeadline } from '../platform/clock.ts';
import { listLogDatabases } from '../platform/log-databases.ts';
import { checkInlineHost } from './connection/worker-host.ts';
import type { InlineHost } from './connection/worker-host.ts';

/** With the grace that `withDeadline` adds, 10 s. */
const DEADLINE_MS = 9_750;

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
 * databases (Firefox before 126), `NO_INDEXEDDB`, `STORAGE_UNAVAILABLE`, and `STORAGE_TIMEOUT` where
 * there is no list within 10 s.
 */
export async function listLogs(options: ListLogsOptions = {}): Promise<string[]> {
  const { host } = checkEach('listLogs()', options, { host: (_, value) => checkInlineHost(value) });
  const listing = host?.logs === undefined ? listLogDatabases() : host.logs.list();
  const names = await withDeadline<readonly string[]>(systemClock, DEADLINE_MS, listing, () => {
    const happened = `the names of the logs have not come in ${DEADLINE_MS} ms`;
    return new TablogError(STORAGE_TIMEOUT, happened);
  });
  return [...names].sort();
}
