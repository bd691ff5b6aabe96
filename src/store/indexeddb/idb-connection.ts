import { openDB, unwrap } from 'idb';
import type { IDBPDatabase } from 'idb';
import { STORAGE_BLOCKED, STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError, logDeleted } from '../../base/error.ts';
import { databaseOf } from '../../base/log-database.ts';
import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import type { RandomSource } from '../../platform/random-id.ts';
import { makeStores } from './idb-schema.ts';
import { storageError } from './storage-error.ts';

/**
 * Connects to the database of a log's object stores. The log has a database of its own. The object
 * stores could also lie in an application's database, under names with a prefix, so that one
 * IDBTransaction covers rows of the application and of the log; tablog offers no such connection
 * yet.
 */
export interface IdbConnection {
  /** The prefix of the names of the log's object stores. */
  readonly prefix: string;
  /**
   * Connects to the database. A `version` upgrades the database, which adds partition stores to the
   * pool. With `mustExist`, throws `CLOSED` for a missing database, because it was deleted.
   */
  connect(options: ConnectOptions): Promise<IDBDatabase>;
  disconnect(db: IDBDatabase): void;
}

export interface ConnectOptions {
  readonly version: number | undefined;
  readonly mustExist: boolean;
  /** The connection blocks an upgrade or a deletion of the database, and must be closed. */
  readonly onBlocking: (reason: TablogError) => void;
  /** The browser has closed the connection; transactions under way fire no more events. */
  readonly onTerminated: () => void;
}

export interface LogDatabaseOptions {
  readonly clock: Clock;
  readonly crypto: RandomSource | undefined;
  readonly deadlineMs: number;
}

/** The database of the log `name`. */
export function logDatabase(
  name: string,
  { clock, crypto, deadlineMs }: LogDatabaseOptions,
): IdbConnection {
  const connect: IdbConnection['connect'] = async (options) => {
    const { version, mustExist, onBlocking, onTerminated } = options;
    let late = false;
    let isMissing = false;
    const open = (): Promise<IDBPDatabase> =>
      openDB(databaseOf(name), version, {
        upgrade: (db, oldVersion, _newVersion, tx) => {
          const isNew = oldVersion === 0;
          isMissing = mustExist && isNew;
          if (isMissing) {
            tx.done.catch(() => {}); // the abort also rejects `openDB`, which reports it
            tx.abort(); // an aborted upgrade from version 0 leaves no database behind
            return;
          }
          makeStores(unwrap(db), unwrap(tx), { isNew, now: clock.now(), crypto, prefix: '' });
        },
        // An upgrade or a deletion must not wait for this connection. After an upgrade the broker
        // opens the database again. A deletion fires `versionchange` with a null `newVersion`:
        // https://w3c.github.io/IndexedDB/#delete-a-database
        blocking: (_version, newVersion) => {
          const isDeletion = newVersion === null;
          const changed = new TablogError(STORAGE_UNAVAILABLE, 'another tab changes the database');
          onBlocking(isDeletion ? logDeleted(name) : changed);
        },
        terminated: onTerminated,
      });
    try {
      const opening = open();
      opening.then(
        (db) => late && db.close(),
        () => {},
      );
      const expired = (): Error => {
        late = true;
        return blocked(name, deadlineMs);
      };
      return unwrap(await withDeadline(clock, deadlineMs, opening, expired));
    } catch (error) {
      throw isMissing ? logDeleted(name) : storageError(error);
    }
  };
  return { prefix: '', connect, disconnect: (db) => db.close() };
}

function blocked(name: string, deadlineMs: number): TablogError {
  return new TablogError(
    STORAGE_BLOCKED,
    `the database of the log '${name}' did not open within ${deadlineMs} ms`,
  );
}
