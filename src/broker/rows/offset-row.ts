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
  /** Of which log: an offset of a log that was lost says nothing about the one made since. */
  readonly logId: string;
  /** Which commit of which hold on the partition this was; null: nobody's who holds it. */
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
