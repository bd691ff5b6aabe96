import type { CommitRequest } from '../../protocol/group.ts';
import { toCommit } from '../message/partition-progress.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';

/** How far a partition was handed out at some time. */
export interface Held {
  readonly progress: PartitionProgress;
  readonly offset: number;
  readonly restarts: number;
}

export function handedOut(holds: readonly PartitionProgress[]): Held[] {
  return holds.map((progress) => ({
    progress,
    offset: progress.delivered,
    restarts: progress.restarts,
  }));
}

/** The offsets of one consumer that a transaction commits. */
export interface TransactionOffsets {
  readonly commit: CommitRequest;
  /** Called when the outcome is known: stored or not. */
  ended(isStored: boolean): void;
}

/** Begins the commit, in a transaction that starts now; `undefined`: no offset is new. */
export function transactionOffsets(holds: readonly Held[]): TransactionOffsets | undefined {
  const moved = holds.filter(
    ({ progress, offset, restarts }) =>
      progress.restarts === restarts && offset > progress.committed,
  );
  if (moved.length === 0) return undefined;
  const offsets = moved.map(({ progress, offset }) => toCommit(progress, offset));
  for (const { progress } of moved) progress.transactions++;
  return {
    commit: { member: moved[0]!.progress.member, offsets },
    ended: (isStored) => {
      for (const { progress, offset, restarts } of moved) {
        progress.transactions--;
        if (!isStored || progress.restarts !== restarts) continue; // somebody has sought meanwhile
        progress.committed = Math.max(progress.committed, offset);
        progress.asked = Math.max(progress.asked, offset);
      }
    },
  };
}
