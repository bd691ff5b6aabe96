const STORE = 'buffers';

/** A database of one object store, without any library. */
export function openRaw(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('raw', 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the database does not open'));
  });
}

/** Puts one value in a transaction of its own; resolves when that is complete. */
export function put(db: IDBDatabase, key: number, value: ArrayBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const tx = db.transaction(STORE, 'readwrite', { durability: 'relaxed' });
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error ?? new Error('the transaction was aborted'));
    tx.objectStore(STORE).put(value, key);
    tx.commit();
  });
}

export function getAll(db: IDBDatabase, range: IDBKeyRange): Promise<ArrayBuffer[]> {
  return new Promise((resolve, reject) => {
    const request = db.transaction(STORE).objectStore(STORE).getAll(range);
    request.onsuccess = () => resolve(request.result as ArrayBuffer[]);
    request.onerror = () => reject(request.error ?? new Error('the request failed'));
  });
}
