import type { GroupState } from '../../group/group-state.ts';
import { damagedRow } from '../../store/damaged-row.ts';
import { GROUPS } from '../../store/schema.ts';
import type { RowRef } from '../../store/store.ts';

export function groupRef(groupId: string): RowRef<GroupState> {
  return { store: GROUPS, key: groupId };
}

/** Whether a row of the store `groups` has a group's shape: as much as a transition relies on. */
export function isGroup(row: unknown): row is GroupState {
  if (typeof row !== 'object' || row === null) return false;
  const { groupId, generation, members, partitions } = row as Partial<GroupState>;
  return (
    typeof groupId === 'string' &&
    Number.isSafeInteger(generation) &&
    Array.isArray(members) &&
    Array.isArray(partitions)
  );
}

/**
 * The row as a group. Throws `LOG_CORRUPT`, with the row's address, where it has another shape, so
 * that one damaged row fails its group and no other.
 */
export function groupOf(row: unknown, groupId: string): GroupState {
  if (isGroup(row)) return row;
  const next = 'Delete the group with deleteGroups(); it begins anew then.';
  throw damagedRow(groupRef(groupId), next);
}
