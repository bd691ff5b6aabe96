import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { damagedRow, hasShape } from '../../store/stored-row.ts';
import type { RowShape } from '../../store/stored-row.ts';
import { OFFSETS } from '../../store/schema.ts';
import type { RowRef } from '../../store/store.ts';

/** A row of the store `offsets`: the committed offset of a group in a partition. */
export interface OffsetRow {
  readonly groupId: string;
  readonly topicId: string;
  readonly partition: number;
  /** The next offset to be read. */
  readonly offset: number;
  readonly metadata: string;
  /** Milliseconds since 1970. */
  readonly committedAt: number;
  /** The id of the log: an offset of a lost log means nothing in the log that was created since. */
  readonly logId: string;
  /** The number of the commit of the partition's owner; null: the commit was not a member's. */
  readonly number: CommitNumber | null;
}

export interface CommitNumber {
  readonly epoch: number;
  readonly sequence: number;
}

export function offsetRef(
  groupId: string,
  { topicId, partition }: TopicIdPartition,
): RowRef<OffsetRow> {
  return { store: OFFSETS, key: [groupId, topicId, partition] };
}

const OFFSET: RowShape<OffsetRow> = {
  groupId: 'string',
  topicId: 'string',
  partition: 'integer',
  offset: 'integer',
  logId: 'string',
};

/** Whether a row of the store `offsets` is a committed offset. */
export function isOffset(row: unknown): row is OffsetRow {
  return hasShape(row, OFFSET);
}

/**
 * The row as a committed offset; `undefined`: nothing is committed. Throws `LOG_CORRUPT` when the
 * row is not an offset: a damaged offset that counted as missing would make the group skip records
 * or read them again.
 */
export function offsetRowOf(row: unknown, ref: RowRef<OffsetRow>): OffsetRow | undefined {
  if (row === undefined || isOffset(row)) return row;
  throw damagedRow(ref, 'Commit an offset of the partition with admin.alterGroupOffsets().');
}
