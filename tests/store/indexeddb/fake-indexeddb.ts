import * as fake from 'fake-indexeddb';
import { vi } from 'vitest';

/** Gives this context an IndexedDB of its own, in memory; `open`: what its `open` does instead. */
export function stubIndexedDb(open?: () => IDBOpenDBRequest): void {
  // idb knows its objects by their classes.
  for (const [name, value] of Object.entries(fake)) {
    if (name.startsWith('IDB')) vi.stubGlobal(name, value);
  }
  const factory = new fake.IDBFactory();
  if (open !== undefined) factory.open = open;
  vi.stubGlobal('indexedDB', factory);
}
