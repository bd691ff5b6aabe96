import { mustBeInteger } from '../../base/argument.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { phaseOf } from '../../group/group-state.ts';
import type { GroupState } from '../../group/group-state.ts';
import type { AlterGroupOffsetsRequest } from '../../protocol/broker.ts';
import type {
  CommittedOffset,
  GroupDescription,
  GroupListing,
  GroupPartitionDescription,
} from '../../protocol/group.ts';
import { GROUPS, OFFSETS } from '../../store/schema.ts';
import type { Store } from '../../store/store.ts';
import { writeOffset } from './committed-offset.ts';
import { isOffset, offsetRef } from '../rows/offset-row.ts';
import { groupOf, groupRef, isGroup } from '../rows/group-row.ts';
import type { TopicRow } from '../rows/topic-row.ts';
import { mapDistinct } from '../waiting/map-distinct.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import type { GroupOffsets } from './group-offsets.ts';
import type { PartitionHost } from '../partitions/partition-host.ts';
import type { TopicCatalog } from '../topics/topic-catalog.ts';

type NamedPartition = AlterGroupOffsetsRequest['partitions'][number];

export interface GroupAdminOptions {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly coordinator: GroupCoordinator;
  readonly offsets: GroupOffsets;
  readonly partitions: PartitionHost;
}

/** Lists, describes and deletes groups, and moves their offsets. */
export class GroupAdmin {
  readonly #store: Store;
  readonly #topics: TopicCatalog;
  readonly #coordinator: GroupCoordinator;
  readonly #offsets: GroupOffsets;
  readonly #partitions: PartitionHost;

  constructor({ store, topics, coordinator, offsets, partitions }: GroupAdminOptions) {
    this.#store = store;
    this.#topics = topics;
    this.#coordinator = coordinator;
    this.#offsets = offsets;
    this.#partitions = partitions;
  }

  async list(): Promise<GroupListing[]> {
    const rows = await this.#store.readAll<unknown>(GROUPS);
    // A damaged row is left out: a description of its group throws `LOG_CORRUPT`.
    return rows.filter(isGroup).map((group) => ({
      group: group.groupId,
      state: phaseOf(group),
      members: group.members.length,
    }));
  }

  describe(groupIds: readonly string[]): Promise<GroupDescription[]> {
    return mapDistinct(groupIds, (groupId) => this.#describe(groupId));
  }

  async delete(groupIds: readonly string[]): Promise<void> {
    const ids = [...new Set(groupIds)];
    const rows = await this.#store.readAll<unknown>(OFFSETS);
    const refs = rows
      .filter(isOffset)
      .filter(({ groupId }) => ids.includes(groupId))
      .map((row) => offsetRef(row.groupId, row));
    await this.#store.update([...ids.map(groupRef), ...refs], (found, write) => {
      ids.forEach((groupId, i) => {
        const group = found[i];
        if (group === undefined) throw unknownGroup(groupId);
        // The members of a damaged group are unknown, and its deletion is the only repair.
        if (isGroup(group) && group.members.length > 0) throw notEmpty(group);
        write.delete(GROUPS, groupId);
      });
      for (const { key } of refs) write.delete(OFFSETS, key);
    });
  }

  async listOffsets(groupId: string): Promise<CommittedOffset[]> {
    await this.#mustGet(groupId);
    return this.#offsets.list(groupId);
  }

  /**
   * Commits offsets of a group without members, in one transaction. With `force` the group may have
   * members, whose partitions then begin again at the new offsets.
   */
  async alterOffsets(request: AlterGroupOffsetsRequest): Promise<CommittedOffset[]> {
    const { groupId, partitions, force, isReset } = request;
    const topics = await this.#topics.mustGet(partitions.map(({ topic }) => topic));
    const located = partitions.flatMap((each, i) => locate(each, topics[i]!));
    const offsets = await this.#offsets.resolve(located, { nearest: isReset });
    let committed: CommittedOffset[] = [];
    await this.#coordinator.step(
      groupId,
      { kind: 'restart', partitions: offsets },
      {
        of: offsets,
        write: (write, group, stamp) => {
          if (group === undefined && isReset) throw unknownGroup(groupId);
          if (group !== undefined && group.members.length > 0 && !force) throw notEmpty(group);
          const { committedAt } = stamp;
          committed = offsets.map((at) => {
            writeOffset(write, at, stamp);
            const { topic, partition, offset, metadata } = at;
            return { topic, partition, offset, metadata, committedAt };
          });
        },
      },
    );
    return committed;
  }

  async #mustGet(groupId: string): Promise<GroupState> {
    const [group] = await this.#store.read([groupRef(groupId)]);
    if (group === undefined) throw unknownGroup(groupId);
    return groupOf(group, groupId);
  }

  async #describe(groupId: string): Promise<GroupDescription> {
    const group = await this.#mustGet(groupId);
    const [committed, topics] = await Promise.all([
      this.#offsets.list(groupId),
      this.#topics.list(),
    ]);
    const partitions: GroupPartitionDescription[] = [];
    for (const row of topics.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const assigned = group.partitions.filter(({ topicId }) => topicId === row.id);
      const offsets = committed.filter(({ topic }) => topic === row.name);
      if (assigned.length + offsets.length === 0) continue;
      for (const { partition, startOffset, endOffset } of await this.#partitions.describe(row)) {
        const place = assigned.find((p) => p.partition === partition);
        const at = offsets.find((p) => p.partition === partition);
        partitions.push({
          topic: row.name,
          partition,
          owner: place?.owner ?? null,
          target: place?.target ?? null,
          committedOffset: at?.offset ?? null,
          metadata: at?.metadata ?? '',
          startOffset,
          endOffset,
          lag: Math.max(endOffset - Math.max(at?.offset ?? startOffset, startOffset), 0),
        });
      }
    }
    const { generation, assignor } = group;
    const members = group.members.map(({ memberId, clientId, hidden, joinedAt, subscription }) => ({
      memberId,
      clientId,
      visible: !hidden,
      joinedAt,
      topics: subscription.topics,
      patterns: subscription.patterns,
    }));
    return { group: groupId, state: phaseOf(group), generation, assignor, members, partitions };
  }
}

/** The named partition with its topic id; every partition of the topic when none is named. */
function locate(
  each: NamedPartition,
  { id, stores }: TopicRow,
): (NamedPartition & TopicIdPartition)[] {
  const { partition } = each;
  if (partition !== undefined) mustBeInteger('partition', partition, 0, stores.length - 1);
  const numbers = partition === undefined ? stores.keys() : [partition];
  return Array.from(numbers, (number) => ({ ...each, topicId: id, partition: number }));
}

function unknownGroup(groupId: string): TablogError {
  return new TablogError(GROUP_ID_NOT_FOUND, `there is no group '${groupId}'`, {
    details: { group: groupId },
  });
}

function notEmpty({ groupId, members }: GroupState): TablogError {
  return new TablogError(
    NON_EMPTY_GROUP,
    `the group '${groupId}' has ${members.length} member${members.length === 1 ? '' : 's'}`,
    { details: { group: groupId, members: members.length } },
  );
}
