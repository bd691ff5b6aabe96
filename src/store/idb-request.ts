import type { Key } from './store.ts';

export function asIdbKey(key: Key): IDBValidKey {
  return key as IDBValidKey;
}

/** Calls `then` within the transaction, which a promise would leave in some browsers. */
export function onSuccess<T>(request: IDBRequest<T>, then: (result: T) => void): void {
  request.onsuccess = () => then(request.result);
}
