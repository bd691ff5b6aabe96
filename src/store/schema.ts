import { FORMAT_TOO_NEW, LOG_CORRUPT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { randomId } from '../platform/random-id.ts';
import type { RandomSource } from '../platform/random-id.ts';
import type { RowRef } from './store.ts';
import { damagedRow, hasShape } from './stored-row.ts';
import type { RowShape } from './stored-row.ts';

/**
 * The rows of a log, in named stores; in IndexedDB a database a log. Names and key shapes are
 * stored: a change of any of them is a new format version.
 *
 *     store           key                             value
 *     meta            'log'                           LogRow
 *                     'pool'                          TopicsVersionRow, and more that the store adds
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

/**
 * `meta` / 'pool': the version of the topics, beside what the store itself keeps of its partitions.
 */
export interface TopicsVersionRow {
  /** Goes up with every topic that is made, grown or deleted: whoever has read topics can tell. */
  readonly version: number;
}

export const topicsVersionRef: RowRef<TopicsVersionRow> = { store: META, key: 'pool' };

/** The version of the topics. Where the row is lost, a constant: groups go on. */
export function topicsVersionOf(row: unknown): number {
  return hasShape(row, TOPICS_VERSION) ? row.version : -1;
}

const TOPICS_VERSION: RowShape<TopicsVersionRow> = { version: 'integer' };

/**
 * The error of a row at `topicsVersionRef` that is lost, or is not what the store wrote: no topic
 * can be created or deleted without it, and all that exist go on.
 */
export function damagedPartitions(): TablogError {
  const next = 'Copy what you need of the topics that exist, then delete the log.';
  return damagedRow(topicsVersionRef, next);
}

export function partitionStore(number: number): string {
  return `partition-${String(number).padStart(3, '0')}`;
}

/** The row of a log that is made now. A store puts it at `logRef` when it makes a log. */
export function newLogRow(now: number, random?: RandomSource): LogRow {
  return { format: FORMAT_VERSION, logId: randomId(random), createdAt: now, maxBytes: null };
}

/**
 * Checks the row at `logRef` of a log that has been opened, before anything else is read of it.
 * Throws `FORMAT_TOO_NEW` or `LOG_CORRUPT` unless this version can read the log.
 */
export function checkFormat(name: string, log: LogRow | undefined): void {
  if (log === undefined) {
    throw new TablogError(LOG_CORRUPT, `the database of the log '${name}' has lost its first row`);
  }
  if (log.format <= FORMAT_VERSION) return;
  throw new TablogError(
    FORMAT_TOO_NEW,
    `the log '${name}' has format ${log.format}, and this version of tablog reads ${FORMAT_VERSION}`,
    { details: { format: log.format, reads: FORMAT_VERSION } },
  );
}
