import { onTestFinished } from 'vitest';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import type { OpenIdbStoreOptions } from '../../../src/store/indexeddb/open-idb-store.ts';
import type { Store } from '../../../src/store/store.ts';

const DELETE_DEADLINE_MS = 5_000;

/** A log name that no other test uses; its database is deleted when the test is over. */
export function freshLog(): string {
  const log = `test-${crypto.randomUUID()}`;
  onTestFinished(() => deleteDatabase(log));
  return log;
}

/** Opens the store of `log`, and closes it when the test is over. */
export async function openStore(log: string, options?: OpenIdbStoreOptions): Promise<Store> {
  const store = await openIdbStore(log, options);
  onTestFinished(() => store.close());
  return store;
}

/** The database of `log` without the store around it; closed when the test is over. */
export async function openRaw(log: string, version?: number): Promise<IDBDatabase> {
  const db = await done(indexedDB.open(databaseOf(log), version));
  onTestFinished(() => db.close());
  return db;
}

export function databaseOf(log: string): string {
  return `tablog/${log}`;
}

/** Deletes the database of `log`; fails where somebody keeps it open. */
export async function deleteDatabase(log: string): Promise<void> {
  const request = indexedDB.deleteDatabase(databaseOf(log));
  const heldOpen = new Promise<never>((_, reject) => {
    const tooLong = AbortSignal.timeout(DELETE_DEADLINE_MS);
    tooLong.addEventListener('abort', () => reject(new Error(`${log} is still held open`)));
  });
  await Promise.race([done(request), heldOpen]);
}

export function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('no reason given')));
  });
}
