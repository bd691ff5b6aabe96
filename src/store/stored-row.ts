import { LOG_CORRUPT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { RowRef } from './store.ts';

type Kind = 'string' | 'number' | 'integer' | 'array' | 'object';

/** The fields of a row that its readers rely on, and the kind of each field. */
export type RowShape<T> = { readonly [K in keyof T]?: Kind };

/**
 * Whether a stored row has the shape. A browser that damages its files can return a row of any
 * shape; the checksums of record batches do not cover other rows.
 */
export function hasShape<T>(row: unknown, shape: RowShape<T>): row is T {
  if (typeof row !== 'object' || row === null) return false;
  for (const field in shape) {
    if (!isOfKind((row as Record<string, unknown>)[field], shape[field]!)) return false;
  }
  return true;
}

function isOfKind(value: unknown, kind: Kind): boolean {
  if (kind === 'integer') return Number.isSafeInteger(value);
  if (kind === 'array') return Array.isArray(value);
  return typeof value === kind && value !== null;
}

/** The error of a row whose shape differs from the shape that this version writes. */
export function damagedRow({ store, key }: RowRef<unknown>, next: string): TablogError {
  const address = Array.isArray(key) ? key.join('/') : String(key);
  const happened = `the row '${address}' of the store '${store}' is not what was written`;
  return new TablogError({ ...LOG_CORRUPT, next }, happened, { details: { store, key: address } });
}
