import { isBuffer } from '../base/brand.ts';
import { LOG_CORRUPT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { RowRef } from './store.ts';

type Kind = 'string' | 'number' | 'integer' | 'array' | 'object' | 'numbers';

/** The fields of a row that its readers rely on, and the shape of each field. */
export type RowShape<T extends object> = { readonly [K in keyof T]?: FieldShape<T[K]> };

/** The shape of a field: its kind, the shape of an object, or `[shape]` for an array of such. */
type FieldShape<F> = Kind | (F extends readonly (infer Item)[] ? ItemsShape<Item> : PartShape<F>);
type ItemsShape<Item> = readonly [FieldShape<Item>];
type PartShape<F> = F extends object ? RowShape<F> : never;

/**
 * Whether a stored row has the shape. A browser that damages its files can return a row of any
 * shape; the checksums of record batches do not cover other rows.
 */
export function hasShape<T extends object>(row: unknown, shape: RowShape<T>): row is T {
  return fits(row, shape as AnyShape);
}

/** A shape of which the type of the row is not known any more. */
type AnyShape = Kind | readonly [AnyShape] | { readonly [field: string]: AnyShape };

function fits(value: unknown, shape: AnyShape): boolean {
  if (typeof shape === 'string') return isOfKind(value, shape);
  if (isItems(shape)) return Array.isArray(value) && value.every((item) => fits(item, shape[0]));
  if (typeof value !== 'object' || value === null) return false;
  for (const field in shape) {
    if (!fits((value as Record<string, unknown>)[field], shape[field]!)) return false;
  }
  return true;
}

function isItems(shape: AnyShape): shape is readonly [AnyShape] {
  return Array.isArray(shape);
}

function isOfKind(value: unknown, kind: Kind): boolean {
  if (kind === 'integer') return Number.isSafeInteger(value);
  if (kind === 'array') return Array.isArray(value);
  if (kind === 'numbers') return ArrayBuffer.isView(value);
  return typeof value === kind && value !== null;
}

/**
 * The value of a segment's row as bytes. A damaged row of any other type reads as no bytes, which
 * the readers of segments report with the range of offsets. So it fails no other row of the read.
 */
export function segmentBytes(value: unknown): ArrayBuffer {
  return isBuffer(value) ? value : new ArrayBuffer(0);
}

/** The error of a row whose shape differs from the shape that this version writes. */
export function damagedRow({ store, key }: RowRef<unknown>, next: string): TablogError {
  const address = Array.isArray(key) ? key.join('/') : String(key);
  const happened = `the row '${address}' of the store '${store}' is not what was written`;
  return new TablogError({ ...LOG_CORRUPT, next }, happened, { details: { store, key: address } });
}
