import type { TopicIdPartition } from '../base/topic-id-partition.ts';
import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { HEAD_KEY } from '../store/schema.ts';
import type { RowRef } from '../store/store.ts';
import { damagedRow, hasShape } from '../store/stored-row.ts';
import type { RowShape } from '../store/stored-row.ts';
import { NO_PRODUCERS } from './producer-state.ts';
import type { ProducerRows } from './producer-state.ts';
import { EMPTY_TIME_INDEX, trimTimeIndex } from './time-index.ts';
import type { TimeIndex } from './time-index.ts';

/** A partition, with the name of the object store that has its rows. */
export interface LocatedPartition extends TopicIdPartition {
  readonly store: string;
}

/**
 * The state of a partition: one row, which every append reads and writes back in its transaction.
 * The head is the only source of the next offset.
 *
 * The segments tile the range from `startOffset` to `endOffset`: each segment ends where the next
 * one begins. Retention and compaction keep that, so a gap always means lost data.
 */
export interface PartitionHead {
  /** The topic that has the object store now; the store of a deleted topic is reused. */
  readonly topicId: string;
  readonly partition: number;
  /** Kafka's log start offset: the first that can be read. */
  readonly startOffset: number;
  /** The next record's offset. There are no replicas, so this is the high watermark too. */
  readonly endOffset: number;
  /** Bytes of all segments. */
  readonly bytes: number;
  readonly segments: number;
  /** The base offset of the first row; less than `startOffset` when the row is deleted in part. */
  readonly rowsFrom: number;
  /** The rows from the offset `from` on, which have not been merged yet. */
  readonly unmerged: { readonly from: number; readonly rows: number; readonly bytes: number };
  /** Counts the replacements of rows, so that a reader can tell whether its rows still exist. */
  readonly rewrites: number;
  readonly compaction: CompactionState;
  readonly timeIndex: TimeIndex;
  /** The last batches of each idempotent producer. */
  readonly producers: ProducerRows;
}

/** How far a compacted partition is clean (Kafka's cleaner checkpoint). */
export interface CompactionState {
  /** Past passes, ascending: at the time `at`, no key had two records before the offset `to`. */
  readonly cleaned: readonly { readonly to: number; readonly at: number }[];
  /** Bytes of the rows that end before the last `to`. */
  readonly cleanBytes: number;
  /** Compaction has removed expired tombstones before this offset. */
  readonly tombstonesTo: number;
}

/** The head of an empty partition, whose first record gets the offset `from`. */
export function newHead(topicId: string, partition: number, from = 0): PartitionHead {
  return {
    topicId,
    partition,
    startOffset: from,
    endOffset: from,
    bytes: 0,
    segments: 0,
    unmerged: { from, rows: 0, bytes: 0 },
    rowsFrom: from,
    rewrites: 0,
    compaction: { cleaned: [], cleanBytes: 0, tombstonesTo: 0 },
    timeIndex: EMPTY_TIME_INDEX,
    producers: NO_PRODUCERS,
  };
}

/**
 * The head with its start moved up to `startOffset`; the same object when the start is there
 * already.
 */
export function startedAt(head: PartitionHead, startOffset: number): PartitionHead {
  if (startOffset <= head.startOffset) return head;
  const isEmpty = startOffset === head.endOffset;
  const timeIndex = isEmpty ? EMPTY_TIME_INDEX : trimTimeIndex(head.timeIndex, startOffset);
  return { ...head, startOffset, timeIndex };
}

/**
 * The head with its end moved up to `endOffset`, over offsets whose records are lost. The rows
 * before them are not merged with later rows: a merged row would hide the gap between the two.
 */
export function raisedTo(head: PartitionHead, endOffset: number): PartitionHead {
  return { ...head, endOffset, unmerged: { from: endOffset, rows: 0, bytes: 0 } };
}

export function headRef(store: string): RowRef<PartitionHead> {
  return { store, key: HEAD_KEY };
}

/**
 * The row as the head of the partition. Throws `UNKNOWN_TOPIC` when the row is missing or belongs
 * to another partition, because the topic was deleted: whether a missing row was lost instead, the
 * catalog of topics tells. Throws `LOG_CORRUPT` when the row is not a
 * head, so that one damaged row fails this partition and no other.
 */
export function headOf(row: unknown, of: LocatedPartition): PartitionHead {
  if (row === undefined) throw topicGone(of, { missing: of.store });
  if (!isHead(row)) throw headDamaged(of.store);
  if (row.topicId !== of.topicId || row.partition !== of.partition) throw topicGone(of);
  return row;
}

/** The error of a head that the browser damaged or lost. */
export function headDamaged(store: string): TablogError {
  return damagedRow(headRef(store), 'Delete the topic and create it again; other topics go on.');
}

const HEAD: RowShape<PartitionHead> = {
  topicId: 'string',
  partition: 'integer',
  startOffset: 'integer',
  endOffset: 'integer',
  bytes: 'integer',
  segments: 'integer',
  rowsFrom: 'integer',
  unmerged: { from: 'integer', rows: 'integer', bytes: 'integer' },
  rewrites: 'integer',
  compaction: { cleaned: 'array', cleanBytes: 'integer', tombstonesTo: 'integer' },
  timeIndex: { entries: 'numbers', strideBytes: 'number', lastBytes: 'number' },
  producers: 'numbers',
};

/** Whether a row is a partition's head. Checks the fields that appends and reads rely on. */
export function isHead(row: unknown): row is PartitionHead {
  return hasShape(row, HEAD) && row.startOffset <= row.endOffset;
}

/** `where`: the store whose head is missing. */
export function topicGone(
  { topicId, partition }: TopicIdPartition,
  where: { readonly missing?: string } = {},
): TablogError {
  return new TablogError(
    UNKNOWN_TOPIC,
    `the topic with id ${topicId} has been deleted, or has no partition ${partition}`,
    { details: { topicId, partition, ...where } },
  );
}
