import { expect, onTestFinished, test, vi } from 'vitest';
import { deleteLogDatabase } from '../../../src/platform/log-databases.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { storageError } from '../../../src/store/indexeddb/storage-error.ts';
import { META, logRef, partitionStore } from '../../../src/store/schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { eventually } from '../../support/waiting.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';

stubIndexedDb();

const MIB = 1024 * 1024;

async function openStore(log: string): Promise<Store> {
  const store = await openIdbStore(log);
  onTestFinished(() => store.close());
  return store;
}

async function append(store: Store, baseOffset: number, size: number): Promise<void> {
  const name = partitionStore(0);
  await store.update([{ store: name, key: 'head' }], (_, write) => {
    write.put(name, baseOffset, new ArrayBuffer(size));
  });
}

const databases = async (): Promise<unknown[]> =>
  (await indexedDB.databases()).map(({ name }) => name);

/** Resolves when the reserve is kept, and noted in the log. */
async function kept(store: Store, log: string): Promise<void> {
  await eventually(async () => {
    const [reserve] = await store.read([{ store: META, key: 'reserve' }]);
    expect(reserve).toEqual({ isOutside: true });
  });
  expect(await databases()).toContain(`tablog-reserve/${log}`);
}

test('a log that has grown has a reserve in a database of its own', async () => {
  const store = await openStore('grown');
  await append(store, 0, MIB / 2);
  expect(await databases()).not.toContain('tablog-reserve/grown');
  await append(store, 1, MIB);
  await kept(store, 'grown');
});

test('deleteLog deletes the reserve with the log', async () => {
  const store = await openStore('gone');
  await append(store, 0, MIB);
  await kept(store, 'gone');
  await deleteLogDatabase('gone');
  const names = await databases();
  expect(names).not.toContain('tablog/gone');
  expect(names).not.toContain('tablog-reserve/gone');
});

test('a small write to a full origin drops the reserve, and the next append takes it back', async () => {
  const store = await openStore('full');
  await append(store, 0, MIB);
  await kept(store, 'full');

  // As in a full origin: no put has room before the reserve is dropped.
  const refuse = (): { mockRestore(): void } =>
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw storageError(new DOMException('', 'QuotaExceededError'));
    });
  const refusing = refuse();
  onTestFinished(() => void vi.restoreAllMocks());
  const dropping = vi.spyOn(indexedDB, 'deleteDatabase').mockImplementationOnce((name) => {
    refusing.mockRestore();
    dropping.mockRestore();
    return indexedDB.deleteDatabase(name);
  });
  await store.update([logRef], ([log], write) => {
    write.put(META, 'log', { ...log, maxBytes: 1 });
  });
  expect(await store.read([logRef])).toMatchObject([{ maxBytes: 1 }]);
  expect(await databases()).not.toContain('tablog-reserve/full');

  const refusingRecords = refuse();
  await expect(append(store, 1, 100)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  refusingRecords.mockRestore();
  await append(store, 1, MIB);
  await kept(store, 'full');
});
