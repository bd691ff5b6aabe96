import { NO_INDEXEDDB } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { systemClock } from '../../platform/clock.ts';
import { hasIndexedDb } from '../../platform/indexeddb.ts';
import type { OnUnrecoverable } from '../../platform/log-databases.ts';
import type { RandomSource } from '../../platform/random-id.ts';
import { ReservedStore } from '../reserved-store.ts';
import type { Store } from '../store.ts';
import { logDatabase } from './idb-connection.ts';
import { idbReserve } from './idb-reserve.ts';
import { openOrRecreate } from './idb-recreation.ts';
import type { Attempt } from './idb-recreation.ts';
import { IdbStore } from './idb-store.ts';
import type { IdbStoreOptions } from './idb-store.ts';

export interface OpenIdbStoreOptions extends Omit<IdbStoreOptions, 'setAside'> {
  /** Default 5000: an open that another tab blocks may never fire any event (w3c/IndexedDB#223). */
  readonly openDeadlineMs?: number;
  readonly crypto?: RandomSource | undefined;
  /**
   * Default false: a missing database is created. True: the open rejects with `CLOSED` for a
   * missing database, because it was deleted.
   */
  readonly mustExist?: boolean;
  /** Default 'error'; see `openOrRecreate`. */
  readonly onUnrecoverable?: OnUnrecoverable;
}

const OPEN_DEADLINE_MS = 5_000;

/** Opens the database of the log `name`, and creates a missing database unless it must exist. */
export async function openIdbStore(
  name: string,
  options: OpenIdbStoreOptions = {},
): Promise<Store> {
  if (!hasIndexedDb()) throw new TablogError(NO_INDEXEDDB, 'this context has no IndexedDB');
  const { clock = systemClock, crypto, openDeadlineMs: deadlineMs = OPEN_DEADLINE_MS } = options;
  const { mustExist = false, onUnrecoverable = 'error' } = options;
  const opening = { clock, crypto, deadlineMs };
  const reserved = (store: Store): Store =>
    new ReservedStore(store, idbReserve(name, clock, deadlineMs));
  const attempt = async (): Promise<Attempt<Store>> => {
    const database = logDatabase(name, opening);
    const store = new IdbStore(name, database, options);
    try {
      await store.open(mustExist);
      return { store };
    } catch (error) {
      return { error, generation: database.generation };
    }
  };
  if (onUnrecoverable === 'error') {
    const attempted = await attempt();
    if ('store' in attempted) return reserved(attempted.store);
    throw attempted.error;
  }
  const open = async (generation: number, setAside: string): Promise<Store> => {
    const store = new IdbStore(name, logDatabase(name, { ...opening, generation }), {
      ...options,
      setAside,
    });
    await store.open(false);
    return store;
  };
  return reserved(await openOrRecreate({ name, clock, deadlineMs, attempt, open }));
}
