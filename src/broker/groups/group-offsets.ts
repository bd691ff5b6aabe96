import { mustBeInteger } from '../../base/argument.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { Clock } from '../../platform/clock.ts';
import { newGroup } from '../../group/group-state.ts';
import type { GroupState } from '../../group/group-state.ts';
import { mustBeMember, mustOwn } from '../../group/transitions.ts';
import type { Request } from '../../protocol/broker.ts';
import type { PositionSpec } from '../../protocol/fetch.ts';
import type {
  PartitionAssignment,
  CommitRequest,
  CommittedOffset,
  GroupPosition,
} from '../../protocol/group.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import { OFFSETS, logOf, logRef } from '../../store/schema.ts';
import type { Store } from '../../store/store.ts';
import type { RowWrites } from '../partitions/group-commit.ts';
import { commitOffsets, mustNotBeBeyond, mustNotBeOvertaken } from './committed-offset.ts';
import { isOffset, offsetRef, offsetRowOf } from '../rows/offset-row.ts';
import type { OffsetRow } from '../rows/offset-row.ts';
import { groupOf, groupRef } from '../rows/group-row.ts';
import type { PartitionBounds, PartitionHost } from '../partitions/partition-host.ts';
import type { TopicCatalog } from '../topics/topic-catalog.ts';

export interface GroupOffsetsOptions {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly clock: Clock;
  readonly partitions: PartitionHost;
}

/** Committed offsets: reads and writes the store `offsets`. */
export class GroupOffsets {
  readonly #store: Store;
  readonly #topics: TopicCatalog;
  readonly #clock: Clock;
  readonly #partitions: PartitionHost;

  constructor({ store, topics, clock, partitions }: GroupOffsetsOptions) {
    this.#store = store;
    this.#topics = topics;
    this.#clock = clock;
    this.#partitions = partitions;
  }

  /**
   * Commits a member's offsets. Throws `FENCED` when the member has lost a partition, and
   * `OFFSET_OUT_OF_RANGE` for an offset beyond a partition's end.
   */
  async commit({ member, offsets }: CommitRequest): Promise<void> {
    // End offsets only grow, so they may be read before the transaction.
    const all = await this.#partitions.bounds(offsets);
    offsets.forEach((offset, i) => mustNotBeBeyond(offset, all[i]!));
    await this.#write({ member, offsets });
  }

  /**
   * The offsets at which a member begins its new partitions: the group's committed offset, else the
   * member's starting offset, else `from`. The latter two are committed at once: a member that
   * takes over before the first commit must begin at the same offset, or it would skip records in
   * between.
   */
  async position({
    member,
    partitions,
    from,
    startingOffsets,
  }: Request<'positionPartitions'>): Promise<GroupPosition[]> {
    const { groupId } = member;
    const refs = partitions.map((partition) => offsetRef(groupId, partition));
    const [all, [row, log, ...rows]] = await Promise.all([
      this.#partitions.bounds(partitions),
      this.#store.read([groupRef(groupId), logRef, ...refs] as const),
    ]);
    const group = row === undefined ? newGroup(groupId) : groupOf(row, groupId);
    mustBeMember(group, member);
    for (const partition of partitions) mustOwn(group, member, partition);
    const { logId } = logOf(log);
    const committed = rows.map((found, i) => offsetOf(offsetRowOf(found, refs[i]!), logId));
    const positions = await Promise.all(
      partitions.map(async (assigned, i): Promise<GroupPosition> => {
        const { startOffset: start, endOffset: end } = all[i]!;
        const at = committed[i];
        if (at !== undefined && at >= start && at <= end) {
          return { ...assigned, offset: at, reset: null };
        }
        // A new partition is read from its first record. So is a topic in memory whose records were
        // lost.
        const isFirst = at === undefined ? isNew(group, assigned) : isInMemory(assigned.topicId);
        const startingOffset = at === undefined ? startingOffsets?.[i] : undefined;
        const place = startingOffset === undefined ? from : { offset: startingOffset };
        const offset = isFirst ? start : await this.#resolve(all[i]!, place);
        return {
          ...assigned,
          offset,
          reset: at === undefined ? null : { committed: at, start, end },
        };
      }),
    );
    const begun = positions.filter(({ offset }, i) => offset !== committed[i]);
    if (begun.length > 0) {
      await this.#write({
        member,
        offsets: begun.map((position) => ({ ...position, metadata: '' })),
      });
    }
    return positions;
  }

  /**
   * The offset of each partition's position. With `nearest`, an explicit offset is moved between
   * the partition's start and end offset. Otherwise it stays unchanged, and an offset beyond the
   * end throws `OFFSET_OUT_OF_RANGE`.
   */
  async resolve<P extends TopicIdPartition & { readonly topic: string; readonly to: PositionSpec }>(
    partitions: readonly P[],
    { nearest }: { readonly nearest: boolean },
  ): Promise<(P & { readonly offset: number })[]> {
    const all = await this.#partitions.bounds(partitions);
    return Promise.all(
      partitions.map(async (each, i) => {
        const { topic, partition, to } = each;
        const bounds = all[i]!;
        if (nearest || 'at' in to) return { ...each, offset: await this.#resolve(bounds, to) };
        const { offset } = to;
        mustBeInteger('an offset', offset, 0);
        mustNotBeBeyond({ topic, partition, offset }, bounds);
        return { ...each, offset };
      }),
    );
  }

  /** The offset that each group has committed for the partition; `undefined`: none. */
  async committed(
    groupIds: readonly string[],
    partition: TopicIdPartition,
  ): Promise<(number | undefined)[]> {
    const refs = groupIds.map((groupId) => offsetRef(groupId, partition));
    const [log, ...rows] = await this.#store.read([logRef, ...refs] as const);
    const { logId } = logOf(log);
    return rows.map((row, i) => offsetOf(offsetRowOf(row, refs[i]!), logId));
  }

  /** The group's committed offsets for existing topics, sorted by topic and partition. */
  async list(groupId: string): Promise<CommittedOffset[]> {
    const [rows, topics, [log]] = await Promise.all([
      this.#store.readAll<unknown>(OFFSETS),
      this.#topics.list(),
      this.#store.read([logRef]),
    ]);
    const { logId } = logOf(log);
    const names = new Map(topics.map(({ id, name }) => [id, name]));
    return rows
      .filter(isOffset) // a damaged row is left out here, and makes `position` throw
      .filter((row) => row.groupId === groupId && row.logId === logId)
      .flatMap(({ topicId, partition, offset, metadata, committedAt }) => {
        const topic = names.get(topicId);
        return topic === undefined ? [] : [{ topic, partition, offset, metadata, committedAt }];
      })
      .sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition));
  }

  /** The writes of a commit, for any transaction; `write` throws `FENCED`. */
  writes({ member, offsets }: CommitRequest): RowWrites {
    const { groupId } = member;
    return {
      refs: [groupRef(groupId), logRef, ...offsets.map((offset) => offsetRef(groupId, offset))],
      write: ([group, log, ...rows], write) => {
        const { logId } = logOf(log);
        const stamp = { groupId, logId, committedAt: this.#clock.now() };
        const before = rows as readonly (OffsetRow | undefined)[];
        const state = group === undefined ? undefined : groupOf(group, groupId);
        commitOffsets(write, state, { member, offsets }, stamp, before);
      },
    };
  }

  /**
   * As `writes`, for a transaction with records: `write` also throws `FENCED` when a later commit
   * is stored, so that the records are not stored either.
   */
  writesWithRecords(commit: CommitRequest): RowWrites {
    const writes = this.writes(commit);
    return {
      refs: writes.refs,
      write: (rows, write) => {
        writes.write(rows, write);
        mustNotBeOvertaken(commit, rows.slice(-commit.offsets.length) as (OffsetRow | undefined)[]);
      },
    };
  }

  async #write(commits: CommitRequest): Promise<void> {
    const rows = this.writes(commits);
    await this.#store.update(rows.refs, (found, write) => rows.write(found, write));
  }

  async #resolve(
    { topicId, partition, startOffset, endOffset }: PartitionBounds,
    to: PositionSpec,
  ): Promise<number> {
    if ('at' in to) return this.#partitions.offset(topicId, partition, to.at);
    return Math.min(Math.max(to.offset, startOffset), endOffset);
  }
}

/** The committed offset; `undefined` without one, or when the offset is of a log that was lost. */
function offsetOf(row: OffsetRow | undefined, logId: string): number | undefined {
  return row?.logId === logId ? row.offset : undefined;
}

function isNew({ partitions }: GroupState, { topicId, partition }: PartitionAssignment): boolean {
  return partitions.some((p) => p.isNew && p.topicId === topicId && p.partition === partition);
}
