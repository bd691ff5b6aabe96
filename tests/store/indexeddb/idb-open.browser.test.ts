import { describe, expect, test, vi } from 'vitest';
import { STORAGE_BLOCKED } from '../../../src/base/error-rules.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { poolRef } from '../../../src/store/indexeddb/idb-pool.ts';
import type { Store } from '../../../src/store/store.ts';
import {
  databaseOf,
  deleteDatabase,
  done,
  freshLog,
  openRaw,
  openStore,
} from './fresh-database.ts';

/** Takes more partition stores than there are, so that the pool grows. */
function takeMany(store: Store): Promise<readonly number[]> {
  return store.updatePartitions([], (_, write) => write.takePartitions(65));
}

/** A connection of an older time, which lets nobody upgrade or delete the database. */
async function stubborn(log: string): Promise<IDBDatabase> {
  (await openStore(log)).close();
  return openRaw(log);
}

describe('a connection that ignores versionchange', () => {
  test('leaves others open the database as it is', async () => {
    const log = freshLog();
    await stubborn(log);
    const [pool] = await (await openStore(log)).read([poolRef]);
    expect(pool?.size).toBe(64);
  });

  test('makes an opener behind an upgrade fail with STORAGE_BLOCKED within its deadline', async () => {
    const log = freshLog();
    const db = await stubborn(log);
    const upgrade = indexedDB.open(databaseOf(log), 2);
    await new Promise((resolve) => upgrade.addEventListener('blocked', resolve));
    const began = performance.now();
    await expect(openIdbStore(log, { openDeadlineMs: 50 })).rejects.toMatchObject({
      code: STORAGE_BLOCKED.code,
      retriable: true,
    });
    expect(performance.now() - began).toBeLessThan(5_000);
    db.close();
    (await done(upgrade)).close();
  });

  test('makes a pool that grows fail with STORAGE_BLOCKED, and the store close for that reason', async () => {
    const log = freshLog();
    const db = await stubborn(log);
    const store = await openStore(log, { openDeadlineMs: 50 });
    await expect(takeMany(store)).rejects.toMatchObject({ code: STORAGE_BLOCKED.code });
    expect(store.closed.reason).toMatchObject({ code: STORAGE_BLOCKED.code });
    db.close();
    const [pool] = await (await openStore(log)).read([poolRef]);
    expect(pool?.size).toBe(128);
  });

  test('leaves no handle of an open that succeeds too late', async () => {
    const log = freshLog();
    const db = await stubborn(log);
    const upgrade = indexedDB.open(databaseOf(log), 2);
    await new Promise((resolve) => upgrade.addEventListener('blocked', resolve));
    const closed = vi.spyOn(IDBDatabase.prototype, 'close');
    await expect(openIdbStore(log, { openDeadlineMs: 20 })).rejects.toThrow();
    expect(closed).not.toHaveBeenCalled();
    closed.mockRestore();
    db.close();
    (await done(upgrade)).close();
    // Blocked for ever if the late handle were still open.
    await deleteDatabase(log);
  });
});

test('a store that is closed while it extends its pool leaves no handle', async () => {
  const log = freshLog();
  const store = await openStore(log);
  const extended = takeMany(store).catch(() => {});
  store.close();
  await extended;
  await deleteDatabase(log);
});
