import {
  CLOSED,
  FORMAT_TOO_NEW,
  LOG_CORRUPT,
  NO_INDEXEDDB,
  OUTCOME_UNKNOWN,
  STORAGE_BLOCKED,
  STORAGE_UNAVAILABLE,
} from '../base/error-rules.ts';
import { openDB, unwrap } from 'idb';
import type { IDBPDatabase } from 'idb';
import { systemClock, withDeadline } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { TablogError } from '../base/error.ts';
import {
  HEAD_KEY,
  FORMAT_VERSION,
  META,
  SYSTEM_STORES,
  logRef,
  nextPoolStores,
  partitionStore,
  poolRef,
} from './schema.ts';
import type { LogRow, PoolRow } from './schema.ts';
import { storageError } from './storage-error.ts';
import type {
  Durability,
  Key,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  StoredSegment,
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
}

const OPEN_DEADLINE_MS = 5_000;
const TRANSACTION_DEADLINE_MS = 7_500;

/** Segments asked for in one `getAll`: 64 of 1 MiB bound what a mistaken guess can bring. */
const MAX_SEGMENTS_A_READ = 64;

/** Opens the database of the log `name`, and makes it if it is new. */
export async function openIdbStore(name: string, options: IdbStoreOptions = {}): Promise<Store> {
  if (!('indexedDB' in globalThis)) {
    throw new TablogError(NO_INDEXEDDB, 'this context has no IndexedDB');
  }
  const store = new IdbStore(name, options);
  await store.open();
  return store;
}

function databaseName(name: string): string {
  return `tablog/${name}`;
}

class IdbStore implements Store {
  readonly #name: string;
  readonly #openDeadlineMs: number;
  readonly #transactionDeadlineMs: number;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** Settles the transactions in flight when the browser closes the database under them. */
  readonly #inFlight = new Set<(what: string) => void>();
  #db: Promise<IDBDatabase> | undefined;

  constructor(name: string, options: IdbStoreOptions) {
    this.#name = name;
    this.#openDeadlineMs = options.openDeadlineMs ?? OPEN_DEADLINE_MS;
    this.#transactionDeadlineMs = options.transactionDeadlineMs ?? TRANSACTION_DEADLINE_MS;
    this.#clock = options.clock ?? systemClock;
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  async open(): Promise<void> {
    this.#db = this.#connect(undefined);
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
      return this.#connect(db.version + 1);
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
    const found = requests.map((): Found => ({
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
        const covering = IDBKeyRange.upperBound(request.from);
        onSuccess(store.openKeyCursor(covering, 'prev'), (cursor) => {
          const first = cursor === null ? request.from : (cursor.key as number);
          readOn(store, first, request.maxBytes, into);
        });
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
      const lose = (what: string): void => {
        settle();
        reject(this.#unknownOutcome(mode, what));
      };
      const cancelDeadline = this.#clock.after(this.#transactionDeadlineMs, () => {
        lose(`has not ended in ${this.#transactionDeadlineMs} ms`);
        this.close(new TablogError(STORAGE_UNAVAILABLE, 'the database does not answer'));
      });
      const settle = (): void => {
        cancelDeadline();
        this.#inFlight.delete(lose);
      };
      this.#inFlight.add(lose);
      const fail = (error: unknown): void => {
        thrown = error instanceof Error ? error : new Error(String(error));
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

  #unknownOutcome(mode: IDBTransactionMode, what: string): TablogError {
    return mode === 'readonly'
      ? new TablogError(STORAGE_UNAVAILABLE, `a read of the log '${this.#name}' ${what}`)
      : new TablogError(OUTCOME_UNKNOWN, `a write to the log '${this.#name}' ${what}`);
  }

  /** A connection that refuses transactions is closing: nobody told us, so tell the broker. */
  #reopenNeeded(error: unknown): void {
    if (error instanceof DOMException && error.name === 'InvalidStateError') {
      this.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
    }
  }

  async #connect(version: number | undefined): Promise<IDBDatabase> {
    let late = false;
    const open = (): Promise<IDBPDatabase> =>
      openDB(databaseName(this.#name), version, {
        upgrade: (db, oldVersion, _newVersion, tx) => {
          makeStores(unwrap(db), unwrap(tx), oldVersion, this.#clock.now());
        },
        // Whoever wants to upgrade or delete must not wait for us; the broker opens anew.
        blocking: () => {
          this.close(new TablogError(STORAGE_UNAVAILABLE, 'another tab changes the database'));
        },
        terminated: () => {
          this.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
          for (const lose of this.#inFlight) lose('was cut off: the browser closed the database');
        },
      });
    try {
      const opening = open();
      opening.then(
        (db) => late && db.close(),
        () => {},
      );
      const deadline = this.#openDeadlineMs;
      const expired = (): Error => {
        late = true;
        return blocked(this.#name, deadline);
      };
      return unwrap(await withDeadline(this.#clock, deadline, opening, expired));
    } catch (error) {
      throw storageError(error);
    }
  }
}

function checkFormat(name: string, log: LogRow | undefined): void {
  if (log === undefined) {
    throw new TablogError(LOG_CORRUPT, `the database of the log '${name}' has lost its first row`);
  }
  if (log.format <= FORMAT_VERSION) return;
  throw new TablogError(
    FORMAT_TOO_NEW,
    `the log '${name}' has format ${log.format}, and this version of tablog reads ${FORMAT_VERSION}`,
    { details: { format: log.format, reads: FORMAT_VERSION } },
  );
}

function makeStores(db: IDBDatabase, tx: IDBTransaction, oldVersion: number, now: number): void {
  if (oldVersion === 0) {
    for (const store of SYSTEM_STORES) db.createObjectStore(store);
    const log: LogRow = { format: FORMAT_VERSION, logId: crypto.randomUUID(), createdAt: now };
    tx.objectStore(META).put(log, asIdbKey(logRef.key));
  }
  const meta = tx.objectStore(META);
  onSuccess(meta.get(asIdbKey(poolRef.key)) as IDBRequest<PoolRow | undefined>, (pool) => {
    const size = pool?.size ?? 0;
    const added = nextPoolStores(size);
    for (const index of added) db.createObjectStore(partitionStore(index));
    const grown: PoolRow = { size: size + added.length, free: [...(pool?.free ?? []), ...added] };
    meta.put(grown, asIdbKey(poolRef.key));
  });
}

interface Found {
  head: unknown;
  readonly segments: StoredSegment[];
  nextBaseOffset: number | undefined;
}

/** Reads segments from `first` on: one, then twice as many each time, until `maxBytes` are there. */
function readOn(store: IDBObjectStore, first: number, maxBytes: number, into: Found): void {
  const { segments } = into;
  let bytes = 0;
  const step = (from: number, count: number): void => {
    let keys: number[] = [];
    onSuccess(store.getAllKeys(numbersFrom(from), count + 1), (found) => {
      keys = found as number[];
    });
    onSuccess(store.getAll(numbersFrom(from), count), (values: ArrayBuffer[]) => {
      let taken = 0;
      for (; taken < values.length && (bytes < maxBytes || segments.length === 0); taken++) {
        segments.push({ baseOffset: keys[taken]!, bytes: values[taken]! });
        bytes += values[taken]!.byteLength;
      }
      const next = keys[taken];
      into.nextBaseOffset = next;
      if (next === undefined || bytes >= maxBytes) return;
      const wanted = Math.ceil((maxBytes - bytes) / Math.max(bytes / segments.length, 1));
      step(next, Math.min(wanted, segments.length * 2, MAX_SEGMENTS_A_READ));
    });
  };
  step(first, 1);
}

function numbersFrom(first: number): IDBKeyRange {
  return IDBKeyRange.bound(first, Infinity);
}

function storesOf(refs: readonly { readonly store: string }[]): string[] {
  return [...new Set(refs.map((ref) => ref.store))];
}

function asIdbKey(key: Key): IDBValidKey {
  return key as IDBValidKey;
}

function onSuccess<T>(request: IDBRequest<T>, then: (result: T) => void): void {
  request.onsuccess = () => then(request.result);
}

function writerOf(tx: IDBTransaction): Writer {
  return {
    put: (store, key, value) => void tx.objectStore(store).put(value, asIdbKey(key)),
    delete: (store, key) => void tx.objectStore(store).delete(asIdbKey(key)),
    clear: (store) => void tx.objectStore(store).clear(),
  };
}

function blocked(name: string, deadline: number): TablogError {
  return new TablogError(
    STORAGE_BLOCKED,
    `the database of the log '${name}' did not open within ${deadline} ms`,
  );
}
