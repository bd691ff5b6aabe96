import { openDB, unwrap } from 'idb';
import type { IDBPDatabase } from 'idb';
import { isError } from '../base/brand.ts';
import { errorMessage } from '../base/error-text.ts';
import { deadline, systemClock, withDeadline } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import {
  CLOSED,
  NO_INDEXEDDB,
  OUTCOME_UNKNOWN,
  STORAGE_BLOCKED,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../base/error-rules.ts';
import type { ErrorRule } from '../base/error-rule.ts';
import { TablogError, logDeleted } from '../base/error.ts';
import { databaseOf } from '../base/log-database.ts';
import { asIdbKey, onSuccess, storesOf } from './idb-request.ts';
import { checkFormat, makeStores } from './idb-schema.ts';
import { readSegmentsFrom } from './idb-segments.ts';
import { writerOf } from './idb-writer.ts';
import type { FoundSegments } from './idb-segments.ts';
import { HEAD_KEY, logRef } from './schema.ts';
import { storageError } from './storage-error.ts';
import type {
  Durability,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  Store,
  Synchronous,
  Writer,
} from './store.ts';

export interface IdbStoreOptions {
  /** Default 5000: an open that another tab blocks may never fire any event (w3c/IndexedDB#223). */
  readonly openDeadlineMs?: number;
  /** Default 7500: a transaction whose backend died fires neither `complete` nor `abort`. */
  readonly transactionDeadlineMs?: number;
  readonly clock?: Clock;
  /**
   * Default false: a missing database is created. True: a missing database is `CLOSED`, because it
   * was deleted.
   */
  readonly mustExist?: boolean;
}

const OPEN_DEADLINE_MS = 5_000;
const TRANSACTION_DEADLINE_MS = 7_500;

/** Opens the database of the log `name`, and makes it if it is new. */
export async function openIdbStore(name: string, options: IdbStoreOptions = {}): Promise<Store> {
  if (!hasIndexedDb()) throw new TablogError(NO_INDEXEDDB, 'this context has no IndexedDB');
  const store = new IdbStore(name, options);
  await store.open();
  return store;
}

/**
 * Whether there is an IndexedDB. Throws `NO_INDEXEDDB` where a look at it is refused, as in Firefox
 * without site data.
 */
function hasIndexedDb(): boolean {
  try {
    return typeof globalThis.indexedDB === 'object' && globalThis.indexedDB !== null;
  } catch (error) {
    throw storageError(error);
  }
}

class IdbStore implements Store {
  readonly #name: string;
  readonly #openDeadlineMs: number;
  readonly #transactionDeadlineMs: number;
  readonly #clock: Clock;
  readonly #mustExist: boolean;
  readonly #closing = new AbortController();
  /** Settles the transactions in flight when the browser closes the database under them. */
  readonly #inFlight = new Set<(why: ErrorRule, what: string) => void>();
  #db: Promise<IDBDatabase> | undefined;

  constructor(name: string, options: IdbStoreOptions) {
    this.#name = name;
    this.#openDeadlineMs = options.openDeadlineMs ?? OPEN_DEADLINE_MS;
    this.#transactionDeadlineMs = options.transactionDeadlineMs ?? TRANSACTION_DEADLINE_MS;
    this.#clock = options.clock ?? systemClock;
    this.#mustExist = options.mustExist ?? false;
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  async open(): Promise<void> {
    this.#db = this.#connect(undefined, this.#mustExist);
    try {
      const [log] = await this.read([logRef]);
      checkFormat(this.#name, log);
    } catch (error) {
      this.close(storageError(error));
      throw error;
    }
  }

  async extendPool(): Promise<void> {
    this.closed.throwIfAborted();
    // Chained in one turn, so that two who extend at once, or close meanwhile, leave no connection.
    const opening = this.#db!.then((db) => {
      db.close();
      this.closed.throwIfAborted();
      // A deletion while there is no connection goes unheard, so the database must not be created
      // again.
      return this.#connect(db.version + 1, true);
    });
    this.#db = opening;
    try {
      await opening;
    } catch (error) {
      this.close(storageError(error));
      throw error;
    }
  }

  close(reason: TablogError = new TablogError(CLOSED, `the log '${this.#name}' is closed`)): void {
    if (this.closed.aborted) return;
    this.#closing.abort(reason);
    void this.#db?.then(
      (db) => db.close(),
      () => {},
    );
  }

  async read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    const rows: unknown[] = [];
    await this.#transact(storesOf(refs), 'readonly', {}, (tx) => {
      refs.forEach((ref, i) => {
        onSuccess(tx.objectStore(ref.store).get(asIdbKey(ref.key)), (row: unknown) => {
          rows[i] = row;
        });
      });
    });
    return rows as RowsOf<Refs>;
  }

  async readAll<T>(store: string): Promise<T[]> {
    let rows: T[] = [];
    await this.#transact([store], 'readonly', {}, (tx) => {
      onSuccess(tx.objectStore(store).getAll(), (all: T[]) => {
        rows = all;
      });
    });
    return rows;
  }

  async readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    const found = requests.map((): FoundSegments => ({
      head: undefined,
      segments: [],
      nextBaseOffset: undefined,
    }));
    await this.#transact(storesOf(requests), 'readonly', {}, (tx) => {
      requests.forEach((request, i) => {
        const store = tx.objectStore(request.store);
        const into = found[i]!;
        onSuccess(store.get(HEAD_KEY), (head: unknown) => {
          into.head = head;
        });
        readSegmentsFrom(store, request, into);
      });
    });
    return found;
  }

  async update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options: { readonly durability?: Durability } = {},
  ): Promise<Result> {
    let result: Result | undefined;
    const durability = options.durability ?? 'relaxed';
    await this.#transact(storesOf(refs), 'readwrite', { durability }, (tx, fail) => {
      const rows: unknown[] = [];
      let left = refs.length;
      refs.forEach((ref, i) => {
        onSuccess(tx.objectStore(ref.store).get(asIdbKey(ref.key)), (row) => {
          rows[i] = row;
          if (--left > 0) return;
          try {
            result = decide(rows as RowsOf<Refs>, writerOf(tx));
            // Without it the transaction waits for a turn of the event loop, which a frozen or
            // closing page does not get.
            tx.commit();
          } catch (error) {
            fail(error);
          }
        });
      });
    });
    return result as Result;
  }

  /** Runs `body` in a transaction; settles when the transaction has, or can no longer. */
  async #transact(
    stores: string[],
    mode: IDBTransactionMode,
    options: IDBTransactionOptions,
    body: (tx: IDBTransaction, fail: (error: unknown) => void) => void,
  ): Promise<void> {
    let opening: Promise<IDBDatabase> | undefined;
    let db: IDBDatabase;
    do {
      this.closed.throwIfAborted();
      opening = this.#db;
      db = await opening!;
    } while (opening !== this.#db); // the pool grew meanwhile, on another connection
    await new Promise<void>((resolve, reject) => {
      let thrown: Error | undefined;
      let tx: IDBTransaction;
      try {
        tx = db.transaction(stores, mode, options);
      } catch (error) {
        reject(storageError(error));
        this.#reopenNeeded(error);
        return;
      }
      const lose = (why: ErrorRule, what: string): void => {
        settle();
        const isRead = mode === 'readonly';
        const happened = `a ${isRead ? 'read of' : 'write to'} the log '${this.#name}' ${what}`;
        reject(new TablogError(isRead ? why : OUTCOME_UNKNOWN, happened));
      };
      const cancelDeadline = deadline(this.#clock, this.#transactionDeadlineMs, () => {
        lose(STORAGE_TIMEOUT, `has not ended in ${this.#transactionDeadlineMs} ms`);
        this.close(new TablogError(STORAGE_TIMEOUT, 'the database does not answer'));
      });
      const settle = (): void => {
        cancelDeadline();
        this.#inFlight.delete(lose);
      };
      this.#inFlight.add(lose);
      const fail = (error: unknown): void => {
        thrown = isError(error) ? error : new Error(errorMessage(error));
        tx.abort();
      };
      tx.oncomplete = () => {
        settle();
        resolve();
      };
      tx.onabort = () => {
        settle();
        reject(thrown ?? storageError(tx.error));
      };
      try {
        body(tx, fail);
      } catch (error) {
        fail(error);
      }
    });
  }

  /** A connection that refuses transactions is closing: nobody told us, so tell the broker. */
  #reopenNeeded(error: unknown): void {
    if (isError(error) && error.name === 'InvalidStateError') {
      this.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
    }
  }

  /** Opens the database. Throws `CLOSED` where it `mustExist` and does not: it was deleted. */
  async #connect(version: number | undefined, mustExist: boolean): Promise<IDBDatabase> {
    let late = false;
    let isMissing = false;
    const open = (): Promise<IDBPDatabase> =>
      openDB(databaseOf(this.#name), version, {
        upgrade: (db, oldVersion, _newVersion, tx) => {
          isMissing = mustExist && oldVersion === 0;
          if (isMissing) {
            tx.done.catch(() => {}); // the open fails by it, and says why
            tx.abort(); // a failed upgrade from version 0 leaves no database behind
            return;
          }
          makeStores(unwrap(db), unwrap(tx), oldVersion, this.#clock.now());
        },
        // An upgrade or a deletion must not wait for this connection. After an upgrade the broker
        // opens the database again. A deletion is an upgrade to version null:
        // https://w3c.github.io/IndexedDB/#delete-a-database
        blocking: (_version, newVersion) => {
          const isDeletion = newVersion === null;
          const changed = new TablogError(STORAGE_UNAVAILABLE, 'another tab changes the database');
          this.close(isDeletion ? logDeleted(this.#name) : changed);
        },
        terminated: () => {
          this.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
          const what = 'was cut off: the browser closed the database';
          for (const lose of this.#inFlight) lose(STORAGE_UNAVAILABLE, what);
        },
      });
    try {
      const opening = open();
      opening.then(
        (db) => late && db.close(),
        () => {},
      );
      const expired = (): Error => {
        late = true;
        return blocked(this.#name, this.#openDeadlineMs);
      };
      return unwrap(await withDeadline(this.#clock, this.#openDeadlineMs, opening, expired));
    } catch (error) {
      throw isMissing ? logDeleted(this.#name) : storageError(error);
    }
  }
}

function blocked(name: string, deadlineMs: number): TablogError {
  return new TablogError(
    STORAGE_BLOCKED,
    `the database of the log '${name}' did not open within ${deadlineMs} ms`,
  );
}
