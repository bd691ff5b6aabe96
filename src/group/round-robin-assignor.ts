import { byMemberId } from './assignor.ts';
import type { AssignablePartition, MemberSubscription } from './assignor.ts';

/**
 * Kafka's RoundRobinAssignor: the partitions of all topics in one row, dealt out to the members in
 * turn; a member that does not want a topic is passed over.
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
