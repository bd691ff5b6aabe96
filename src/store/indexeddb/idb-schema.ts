import type { RandomSource } from '../../platform/random-id.ts';
import { asIdbKey, onSuccess } from './idb-request.ts';
import { growPool, poolRef } from './idb-pool.ts';
import type { PoolRow } from './idb-pool.ts';
import { META, SYSTEM_STORES, logRef, newLogRow, partitionStore } from '../schema.ts';

export interface MakeStoresOptions {
  /** Whether the log is new, so that the system stores are created as well. */
  readonly isNew: boolean;
  /** The time of the log's creation. */
  readonly now: number;
  /** The source of the log's id. */
  readonly crypto?: RandomSource | undefined;
  /** The prefix of the names of the log's object stores; see `IdbConnection`. */
  readonly prefix: string;
}

/** Creates the log's object stores, or further partition stores, in an upgrade of the database. */
export function makeStores(
  db: IDBDatabase,
  tx: IDBTransaction,
  { isNew, now, crypto, prefix }: MakeStoresOptions,
): void {
  if (isNew) {
    for (const store of SYSTEM_STORES) db.createObjectStore(prefix + store);
    tx.objectStore(prefix + META).put(newLogRow(now, crypto), asIdbKey(logRef.key));
  }
  const meta = tx.objectStore(prefix + META);
  onSuccess(meta.get(asIdbKey(poolRef.key)) as IDBRequest<PoolRow | undefined>, (pool) => {
    const grown = growPool(pool);
    for (const number of grown.added) db.createObjectStore(prefix + partitionStore(number));
    meta.put(grown.pool, asIdbKey(poolRef.key));
  });
}
