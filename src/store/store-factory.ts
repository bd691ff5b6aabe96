import { checkMethods } from '../base/argument.ts';
import type { Clock } from '../platform/clock.ts';
import type { RandomSource } from '../platform/random-id.ts';
import type { Store } from './store.ts';

export interface OpenStoreOptions {
  /**
   * `false`: a log that is missing is made. `true`: `open` rejects with `logDeleted(log)`, because
   * the log was deleted since its tabs have opened it.
   */
  readonly mustExist: boolean;
  /** The broker's clock: for deadlines, and the time of the log's making. */
  readonly clock: Clock;
  /** The broker's source of ids, for `newLogRows`; `undefined`: the context's own. */
  readonly crypto?: RandomSource | undefined;
}

/** Where logs are stored, by name: `indexedDB` of the page, one database, a folder of files. */
export interface StoreFactory {
  /**
   * Opens the log. Each call is a connection of its own: brokers of one log have one each, and what
   * one of them stores the others read. Closing one leaves the log and the other connections.
   * Rejects with a `TablogError`; see `storeError`.
   */
  open(log: string, options: OpenStoreOptions): Promise<Store>;
  /** The names of the logs, in any order, without opening one. */
  list(): Promise<readonly string[]>;
  /**
   * Deletes the log, and closes every connection to it with `logDeleted(log)` as the reason. Does
   * nothing where there is no such log.
   */
  delete(log: string): Promise<void>;
}

/** Throws a `TypeError` for what is no `StoreFactory`. */
export function checkStoreFactory(what: string, store: unknown): void {
  checkMethods(what, store, ['open', 'list', 'delete']);
}
