import { openDB, unwrap } from 'idb';
import type { IDBPDatabase } from 'idb';
import { STORAGE_BLOCKED, STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError, logDeleted } from '../../base/error.ts';
import { databaseOf } from '../../base/log-database.ts';
import { newestGeneration } from '../../platform/log-databases.ts';
import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import type { RandomSource } from '../../platform/random-id.ts';
import { META, isLogRow, logRef } from '../schema.ts';
import { asIdbKey, onSuccess } from './idb-request.ts';
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
  /** The generation of the log's own database; `undefined` until it is known. */
  readonly generation?: number | undefined;
  /** Whether the browser told of lost databases as this connection found its own missing. */
  readonly isAfterLoss?: boolean;
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
  /**
   * The generation of the database; see `databaseOf`. Default: the newest. The first connection
   * decides, so that later connections are to the same database.
   */
  readonly generation?: number;
}

/** The database of the log `name`. */
export function logDatabase(
  name: string,
  { clock, crypto, deadlineMs, generation: given }: LogDatabaseOptions,
): IdbConnection {
  let generation = given;
  let dataLoss = false;
  const connect: IdbConnection['connect'] = async (options) => {
    const { version, mustExist, onBlocking, onTerminated } = options;
    let late = false;
    /** `undefined`: there is no such database, and it is not to be created. */
    const openDatabase = async (
      which: number,
      { create }: { readonly create: boolean },
    ): Promise<IDBPDatabase | undefined> => {
      let isMissing = false;
      try {
        return await openDB(databaseOf(name, which), version, {
          upgrade: (db, oldVersion, _newVersion, tx, event) => {
            const isNew = oldVersion === 0;
            // Chromium tells the first database that is opened after it has deleted those of an
            // origin; the attribute is its own.
            dataLoss ||= (event as { readonly dataLoss?: unknown }).dataLoss === 'total';
            isMissing = isNew && !create;
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
            const changed = new TablogError(
              STORAGE_UNAVAILABLE,
              'another tab changes the database',
            );
            onBlocking(isDeletion ? logDeleted(name) : changed);
          },
          terminated: onTerminated,
        });
      } catch (error) {
        if (isMissing) return undefined;
        throw error;
      }
    };
    /**
     * Opens first, and lists the databases then. Chromium lists none of a damaged LevelDB until an
     * open has mended it, and a listing never ends when the site's data is cleared meanwhile.
     */
    const open = async (): Promise<IDBPDatabase> => {
      const wanted = generation ?? 0;
      const opening = openDatabase(wanted, { create: false });
      const opened = await opening.catch(() => undefined);
      const newest = await newestGeneration(name).catch((error: unknown) => {
        opened?.close();
        throw error;
      });
      if (newest > wanted) {
        opened?.close();
        // Another broker has set this database aside: who had the log open has lost it.
        if (generation !== undefined) throw logDeleted(name);
        generation = newest;
        const next = await openDatabase(newest, { create: false });
        if (next === undefined) throw logDeleted(name);
        return next;
      }
      generation = wanted;
      const found = await opening;
      if (found !== undefined) return found;
      if (mustExist) throw logDeleted(name);
      return (await openDatabase(wanted, { create: true }))!;
    };
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
      throw storageError(error);
    }
  };
  return {
    prefix: '',
    get generation() {
      return generation;
    },
    get isAfterLoss() {
      return dataLoss;
    },
    connect,
    disconnect: (db) => db.close(),
  };
}

/** The error of a database that did not open in time. */
function blocked(name: string, deadlineMs: number): TablogError {
  return new TablogError(
    STORAGE_BLOCKED,
    `the database of the log '${name}' did not open within ${deadlineMs} ms`,
  );
}

export interface DisconnectOptions {
  /** The log's name. */
  readonly name: string;
  readonly clock: Clock;
  /** The deadline of opening one database, in milliseconds. */
  readonly deadlineMs: number;
}

/**
 * Closes the connections of other brokers to a damaged database: they may have opened it before it was
 * damaged, and would append to a log that nobody reads. An upgrade of the database begins when all
 * of them are closed; whoever connects after it finds the damage. Throws `STORAGE_UNAVAILABLE`
 * where the first row is not damaged after all.
 */
export async function disconnectOthers(
  database: string,
  { name, clock, deadlineMs }: DisconnectOptions,
): Promise<void> {
  let isWhole = false;
  const upgrade = async (): Promise<void> => {
    const db = await openDB(database, undefined, { blocking: (_, __, event) => closeDb(event) });
    const version = db.version + 1;
    db.close();
    const upgraded = await openDB(database, version, {
      upgrade: (_, __, ___, tx) => {
        if (!tx.objectStoreNames.contains(META)) return;
        const meta = unwrap(tx).objectStore(META);
        onSuccess(meta.get(asIdbKey(logRef.key)), (row: unknown) => {
          isWhole = isLogRow(row);
          if (!isWhole) return;
          tx.done.catch(() => {}); // the abort also rejects `openDB`
          tx.abort();
        });
      },
      blocking: (_, __, event) => closeDb(event),
    });
    upgraded.close();
  };
  try {
    await withDeadline(clock, deadlineMs, upgrade(), () => blocked(name, deadlineMs));
  } catch (error) {
    if (isWhole) {
      throw new TablogError(STORAGE_UNAVAILABLE, `the log '${name}' has its first row again`);
    }
    // Another broker has upgraded the database in the meantime, for the same reason.
    if ((error as Partial<Error>).name !== 'VersionError') throw storageError(error);
  }
}

function closeDb({ target }: IDBVersionChangeEvent): void {
  (target as IDBDatabase).close();
}
