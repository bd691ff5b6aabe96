import type { Key } from '../store.ts';

export function asIdbKey(key: Key): IDBValidKey {
  return key as IDBValidKey;
}

/**
 * Calls `then` in the request's `success` event, while the transaction is active. In some browsers
 * the transaction ends before a promise of the result settles.
 */
export function onSuccess<T>(request: IDBRequest<T>, then: (result: T) => void): void {
  request.onsuccess = () => then(request.result);
}

/** The object stores that a transaction over these rows covers. */
export function storesOf(refs: readonly { readonly store: string }[]): string[] {
  return [...new Set(refs.map((ref) => ref.store))];
}
