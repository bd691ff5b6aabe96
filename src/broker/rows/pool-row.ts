import { damagedRow, hasShape } from '../../store/stored-row.ts';
import type { RowShape } from '../../store/stored-row.ts';
import { poolRef } from '../../store/schema.ts';
import type { PoolRow } from '../../store/schema.ts';

const POOL: RowShape<PoolRow> = { free: 'array', version: 'integer' };

/**
 * The row as the pool of partition stores. Throws `LOG_CORRUPT` when the row is lost or is not a
 * pool: without the pool no topic can be created or deleted, and existing topics go on.
 */
export function poolOf(row: unknown): PoolRow {
  if (isPool(row)) return row;
  throw damagedRow(poolRef, 'Copy what you need of the topics that exist, then delete the log.');
}

/**
 * The version that each change of a topic raises. A constant when the row is lost, so groups go on.
 */
export function poolVersionOf(row: unknown): number {
  return isPool(row) ? row.version : -1;
}

function isPool(row: unknown): row is PoolRow {
  return hasShape(row, POOL);
}
