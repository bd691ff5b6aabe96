import { checkEach, checkMs, checkName } from '../base/argument.ts';
import { systemClock, withDeadline } from '../platform/clock.ts';
import { STORAGE_BLOCKED } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { deleteLogDatabase, mustHaveIndexedDb } from '../platform/log-databases.ts';
import { openHintChannel } from '../protocol/hint.ts';
import { checkInlineHost } from './connection/worker-host.ts';
import type { InlineHost } from './connection/worker-host.ts';

export interface DeleteLogOptions {
  /**
   * The host that has the log, where it is not in the origin's IndexedDB: what `inline({ storage:
   * 'memory' })` returned. Default: the origin's IndexedDB.
   */
  readonly host?: InlineHost;
  /**
   * How long to wait for other tabs and workers to close the log's database, in milliseconds, at
   * least 1. Default 5000, which is enough unless something other than tablog has the database
   * open, or a tab is suspended.
   */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 5_000;

/**
 * Deletes the log `name` with everything in it: topics, records, groups, offsets, transactional
 * ids, and its topics in memory. Resolves when the log is gone. Does nothing where there is no such
 * log, as `indexedDB.deleteDatabase` and `caches.delete` do, and Kafka's `deleteTopics` does not.
 *
 * Every tab and worker that has the log open is told: calls, loops, `ready` and transactions reject
 * with `CLOSED`, with `details.reason` 'deleted', and so does every later call. None of them
 * creates the log again; the next `openLog(name)` does, and that log is empty and has another id.
 *
 * Throws a `TypeError` for a bad name or option, and a `TablogError`: `STORAGE_BLOCKED` where the
 * database is still open somewhere at the deadline (the browser deletes the log once that closes,
 * and nobody can open the log before); `STORAGE_UNAVAILABLE`; `NO_INDEXEDDB`.
 */
export async function deleteLog(name: string, options: DeleteLogOptions = {}): Promise<void> {
  checkName('log name', name);
  const { host, deadlineMs = DEADLINE_MS } = checkEach('deleteLog()', options, {
    host: (_, value) => checkInlineHost(value),
    deadlineMs: (what, value) => checkMs(what, value, 1),
  });
  const logs = host?.logs;
  if (logs === undefined) mustHaveIndexedDb();
  // IndexedDB tells every worker that has a connection, and the others when they open one. Tabs
  // without a request under way need this hint, whatever became of the deletion: at the deadline
  // every worker has closed the log.
  const hints = openHintChannel(name, () => {}, host?.platform?.openChannel);
  try {
    const deleting = logs === undefined ? deleteLogDatabase(name) : logs.delete(name);
    await withDeadline(systemClock, deadlineMs, deleting, () => heldOpen(name, deadlineMs));
  } finally {
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
