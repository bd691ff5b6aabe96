import { expect, test } from 'vitest';
import { losesFailedWrites } from '../../../src/store/indexeddb/engine-faults.ts';

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
