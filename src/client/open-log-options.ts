import { checkOneOf, checkSignal, withDefaults } from '../base/argument.ts';
import type { OnUnrecoverable } from '../platform/log-databases.ts';
import { checkContext } from './connection/check-context.ts';
import { checkInlineHost, defaultWorkerKind } from './connection/worker-host.ts';
import type { InlineHost, WorkerKind } from './connection/worker-host.ts';
import { checkWorkerUrl } from './connection/worker-url.ts';
import type { WorkerUrl } from './connection/worker-url.ts';
import { checkLogger } from './status/logger.ts';
import type { Logger } from './status/logger.ts';

export interface OpenLogOptions {
  /**
   * The place where the broker runs. 'shared': one SharedWorker for all tabs. 'dedicated': a worker
   * of this tab alone. `inline()` of 'tablog/inline': this thread, for service workers, edge
   * runtimes and tests. All three serve the same log, and tabs may mix them. Default: 'shared'
   * where the browser has SharedWorker, else 'dedicated'.
   */
  readonly host?: WorkerKind | InlineHost;
  /**
   * The address of the worker's file, `tablog/worker` (dist/tablog-worker.js), on the page's
   * origin. Set it where the page's bundler does not find the file. On a page whose
   * Content-Security-Policy has `require-trusted-types-for 'script'` the address is a
   * `TrustedScriptURL`. Default: the file beside the page's code, which bundlers find by
   * themselves.
   */
  readonly workerUrl?: WorkerUrl;
  /**
   * Cancels the opening when the signal aborts: `openLog` rejects with the signal's reason, and
   * nothing stays open. The signal does not close an open log. Default: none. Leave it out where
   * the application can wait for the 20 s that the opening takes at the most.
   */
  readonly signal?: AbortSignal;
  /**
   * Gets each `LogStatus` as one line of text until the log closes: `console`, another object with
   * the methods `debug`, `info`, `warn` and `error`, or a function. An error of the logger is
   * reported as an uncaught error, and has no other effect. Default: none. Leave it out where the
   * application reads `log.status()`.
   */
  readonly logger?: Logger;
  /**
   * What `openLog` does with a log that can never be opened again: its database opens and has lost
   * its first row, or the browser refuses the database in each of three attempts over 2 s, and opens
   * another one. 'error': it rejects with `LOG_CORRUPT` or `STORAGE_UNAVAILABLE`. 'recreate': it
   * leaves the database aside and begins a new, empty log in a database of another name, which all
   * tabs open from then on, whatever their option; the status `logReset` has the name of the old
   * database. A storage that is blocked, slow or full is no such case. `deleteLog` deletes the old
   * database as well. Default: 'error'. Leave it there where the application has to ask the user
   * first.
   */
  readonly onUnrecoverable?: OnUnrecoverable;
}

interface CheckedOpenLogOptions {
  readonly host: WorkerKind | InlineHost;
  readonly workerUrl: WorkerUrl | undefined;
  readonly signal: AbortSignal | undefined;
  readonly logger: Logger | undefined;
  readonly onUnrecoverable: OnUnrecoverable;
}

/** Throws a `TypeError` for a wrong option, and `NO_WORKER` and the like for a wrong context. */
export function checkOpenLogOptions(options: OpenLogOptions): CheckedOpenLogOptions {
  const checked = withDefaults<CheckedOpenLogOptions>('openLog()', options, {
    host: defaultWorkerKind(),
    workerUrl: undefined,
    signal: undefined,
    logger: undefined,
    onUnrecoverable: 'error',
  });
  const { host, workerUrl, signal, logger, onUnrecoverable } = checked;
  if (host !== 'shared' && host !== 'dedicated') checkInlineHost(host, "'shared', 'dedicated' or ");
  if (signal !== undefined) checkSignal('signal', signal);
  if (logger !== undefined) checkLogger(logger);
  checkOneOf('onUnrecoverable', onUnrecoverable, ['error', 'recreate']);
  if (typeof host === 'string') checkContext(host);
  if (workerUrl !== undefined) checkWorkerUrl(workerUrl);
  return checked;
}
