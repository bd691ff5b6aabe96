import { expect, test } from 'vitest';
import { databaseOf } from '../../../src/base/log-database.ts';
import { losesFailedWrites } from '../../../src/store/indexeddb/engine-faults.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { GROUPS, TOPICS } from '../../../src/store/schema.ts';
import type { RowRef } from '../../../src/store/store.ts';

/** Opens a database whose one store has the key 'taken'. */
function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(crypto.randomUUID());
    request.addEventListener('upgradeneeded', () => {
      request.result.createObjectStore('rows').put(0, 'taken');
    });
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error!));
  });
}

/** How a transaction ends whose first write fails. */
async function endOf(isToldToCommit: boolean): Promise<string> {
  const db = await openDatabase();
  const tx = db.transaction('rows', 'readwrite');
  const ended = new Promise<string>((resolve) => {
    for (const end of ['complete', 'abort']) tx.addEventListener(end, () => resolve(end));
  });
  const rows = tx.objectStore('rows');
  rows.add(1, 'taken');
  rows.put(1, 'free');
  if (isToldToCommit) tx.commit();
  const end = await ended;
  db.close();
  return end;
}

test('an engine that loses failed writes is known, and no other is taken for one', async () => {
  expect(await endOf(true)).toBe(losesFailedWrites() ? 'complete' : 'abort');
});

test('a transaction that commits by itself is all or nothing in every engine', async () => {
  expect(await endOf(false)).toBe('abort');
});

/** Writes a row of the store. */
async function write(name: string, to: string, transactionDeadlineMs?: number): Promise<void> {
  const store = await openIdbStore(name, {
    ...(transactionDeadlineMs && { transactionDeadlineMs }),
  });
  const row = { store: to, key: 'row' } as RowRef<unknown>;
  await store.update([row], (_, rows) => rows.put(to, 'row', 1)).finally(() => store.close());
}

// All writes have a store in common, so one that waits would hold up those of other stores.
test('a write that waits too long gives its place up, is not stored, and others go on', async () => {
  const name = crypto.randomUUID();
  await write(name, TOPICS);
  const db = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open(databaseOf(name, 0));
    request.addEventListener('success', () => resolve(request.result));
  });
  let isReading = true;
  const reading = db.transaction(GROUPS).objectStore(GROUPS);
  const read = (): void => {
    if (isReading) reading.get('row').addEventListener('success', read);
  };
  read();
  await expect(write(name, GROUPS, 500)).rejects.toThrow(/STORAGE_TIMEOUT/);
  // Firefox lets what comes behind a write that waits for a read wait as well, of whichever store.
  const isFirefox = losesFailedWrites();
  if (!isFirefox) await write(name, TOPICS);
  isReading = false;
  if (isFirefox) await write(name, TOPICS);
  const stored = db.transaction(GROUPS).objectStore(GROUPS).get('row');
  await new Promise((resolve) => stored.addEventListener('success', resolve));
  expect(stored.result).toBeUndefined();
  db.close();
});
