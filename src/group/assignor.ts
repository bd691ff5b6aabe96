/** A member as an assignor sees it. */
export interface MemberSubscription {
  readonly memberId: string;
  readonly hidden: boolean;
  /** Whether the member subscribes to this topic. */
  wants(topic: string): boolean;
}

/** A partition of a subscribed topic, as an assignor sees it. */
export interface AssignablePartition {
  readonly topic: string;
  readonly partition: number;
  /** The member that has the partition or is about to get it; null: none. */
  readonly owner: string | null;
}

/**
 * Computes the member id for each partition, in the order of `partitions`; null where no member
 * subscribes to the topic. `partitions` are whole topics, sorted by name and number.
 */
export type Assignor = (
  candidates: readonly MemberSubscription[],
  partitions: readonly AssignablePartition[],
) => (string | null)[];

/** Sorts members by id, so that every broker computes the same assignment. */
export function byMemberId(candidates: readonly MemberSubscription[]): MemberSubscription[] {
  return [...candidates].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
}
