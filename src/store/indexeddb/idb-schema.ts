import { FORMAT_TOO_NEW, LOG_CORRUPT } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { asIdbKey, onSuccess } from './idb-request.ts';
import { growPool, poolRef } from './idb-pool.ts';
import type { PoolRow } from './idb-pool.ts';
import {
  FORMAT_VERSION,
  META,
  SYSTEM_STORES,
  logRef,
  newLogRow,
  partitionStore,
} from '../schema.ts';
import type { LogRow } from '../schema.ts';

/** Throws `FORMAT_TOO_NEW` or `LOG_CORRUPT` unless this version can read the log. */
export function checkFormat(name: string, log: LogRow | undefined): void {
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

export interface MakeStoresOptions {
  /** Whether the log is made now: then the system's stores are, too. */
  readonly isNew: boolean;
  /** The time of the log's making. */
  readonly now: number;
  /** What the names of the log's object stores begin with; see `IdbNames`. */
  readonly prefix: string;
}

/** Within an upgrade of the database: makes the log's object stores, or more of the pool. */
export function makeStores(
  db: IDBDatabase,
  tx: IDBTransaction,
  { isNew, now, prefix }: MakeStoresOptions,
): void {
  if (isNew) {
    for (const store of SYSTEM_STORES) db.createObjectStore(prefix + store);
    tx.objectStore(prefix + META).put(newLogRow(now), asIdbKey(logRef.key));
  }
  const meta = tx.objectStore(prefix + META);
  onSuccess(meta.get(asIdbKey(poolRef.key)) as IDBRequest<PoolRow | undefined>, (pool) => {
    const grown = growPool(pool);
    for (const number of grown.added) db.createObjectStore(prefix + partitionStore(number));
    meta.put(grown.pool, asIdbKey(poolRef.key));
  });
}
