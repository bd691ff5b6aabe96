/** A member as an assignor sees it. */
export interface MemberSubscription {
  readonly memberId: string;
  readonly hidden: boolean;
  /** Whether it wants partitions of this topic. */
  wants(topic: string): boolean;
}

/** A partition that is to be given to somebody. */
export interface AssignablePartition {
  readonly topic: string;
  readonly partition: number;
  /** Who has it, or is about to; null: nobody. */
  readonly owner: string | null;
}

/**
 * Says who is to read each partition, in the order of `partitions`; null where nobody wants it.
 * `partitions` are whole topics, by name and number.
 */
export type Assignor = (
  candidates: readonly MemberSubscription[],
  partitions: readonly AssignablePartition[],
) => (string | null)[];

/** The order in which members take their turn: the same wherever it is computed. */
export function byMemberId(candidates: readonly MemberSubscription[]): MemberSubscription[] {
  return [...candidates].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
}
