import { byMemberId } from './assignor.ts';
import type { AssignablePartition, MemberSubscription } from './assignor.ts';

/**
 * Kafka's RangeAssignor. It divides each topic by itself: every member gets a run of neighbouring
 * partitions, and the first members get one more when the division has a remainder. Topics with the
 * same number of partitions and the same members are co-partitioned: partition n of each goes to
 * the same member.
 */
export function assignRange(
  candidates: readonly MemberSubscription[],
  partitions: readonly AssignablePartition[],
): (string | null)[] {
  const sorted = byMemberId(candidates);
  const sizes = new Map<string, number>();
  for (const { topic } of partitions) sizes.set(topic, (sizes.get(topic) ?? 0) + 1);
  const takers = new Map<string, readonly MemberSubscription[]>();
  for (const topic of sizes.keys()) {
    takers.set(
      topic,
      sorted.filter((candidate) => candidate.wants(topic)),
    );
  }
  return partitions.map(({ topic, partition }) => {
    const members = takers.get(topic)!;
    if (members.length === 0) return null;
    const each = Math.floor(sizes.get(topic)! / members.length);
    const withOneMore = sizes.get(topic)! % members.length;
    const inLonger = withOneMore * (each + 1);
    const index =
      partition < inLonger
        ? Math.floor(partition / (each + 1))
        : withOneMore + Math.floor((partition - inLonger) / each);
    return members[index]!.memberId;
  });
}
