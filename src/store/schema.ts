import { randomId } from '../platform/random-id.ts';
import type { RowRef } from './store.ts';

/**
 * One IndexedDB database a log. Names and key shapes are stored: a change of any of them is a new
 * format version.
 *
 *     store           key                             value
 *     meta            'log', 'pool'                   LogRow, PoolRow
 *     topics          topic name                      the topic's id, stores and configuration
 *     groups          group id                        group state
 *     offsets         [group, topic id, partition]    committed offset
 *     producers       transactional id                producer id and epoch
 *     partition-NNN   base offset (a number)          a segment: whole record batches, end to end
 *                     'head' (sorts after numbers)    the partition's head
 */
export const META = 'meta';
export const TOPICS = 'topics';
export const GROUPS = 'groups';
export const OFFSETS = 'offsets';
export const PRODUCERS = 'producers';

/** Stores that are not partitions. */
export const SYSTEM_STORES: readonly string[] = [META, TOPICS, GROUPS, OFFSETS, PRODUCERS];

/**
 * History: 1, the first.
 * A reader refuses a newer version, and would upgrade an older one.
 */
export const FORMAT_VERSION = 1;

/** Partition stores made at once: making stores later needs a version upgrade, which others can block. */
const POOL_STEP = 64;

export const HEAD_KEY = 'head';

/** `meta` / 'log': what log this is. */
export interface LogRow {
  readonly format: number;
  /** Made with the database: another id means that the old log is gone, offsets and all. */
  readonly logId: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Bytes of all topics together, beyond which the oldest records go; null: no bound. */
  readonly maxBytes: number | null;
  /** What was known of the clock when somebody looked last. */
  readonly time?: { readonly seenAt: number; readonly doubtedAt: number | null };
}

export const logRef: RowRef<LogRow> = { store: META, key: 'log' };

/** `meta` / 'pool': which partition stores exist, and which of them no topic uses. */
export interface PoolRow {
  readonly size: number;
  readonly free: readonly number[];
  /** Goes up with every topic that is made, grown or deleted: whoever has read topics can tell. */
  readonly version: number;
}

export const poolRef: RowRef<PoolRow> = { store: META, key: 'pool' };

export function partitionStore(index: number): string {
  return `partition-${String(index).padStart(3, '0')}`;
}

/** The row of a log that is made now. */
export function newLogRow(now: number): LogRow {
  return { format: FORMAT_VERSION, logId: randomId(), createdAt: now, maxBytes: null };
}

/** The pool with `POOL_STEP` more stores, all free, and which those are. */
export function growPool({ size, free, version }: PoolRow = { size: 0, free: [], version: 0 }): {
  readonly pool: PoolRow;
  readonly added: readonly string[];
} {
  const added = Array.from({ length: POOL_STEP }, (_, i) => size + i);
  const pool = { size: size + POOL_STEP, free: [...free, ...added], version };
  return { pool, added: added.map(partitionStore) };
}
