import { checkEach, checkMs, checkName } from '../base/argument.ts';
import { systemClock, withDeadline } from '../platform/clock.ts';
import { STORAGE_BLOCKED } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { removeWitness } from '../platform/witness-storage.ts';
import { deleteLogDatabase, mustHaveIndexedDb } from '../platform/log-databases.ts';
import { openHintChannel } from '../protocol/hint.ts';
import { checkInlineHost } from './connection/worker-host.ts';
import type { InlineHost } from './connection/worker-host.ts';

export interface DeleteLogOptions {
  /**
   * The host of a log outside the origin's IndexedDB: the host that `inline({ storage: 'memory' })`
   * returned. Default: the log is in the origin's IndexedDB.
   */
  readonly host?: InlineHost;
  /**
   * How long the call waits until other tabs and workers have closed the log's database, in
   * milliseconds, at least 1. Default 5000. Tabs and workers of tablog close the database at once;
   * raise the deadline where other code has the database open, or a tab may be suspended.
   */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 5_000;

/**
 * Deletes the log `name` with everything in it: topics, records, groups, offsets, transactional
 * ids, and its topics in memory. Resolves when the log is deleted. Does nothing where the log does
 * not exist, as `indexedDB.deleteDatabase` and `caches.delete` do (Kafka's `deleteTopics` fails).
 *
 * The deletion closes the log in every tab and worker that has the log open: calls, loops, `ready`,
 * transactions and all later calls reject with `CLOSED`, with `details.reason` 'deleted'. Only the
 * next `openLog(name)` creates the log again; the new log is empty and has another id.
 *
 * Throws a `TypeError` for a bad name or option, and a `TablogError`: `STORAGE_BLOCKED` where the
 * database is still open somewhere at the deadline (the browser deletes the log once the last
 * connection closes, and no tab can open the log before); `STORAGE_UNAVAILABLE`; `NO_INDEXEDDB`.
 */
export async function deleteLog(name: string, options: DeleteLogOptions = {}): Promise<void> {
  checkName('log name', name);
  const { host, deadlineMs = DEADLINE_MS } = checkEach('deleteLog()', options, {
    host: (_, value) => checkInlineHost(value),
    deadlineMs: (what, value) => checkMs(what, value, 1),
  });
  const logs = host?.logs;
  if (logs === undefined) mustHaveIndexedDb();
  // IndexedDB sends `versionchange` to every worker that has a connection; a worker without one
  // notices the deletion when it opens one. Tabs without a call in flight learn of the deletion by
  // this hint. The hint is right after a missed deadline as well, because by then every worker has
  // closed the log.
  const hints = openHintChannel(name, () => {}, host?.platform?.openChannel);
  try {
    const deleting = logs === undefined ? deleteLogDatabase(name) : logs.delete(name);
    await withDeadline(systemClock, deadlineMs, deleting, () => heldOpen(name, deadlineMs));
  } finally {
    if (logs === undefined) removeWitness(name); // the next log is no loss of this one
    hints.post({ kind: 'deleted' });
    hints.close();
  }
}

function heldOpen(name: string, deadlineMs: number): TablogError {
  return new TablogError(
    STORAGE_BLOCKED,
    `the log '${name}' was not deleted within ${deadlineMs} ms, because its database is still open; ` +
      'the browser deletes it when that closes',
    { details: { log: name, deadlineMs } },
  );
}
