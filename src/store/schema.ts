import { FORMAT_TOO_NEW } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { randomId } from '../platform/random-id.ts';
import type { RandomSource } from '../platform/random-id.ts';
import type { RowRef } from './store.ts';
import { damagedRow, hasShape } from './stored-row.ts';
import type { RowShape } from './stored-row.ts';

/**
 * The rows of a log, in named stores. In IndexedDB each log is a database. Names and key shapes are
 * stored, so a change of any of them is a new format version.
 *
 *     store           key                             value
 *     meta            'log'                           LogRow
 *                     'pool'                          TopicsVersionRow, and the store's own fields
 *                     'reserve', 'reserve/0', ...     room that is kept; see reserved-store.ts
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
 * The version of the stored format. History: 1 is the first version. A reader refuses a newer
 * version, and would upgrade an older version.
 */
export const FORMAT_VERSION = 1;

export const HEAD_KEY = 'head';

/** `meta` / 'log': the identity and the limits of the log. */
export interface LogRow {
  readonly format: number;
  /** Created with the database: another id means that the old log and its offsets were deleted. */
  readonly logId: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /**
   * The bytes of all topics together beyond which the oldest records are deleted; null: no bound.
   */
  readonly maxBytes: number | null;
  /** The trust in the clock at the last retention check; see `trustTime`. */
  readonly time?: { readonly seenAt: number; readonly doubtedAt: number | null };
  /** Whether the log was ever given a reserve, whose absence then means that it was spent. */
  readonly hasReserve?: boolean;
}

export const logRef: RowRef<LogRow> = { store: META, key: 'log' };

/** `meta` / 'pool': the version of the topics, beside the store's own record of its partitions. */
export interface TopicsVersionRow {
  /**
   * Rises with every topic that is created, grown or deleted, so that a cache of topics can be
   * checked.
   */
  readonly version: number;
}

export const topicsVersionRef: RowRef<TopicsVersionRow> = { store: META, key: 'pool' };

/** The version of the topics. A constant when the row is lost, so that groups stay usable. */
export function topicsVersionOf(row: unknown): number {
  return hasShape(row, TOPICS_VERSION) ? row.version : -1;
}

const TOPICS_VERSION: RowShape<TopicsVersionRow> = { version: 'integer' };

/**
 * The error of a lost or damaged row at `topicsVersionRef`. Without the row no topic can be created
 * or deleted, and the existing topics stay usable.
 */
export function damagedPartitions(): TablogError {
  const next = 'Copy what you need of its topics, then delete the log.';
  return damagedRow(topicsVersionRef, next);
}

export function partitionStore(number: number): string {
  return `partition-${String(number).padStart(3, '0')}`;
}

/** The row of a log that is created at `now`. A store puts it at `logRef` when it creates a log. */
export function newLogRow(now: number, random?: RandomSource): LogRow {
  return { format: FORMAT_VERSION, logId: randomId(random), createdAt: now, maxBytes: null };
}

const UNRECOVERABLE =
  "Begin a new log with openLog(name, { onUnrecoverable: 'recreate' }), which sets this one aside, " +
  'or delete it with deleteLog().';

const LOG: RowShape<LogRow> = { format: 'integer', logId: 'string', createdAt: 'number' };

/**
 * The row at `logRef`. Throws `LOG_CORRUPT` when the row is lost or damaged: without the log's id
 * no committed offset can be told from those of another log.
 */
export function logOf(row: unknown): LogRow {
  if (hasShape(row, LOG)) return row;
  throw damagedRow(logRef, UNRECOVERABLE);
}

/**
 * Checks the row at `logRef` of a log that a store opens. A store calls it before it reads any
 * other row. Throws `FORMAT_TOO_NEW` or `LOG_CORRUPT` unless this version can read the log.
 */
export function checkFormat(name: string, row: unknown): void {
  const { format } = hasShape(row, FORMAT) ? row : logOf(row);
  if (format <= FORMAT_VERSION) {
    logOf(row);
    return;
  }
  throw new TablogError(
    FORMAT_TOO_NEW,
    `the log '${name}' has format ${format}, and this version of tablog reads ${FORMAT_VERSION}`,
    { details: { format, reads: FORMAT_VERSION } },
  );
}

/** The fields that a row of any format has. */
const FORMAT: RowShape<LogRow> = { format: 'integer' };

const IDENTITY: RowShape<LogRow> = { format: 'integer', logId: 'string' };

/** Whether the row is the first row of a log, of this or another format. */
export function isLogRow(row: unknown): row is LogRow {
  return hasShape(row, IDENTITY);
}
