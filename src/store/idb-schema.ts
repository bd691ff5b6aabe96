import { FORMAT_TOO_NEW, LOG_CORRUPT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { asIdbKey, onSuccess } from './idb-request.ts';
import {
  FORMAT_VERSION,
  META,
  SYSTEM_STORES,
  growPool,
  logRef,
  newLogRow,
  poolRef,
} from './schema.ts';
import type { LogRow, PoolRow } from './schema.ts';

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

/** The upgrade to a version: makes the system's stores if there are none, and more of the pool. */
export function makeStores(
  db: IDBDatabase,
  tx: IDBTransaction,
  oldVersion: number,
  now: number,
): void {
  if (oldVersion === 0) {
    for (const store of SYSTEM_STORES) db.createObjectStore(store);
    tx.objectStore(META).put(newLogRow(now), asIdbKey(logRef.key));
  }
  const meta = tx.objectStore(META);
  onSuccess(meta.get(asIdbKey(poolRef.key)) as IDBRequest<PoolRow | undefined>, (pool) => {
    const grown = growPool(pool);
    for (const store of grown.added) db.createObjectStore(store);
    meta.put(grown.pool, asIdbKey(poolRef.key));
  });
}
