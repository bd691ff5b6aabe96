import { formatCount } from './format.ts';
import type { GroupState } from './group-state.ts';
import type { Membership } from './membership.ts';

type Group = Pick<GroupState, 'readers' | 'partitions' | 'isSettled'>;
type Member = Pick<Membership, 'memberId' | 'isJoined' | 'isOut' | 'partitions' | 'processed'>;

/**
 * Says in words what this tab does in the group. The group is polled, while the member knows its
 * own partitions at once: "idle" needs both to agree, in a group that has settled.
 */
export function memberStatus(group: Group, member: Member, isStalled: boolean): string {
  const { memberId, isJoined, isOut, partitions, processed } = member;
  if (!isJoined) {
    if (processed === 0) return 'Not a member: this tab only watches.';
    return `Left, after ${formatCount(processed)} records.`;
  }
  if (isOut && isStalled) return 'Stalled for too long: out of the group until it goes on.';
  if (partitions > 0) {
    const share = `${partitions} of ${Math.max(group.partitions, partitions)} partitions`;
    return isStalled ? `Stalled, with ${share}.` : `Reads ${share}.`;
  }
  const known = group.readers.find((reader) => reader.memberId === memberId);
  if (known === undefined) return 'Joining…';
  if (known.partitions > 0 || !group.isSettled) return 'Waiting for its partitions…';
  return 'Idle: every partition has another reader.';
}
