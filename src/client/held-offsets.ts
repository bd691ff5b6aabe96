import type { CommitRequest } from '../protocol/group.ts';
import { toCommit } from './hold.ts';
import type { Hold } from './hold.ts';

/** How far a partition was handed out at some time. */
export interface Held {
  readonly hold: Hold;
  readonly offset: number;
  readonly restarts: number;
}

export function handedOut(holds: readonly Hold[]): Held[] {
  return holds.map((hold) => ({ hold, offset: hold.delivered, restarts: hold.restarts }));
}

/** What is to be committed of one consumer, in a transaction. */
export interface HeldOffsets {
  readonly commit: CommitRequest;
  /** To be called when it is known whether it is stored. */
  ended(isStored: boolean): void;
}

/** What of it is to be committed, in a transaction that begins now; `undefined`: nothing is new. */
export function heldOffsets(holds: readonly Held[]): HeldOffsets | undefined {
  const moved = holds.filter(
    ({ hold, offset, restarts }) => hold.restarts === restarts && offset > hold.committed,
  );
  if (moved.length === 0) return undefined;
  const offsets = moved.map(({ hold, offset }) => toCommit(hold, offset));
  for (const { hold } of moved) hold.transactions++;
  return {
    commit: { member: moved[0]!.hold.member, offsets },
    ended: (isStored) => {
      for (const { hold, offset, restarts } of moved) {
        hold.transactions--;
        if (!isStored || hold.restarts !== restarts) continue; // somebody has sought meanwhile
        hold.committed = Math.max(hold.committed, offset);
        hold.asked = Math.max(hold.asked, offset);
      }
    },
  };
}
