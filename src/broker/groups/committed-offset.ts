import { FENCED, OFFSET_OUT_OF_RANGE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { newGroup } from '../../group/group-state.ts';
import type { GroupState } from '../../group/group-state.ts';
import { mustBeMember, mustOwn } from '../../group/transitions.ts';
import type { CommitRequest, OffsetCommit } from '../../protocol/group.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { offsetRef } from '../rows/offset-row.ts';
import type { CommitNumber, OffsetRow } from '../rows/offset-row.ts';
import type { Writer } from '../../store/store.ts';

/** The fields that all offsets of one commit share: the group, the time and the log. */
export interface CommitStamp {
  readonly groupId: string;
  readonly committedAt: number;
  readonly logId: string;
}

/** Offsets that are written in the transaction of a transition. */
export interface OffsetWrites {
  readonly of: readonly TopicIdPartition[];
  /** Throws when the group does not allow the offsets; `group` is `undefined` for a new group. */
  write(
    write: Writer,
    group: GroupState | undefined,
    stamp: CommitStamp,
    /** The stored offsets of the partitions, in the order of `of`. */
    rows: readonly (OffsetRow | undefined)[],
  ): void;
}

export const NO_OFFSETS: OffsetWrites = { of: [], write() {} };

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
 * Writes a member's commits, in the transaction that has read the member's group. Throws `FENCED`,
 * and writes nothing, when the member has lost one of the partitions. So a tab that wakes up cannot
 * move the offsets of the members that took over its partitions.
 */
export function commitOffsets(
  write: Writer,
  group: GroupState | undefined,
  { member, offsets }: CommitRequest,
  stamp: CommitStamp,
  rows: readonly (OffsetRow | undefined)[],
): void {
  if (offsets.length === 0) return;
  const state = group ?? newGroup(member.groupId); // a deleted group has no members
  mustBeMember(state, member);
  for (const offset of offsets) mustOwn(state, member, offset);
  offsets.forEach((offset, i) => {
    const { assignmentEpoch: epoch, sequence } = offset;
    // A worker that hung can run a call late, after its client gave the call up and later commits
    // were stored.
    if (laterBy(offset, rows[i]) >= 0) return;
    writeOffset(write, offset, stamp, sequence === undefined ? null : { epoch, sequence });
  });
}

/** A member's commits, for the transaction of a transition. */
export function committing(commits: CommitRequest): OffsetWrites {
  return {
    of: commits.offsets,
    write: (write, group, stamp, rows) => commitOffsets(write, group, commits, stamp, rows),
  };
}

/**
 * Throws `FENCED` when a later commit of the same assignment is stored. The client then gave this
 * transaction up, and may have read and processed the same messages again since.
 */
export function mustNotBeOvertaken(
  { offsets }: CommitRequest,
  rows: readonly (OffsetRow | undefined)[],
): void {
  if (!offsets.some((offset, i) => laterBy(offset, rows[i]) > 0)) return;
  throw new TablogError(FENCED, 'a later commit has overtaken the transaction');
}

/**
 * The sequence of the stored commit minus the sequence of this commit. Negative when the stored
 * commit is earlier, or is not of the same assignment epoch.
 */
function laterBy(
  { assignmentEpoch: epoch, sequence }: OffsetCommit,
  row: OffsetRow | undefined,
): number {
  const stored = row?.number;
  if (sequence === undefined || stored?.epoch !== epoch) return -1;
  return stored.sequence - sequence;
}

/** Throws `OFFSET_OUT_OF_RANGE` for an offset beyond the partition's end. */
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
