import { byMemberId } from './assignor.ts';
import type { AssignablePartition, MemberSubscription } from './assignor.ts';

/**
 * Kafka's RoundRobinAssignor. It deals the partitions of all topics out to the members in turn, and
 * skips a member that does not subscribe to the topic.
 */
export function assignRoundRobin(
  candidates: readonly MemberSubscription[],
  partitions: readonly AssignablePartition[],
): (string | null)[] {
  const members = byMemberId(candidates);
  let turn = 0;
  return partitions.map(({ topic }) => {
    const inTurn = [...members.slice(turn), ...members.slice(0, turn)];
    const passed = inTurn.findIndex((member) => member.wants(topic));
    if (passed === -1) return null;
    turn = (turn + passed + 1) % members.length;
    return inTurn[passed]!.memberId;
  });
}
