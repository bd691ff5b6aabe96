import { LOG_CORRUPT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { RowRef } from './store.ts';

/** The error of a row that has another shape than this version writes: the row's address, and the way out. */
export function damagedRow({ store, key }: RowRef<unknown>, next: string): TablogError {
  const address = Array.isArray(key) ? key.join('/') : String(key);
  const happened = `the row '${address}' of the store '${store}' is not what was written`;
  return new TablogError({ ...LOG_CORRUPT, next }, happened, { details: { store, key: address } });
}
