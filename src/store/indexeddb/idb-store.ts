import { isError } from '../../base/brand.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { CLOSED, STORAGE_TIMEOUT, STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { Turns } from '../../base/queue.ts';
import {
  STORE_OF_EVERY_WRITE,
  keepsEndedTransactions,
  losesFailedWrites,
} from './engine-faults.ts';
import type { IdbConnection } from './idb-connection.ts';
import { updateWithPool } from './idb-pool.ts';
import { asIdbKey, onSuccess, storesOf } from './idb-request.ts';
import { readSegmentsFrom } from './idb-segments.ts';
import type { FoundSegments } from './idb-segments.ts';
import { IdbTransactions } from './idb-transactions.ts';
import type { TransactionBody } from './idb-transactions.ts';
import { writerOf } from './idb-writer.ts';
import { HEAD_KEY, META, checkFormat, logRef } from '../schema.ts';
import { onPageCache } from '../../platform/page-lifecycle.ts';
import { callStorage, storageError } from './storage-error.ts';
import type {
  PartitionWriter,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  Store,
  Synchronous,
  UpdateOptions,
  Writer,
} from '../store.ts';

export interface IdbStoreOptions extends Pick<Store, 'setAside'> {
  /** Default 7500: a transaction whose backend died fires neither `complete` nor `abort`. */
  readonly transactionDeadlineMs?: number;
  readonly clock?: Clock;
}

const TRANSACTION_DEADLINE_MS = 7_500;

/** A log's store over a connection to the database that has its object stores. */
export class IdbStore implements Store {
  readonly #name: string;
  readonly #connection: IdbConnection;
  readonly #transactions: IdbTransactions;
  readonly setAside: string | undefined;
  readonly #closing = new AbortController();
  /** The turns of the transactions, where they are one at a time. */
  readonly #turns = keepsEndedTransactions() ? new Turns() : undefined;
  /** Whether a transaction is told to commit as soon as its requests are made. */
  readonly #isToldToCommit = this.#turns === undefined && !losesFailedWrites();
  /** Whether the store was closed because of an error. */
  #isBroken = false;
  #db: Promise<IDBDatabase> | undefined;
  /** Resolves when the page comes back from the back/forward cache; else `undefined`. */
  #restored: Deferred | undefined;

  constructor(name: string, connection: IdbConnection, options: IdbStoreOptions = {}) {
    this.setAside = options.setAside;
    this.#name = name;
    this.#connection = connection;
    this.#transactions = new IdbTransactions({
      name,
      clock: options.clock ?? systemClock,
      deadlineMs: options.transactionDeadlineMs ?? TRANSACTION_DEADLINE_MS,
      onSilent: () => this.close(new TablogError(STORAGE_TIMEOUT, 'the database does not answer')),
    });
    onPageCache(
      () => this.#suspend(),
      () => this.#restore(),
      this.closed,
    );
  }

  get isAfterLoss(): boolean {
    return this.#connection.isAfterLoss ?? false;
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  async open(mustExist: boolean): Promise<void> {
    this.#db = this.#connect(undefined, mustExist);
    try {
      const { objectStoreNames } = await this.#db;
      const isWhole = objectStoreNames.contains(this.#connection.prefix + META);
      const [log] = isWhole ? await this.read([logRef]) : [];
      checkFormat(this.#name, log);
    } catch (error) {
      this.close(storageError(error));
      throw error;
    }
  }

  close(reason?: TablogError): void {
    if (this.closed.aborted) return;
    this.#isBroken = reason !== undefined;
    this.#closing.abort(reason ?? new TablogError(CLOSED, `the log '${this.#name}' is closed`));
    if (this.#turns === undefined || this.#isBroken) this.#disconnect();
    else void this.#turns.next(async () => this.#disconnect());
  }

  async read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    if (refs.length === 0) return [] as unknown as RowsOf<Refs>; // a transaction needs a store
    const rows: unknown[] = [];
    await this.#transact(storesOf(refs), 'readonly', {}, (tx) => {
      refs.forEach((ref, i) => {
        onSuccess(this.#row(tx, ref), (row) => {
          rows[i] = row;
        });
      });
    });
    return rows as RowsOf<Refs>;
  }

  async readAll<T>(store: string): Promise<T[]> {
    let rows: T[] = [];
    await this.#transact([store], 'readonly', {}, (tx) => {
      onSuccess(this.#objectStore(tx, store).getAll(), (all: T[]) => {
        rows = all;
      });
    });
    return rows;
  }

  async readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    if (requests.length === 0) return [];
    const found = requests.map((): FoundSegments => ({
      head: undefined,
      segments: [],
      nextBaseOffset: undefined,
    }));
    await this.#transact(storesOf(requests), 'readonly', {}, (tx) => {
      requests.forEach((request, i) => {
        const store = this.#objectStore(tx, request.store);
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
    options: UpdateOptions = {},
  ): Promise<Result> {
    let result: Result | undefined;
    const durability = options.durability ?? 'relaxed';
    // A transaction needs a store, and `decide` runs in the last answer of a read.
    const read = refs.length > 0 ? refs : [logRef];
    const stores = storesOf([...read, { store: STORE_OF_EVERY_WRITE }]);
    await this.#transact(stores, 'readwrite', { durability }, (tx, fail) => {
      const rows: unknown[] = [];
      let left = read.length;
      read.forEach((ref, i) => {
        onSuccess(this.#row(tx, ref), (row) => {
          rows[i] = row;
          if (--left > 0) return;
          try {
            result = decide(
              rows.slice(0, refs.length) as RowsOf<Refs>,
              writerOf(tx, this.#connection.prefix),
            );
            // Without an explicit `commit()` the transaction commits in a later turn of the event
            // loop, which a frozen or closing page does not get.
            if (this.#isToldToCommit) callStorage(() => tx.commit());
          } catch (error) {
            fail(error);
          }
        });
      });
    });
    return result as Result;
  }

  updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options: UpdateOptions = {},
  ): Promise<Result> {
    const pooled = {
      read: this.read.bind(this),
      update: this.update.bind(this),
      extendPool: () => this.#extendPool(),
    };
    return updateWithPool(pooled, refs, decide, options);
  }

  /** Creates further partition stores, and adds them to the pool row. */
  async #extendPool(): Promise<void> {
    this.closed.throwIfAborted();
    // `#db` is replaced in this turn of the event loop. So two concurrent extensions, or a
    // `close()` meanwhile, leave no connection open.
    const opening = this.#db!.then((db) => {
      this.#connection.disconnect(db);
      this.closed.throwIfAborted();
      // Without a connection this store gets no `versionchange` of a deletion. The deleted database
      // must not be created again, so it must exist.
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

  #objectStore(tx: IDBTransaction, store: string): IDBObjectStore {
    return tx.objectStore(this.#connection.prefix + store);
  }

  #row(tx: IDBTransaction, { store, key }: RowRef<unknown>): IDBRequest<unknown> {
    return this.#objectStore(tx, store).get(asIdbKey(key));
  }

  #transact(
    stores: string[],
    mode: IDBTransactionMode,
    options: IDBTransactionOptions,
    body: TransactionBody,
  ): Promise<void> {
    const transact = (): Promise<void> => this.#transactNow(stores, mode, options, body);
    if (this.#turns === undefined) return transact();
    if (this.closed.aborted) return Promise.reject(this.closed.reason as TablogError);
    return this.#turns.next(transact);
  }

  async #transactNow(
    stores: string[],
    mode: IDBTransactionMode,
    options: IDBTransactionOptions,
    body: TransactionBody,
  ): Promise<void> {
    let opening: Promise<IDBDatabase> | undefined;
    let db: IDBDatabase;
    do {
      if (this.#restored !== undefined) await this.#restored.promise;
      // A store that is closed while calls wait for their turn makes these calls first.
      if (this.#turns === undefined || this.#isBroken) this.closed.throwIfAborted();
      opening = this.#db;
      db = await opening!;
    } while (opening !== this.#db); // extending the pool replaces the connection
    try {
      const names = stores.map((store) => this.#connection.prefix + store);
      const tx = callStorage(() => db.transaction(names, mode, options));
      await this.#transactions.run(tx, body);
    } catch (error) {
      // The broker repeats the call on another connection, and makes that when the page is back.
      if (this.#restored !== undefined) await this.#restored.promise;
      this.#closeIfRefused(error);
      throw error;
    }
  }

  #disconnect(): void {
    void this.#db?.then(
      (db) => this.#connection.disconnect(db),
      () => {},
    );
  }

  /**
   * Closes this store when its connection has refused a transaction or a write with
   * `InvalidStateError`, so that the broker makes another connection. Where a transaction is
   * refused, the browser is closing the connection, and has fired no event that would tell the
   * broker. In Firefox the writes of one transaction are refused after a `QuotaExceededError`.
   */
  #closeIfRefused(error: unknown): void {
    if (!(error instanceof TablogError)) return;
    const { cause } = error;
    if (isError(cause) && cause.name === 'InvalidStateError') this.close(error);
  }

  /**
   * Ends the transactions and the connection of a page that goes into the back/forward cache.
   * WebKit keeps an open transaction of such a page, and all tabs wait for it.
   */
  #suspend(): void {
    this.#restored ??= deferred();
    this.#transactions.abortAll(wasCached());
    this.#disconnect();
  }

  #restore(): void {
    this.close(wasCached());
    this.#restored?.resolve();
  }

  #connect(version: number | undefined, mustExist: boolean): Promise<IDBDatabase> {
    return this.#connection.connect({
      version,
      mustExist,
      onBlocking: (reason) => this.close(reason),
      onTerminated: () => {
        this.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
        const what = 'was cut off: the browser closed the database';
        this.#transactions.loseAll(STORAGE_UNAVAILABLE, what);
      },
    });
  }
}

function wasCached(): TablogError {
  return new TablogError(STORAGE_UNAVAILABLE, 'the page was in the back/forward cache');
}
