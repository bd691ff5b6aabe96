import { damagedRow } from '../../store/damaged-row.ts';
import { OFFSETS } from '../../store/schema.ts';
import type { RowRef } from '../../store/store.ts';

/** A row of the store `offsets`: how far a group got in a partition. */
export interface OffsetRow {
  readonly groupId: string;
  readonly topicId: string;
  readonly partition: number;
  /** The next offset to be read. */
  readonly offset: number;
  readonly metadata: string;
  /** Milliseconds since 1970. */
  readonly committedAt: number;
  /** The id of the log: an offset of a log that was lost says nothing about the one made since. */
  readonly logId: string;
  /** The number of the commit, by the member that owned the partition; null: no member's. */
  readonly number: CommitNumber | null;
}

export interface CommitNumber {
  readonly epoch: number;
  readonly sequence: number;
}

export function offsetRef(
  groupId: string,
  { topicId, partition }: { readonly topicId: string; readonly partition: number },
): RowRef<OffsetRow> {
  return { store: OFFSETS, key: [groupId, topicId, partition] };
}

/** Whether a row of the store `offsets` has a committed offset's shape. */
export function isOffset(row: unknown): row is OffsetRow {
  if (typeof row !== 'object' || row === null) return false;
  const { groupId, topicId, partition, offset, logId } = row as Partial<OffsetRow>;
  return (
    [groupId, topicId, logId].every((id) => typeof id === 'string') &&
    [partition, offset].every(Number.isSafeInteger)
  );
}

/**
 * The row as a committed offset; `undefined`: nothing is committed. Throws `LOG_CORRUPT` where the
 * row has another shape: taken as nothing, a damaged offset would have records skipped, or read
 * again.
 */
export function offsetRowOf(row: unknown, ref: RowRef<OffsetRow>): OffsetRow | undefined {
  if (row === undefined || isOffset(row)) return row;
  throw damagedRow(ref, 'Commit an offset of the partition with resetOffsets().');
}
