import { FENCED, OFFSET_OUT_OF_RANGE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { newGroup } from '../../group/group-state.ts';
import type { GroupState } from '../../group/group-state.ts';
import { mustBeMember, mustOwn } from '../../group/transitions.ts';
import type { CommitRequest, OffsetCommit } from '../../protocol/group.ts';
import { offsetRef } from '../rows/offset-row.ts';
import type { CommitNumber, OffsetRow } from '../rows/offset-row.ts';
import type { Writer } from '../../store/store.ts';

/** Whose commits these are: when they were made, and of which log. */
export interface CommitStamp {
  readonly groupId: string;
  readonly committedAt: number;
  readonly logId: string;
}

export function writeOffset(
  write: Writer,
  { topicId, partition, offset, metadata }: Omit<OffsetCommit, 'assignmentEpoch'>,
  stamp: CommitStamp,
  number: CommitNumber | null = null,
): void {
  const row: OffsetRow = { ...stamp, topicId, partition, offset, metadata, number };
  const { store, key } = offsetRef(stamp.groupId, row);
  write.put(store, key, row);
}

/**
 * Writes a member's commits, in the transaction that has read its group. Throws `FENCED`, and
 * writes nothing, where the member has lost one of the partitions: that is what keeps a tab that
 * wakes up from moving the offsets of those who took over.
 */
export function commitOffsets(
  write: Writer,
  group: GroupState | undefined,
  { member, offsets }: CommitRequest,
  stamp: CommitStamp,
  rows: readonly (OffsetRow | undefined)[],
): void {
  if (offsets.length === 0) return;
  const state = group ?? newGroup(member.groupId); // deleted: it has no members
  mustBeMember(state, member);
  for (const offset of offsets) mustOwn(state, member, offset);
  offsets.forEach((offset, i) => {
    const { assignmentEpoch: epoch, sequence } = offset;
    // A worker that hung may run a call that was given up, and that later ones have overtaken.
    if (laterBy(offset, rows[i]) >= 0) return;
    writeOffset(write, offset, stamp, sequence === undefined ? null : { epoch, sequence });
  });
}

/**
 * Throws `FENCED` where a later commit of the same hold is stored: the transaction of this one was
 * given up, and what it read may have come again since.
 */
export function mustNotBeOvertaken(
  { offsets }: CommitRequest,
  rows: readonly (OffsetRow | undefined)[],
): void {
  if (!offsets.some((offset, i) => laterBy(offset, rows[i]) > 0)) return;
  throw new TablogError(FENCED, 'a later commit has overtaken the transaction');
}

/**
 * By how many commits of the same hold the stored one is later; negative: it is earlier, or
 * another's.
 */
function laterBy(
  { assignmentEpoch: epoch, sequence }: OffsetCommit,
  row: OffsetRow | undefined,
): number {
  const stored = row?.number;
  if (sequence === undefined || stored?.epoch !== epoch) return -1;
  return stored.sequence - sequence;
}

/** Throws `OFFSET_OUT_OF_RANGE` for an offset that no record can have yet. */
export function mustNotBeBeyond(
  commit: { readonly topic?: string; readonly partition: number; readonly offset: number },
  { endOffset }: { readonly endOffset: number },
): void {
  const { topic, partition, offset } = commit;
  if (offset <= endOffset) return;
  const of = topic === undefined ? '' : ` of '${topic}'`;
  throw new TablogError(
    OFFSET_OUT_OF_RANGE,
    `offset ${offset} of partition ${partition}${of} cannot be committed: the end is ${endOffset}`,
    { details: { ...(topic !== undefined && { topic }), partition, offset, endOffset } },
  );
}
