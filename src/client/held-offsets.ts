import type { CommitRequest } from '../protocol/group.ts';
import type { Hold } from './hold.ts';

/** What is to be committed of one consumer, in a transaction. */
export interface HeldOffsets {
  readonly commit: CommitRequest;
  /** It is stored. */
  committed(): void;
}

/**
 * How far a consumer has handed out its partitions; `undefined`: nothing is new. Throws a `TypeError`
 * where several messages of a partition are in hand, because nobody knows then which of them are meant.
 */
export function heldOffsets(holds: readonly Hold[]): HeldOffsets | undefined {
  const moved = holds.flatMap((hold) => {
    const offset = hold.delivered;
    return offset > hold.committed ? { hold, offset, restarts: hold.restarts } : [];
  });
  if (moved.length === 0) return undefined;
  const offsets = moved.map(({ hold: { topicId, partition, epoch }, offset }) => ({
    topicId,
    partition,
    epoch,
    offset,
    metadata: '',
  }));
  return {
    commit: { member: moved[0]!.hold.member, offsets },
    committed: () => {
      for (const { hold, offset, restarts } of moved) {
        if (hold.restarts !== restarts) continue; // somebody has sought meanwhile
        hold.committed = Math.max(hold.committed, offset);
        hold.asked = Math.max(hold.asked, offset);
      }
    },
  };
}
