import { checkEach, checkMs, checkName } from '../base/argument.ts';
import { systemClock, withDeadline } from '../base/clock.ts';
import { STORAGE_BLOCKED, STORAGE_UNAVAILABLE } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { databaseOf } from '../base/log-database.ts';
import { openHintChannel } from '../protocol/hint.ts';
import { checkInlineHost } from './host.ts';
import type { InlineHost } from './host.ts';
import { mustHaveIndexedDb } from './list-logs.ts';

export interface DeleteLogOptions {
  /**
   * Where the log is, if it is not among the origin's: what `inline({ storage: 'memory' })` returned.
   */
  readonly host?: InlineHost;
  /**
   * How long to wait for whoever has the log open to let go of it, in milliseconds. Default 5000,
   * which is enough unless something else than tablog has its database open, or a tab is suspended.
   */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 5_000;

/**
 * Deletes the log `name` with all that is in it: topics, records, groups, offsets, transactional ids,
 * and its topics in memory. Resolves when that is done. Does nothing where there is no such log, as
 * `indexedDB.deleteDatabase` and `caches.delete` do, and Kafka's `deleteTopics` does not.
 *
 * Every tab and worker that has the log open is told: calls, loops, `ready` and transactions reject
 * with `CLOSED`, with `details.reason` 'deleted', and so does everything that is called later. They do
 * not make the log anew; the next `openLog(name)` does, and that log is empty and has another id.
 *
 * Throws a `TypeError` for a bad name or option, and a `TablogError`: `STORAGE_BLOCKED` where somebody
 * does not let go of it in time: the browser deletes it as soon as they do, and until then nobody can
 * open it; `STORAGE_UNAVAILABLE`, `NO_INDEXEDDB`.
 */
export async function deleteLog(name: string, options: DeleteLogOptions = {}): Promise<void> {
  checkName('log name', name);
  const { host, deadlineMs = DEADLINE_MS } = checkEach('deleteLog()', options, {
    host: (_, value) => checkInlineHost(value),
    deadlineMs: (what, value) => checkMs(what, value, 1),
  });
  const logs = host?.logs;
  if (logs === undefined) mustHaveIndexedDb();
  // IndexedDB tells every worker that has a connection. Workers without one, and tabs that wait for
  // nothing, hear this hint: before, so that no worker makes the log anew, and afterwards, to look.
  const hints = openHintChannel(name, () => {});
  try {
    hints.post({ kind: 'deleted' });
    const deleting = logs === undefined ? deleteDatabase(databaseOf(name)) : logs.delete(name);
    await withDeadline(systemClock, deadlineMs, deleting, () => heldOpen(name, deadlineMs));
    hints.post({ kind: 'deleted' });
  } finally {
    hints.close();
  }
}

function deleteDatabase(database: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(
        new TablogError(STORAGE_UNAVAILABLE, `IndexedDB failed (${String(cause)})`, { cause }),
      );
    try {
      const request = indexedDB.deleteDatabase(database);
      request.addEventListener('success', () => resolve());
      request.addEventListener('error', () => fail(request.error));
    } catch (error) {
      fail(error);
    }
  });
}

function heldOpen(name: string, deadlineMs: number): TablogError {
  return new TablogError(
    STORAGE_BLOCKED,
    `the log '${name}' was not deleted within ${deadlineMs} ms, because its database is still open; ` +
      'the browser deletes it when that closes',
    { details: { log: name, deadlineMs } },
  );
}
