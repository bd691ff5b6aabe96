import type { GroupState } from '../../group/group-state.ts';
import { damagedRow, hasShape } from '../../store/stored-row.ts';
import type { RowShape } from '../../store/stored-row.ts';
import { GROUPS } from '../../store/schema.ts';
import type { RowRef } from '../../store/store.ts';

export function groupRef(groupId: string): RowRef<GroupState> {
  return { store: GROUPS, key: groupId };
}

const GROUP: RowShape<GroupState> = {
  groupId: 'string',
  generation: 'integer',
  members: [
    {
      memberId: 'string',
      clientId: 'string',
      epoch: 'integer',
      subscription: { topics: 'array', patterns: 'array' },
      sessionTimeoutMs: 'number',
      rebalanceTimeoutMs: 'number',
    },
  ],
  partitions: [{ topicId: 'string', topic: 'string', partition: 'integer', epoch: 'integer' }],
};

/** Whether a row of the store `groups` is a group. Checks the fields that transitions rely on. */
export function isGroup(row: unknown): row is GroupState {
  return hasShape(row, GROUP);
}

/**
 * The row as a group. Throws `LOG_CORRUPT`, with the row's address, when the row is not a group, so
 * that one damaged row fails its group and no other.
 */
export function groupOf(row: unknown, groupId: string): GroupState {
  if (isGroup(row)) return row;
  const next = 'Delete the group with deleteGroups(); it begins anew then.';
  throw damagedRow(groupRef(groupId), next);
}
