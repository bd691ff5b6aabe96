import { checkMethods } from '../base/argument.ts';
import type { Clock } from '../platform/clock.ts';
import type { OnUnrecoverable } from '../platform/log-databases.ts';
import type { Platform } from '../platform/platform.ts';
import type { RandomSource } from '../platform/random-id.ts';
import type { Store } from './store.ts';

export interface OpenStoreOptions {
  /**
   * `false`: `open` creates a missing log. `true`: `open` rejects with `logDeleted(log)` for a
   * missing log, because the log was deleted after its tabs had opened it.
   */
  readonly mustExist: boolean;
  /** The broker's clock: for deadlines, and for the time of the log's creation. */
  readonly clock: Clock;
  /**
   * 'recreate': where a log can never be opened again, `open` sets it aside and creates a new log
   * of the same name. A factory may take it as 'error', which is the default.
   */
  readonly onUnrecoverable?: OnUnrecoverable;
  /** The broker's source of ids, for `newLogRows`; `undefined`: the context's own. */
  readonly crypto?: RandomSource | undefined;
}

/** Opens logs by name: in the page's `indexedDB`, in one database, in a folder of files. */
export interface StoreFactory {
  /**
   * Opens the log. Each call makes a new connection: every broker of a log has its own connection,
   * and reads the rows that other brokers have stored. Closing a connection leaves the log and its
   * other connections open. Rejects with a `TablogError`; see `storeError`.
   */
  open(log: string, options: OpenStoreOptions): Promise<Store>;
  /** Lists the names of the logs, in any order, without opening any log. */
  list(): Promise<readonly string[]>;
  /**
   * Deletes the log, and closes every connection to the log with `logDeleted(log)` as the reason.
   * Does nothing when no such log exists.
   */
  delete(log: string): Promise<void>;
  /**
   * The locks and channels of all who have this storage open: `inline()` gives them to broker and tab
   * in place of the context's. A host of your own has to do the same. Default: those of the context.
   */
  readonly platform?: Platform;
}

/** Throws a `TypeError` unless `store` is a `StoreFactory`. */
export function checkStoreFactory(what: string, store: unknown): void {
  checkMethods(what, store, ['open', 'list', 'delete']);
}
