import type { Clock } from '../../platform/clock.ts';
import { TablogError } from '../../base/error.ts';
import { randomId } from '../../platform/random-id.ts';
import type { RandomSource } from '../../platform/random-id.ts';
import { newGroup, viewOf } from '../../group/group-state.ts';
import type { GroupMember, GroupState } from '../../group/group-state.ts';
import { mustBeMember, step } from '../../group/transitions.ts';
import type { GroupEvent } from '../../group/transitions.ts';
import type { GroupHint, Hint } from '../../protocol/hint.ts';
import type {
  CommitRequest,
  JoinRequest,
  MemberRef,
  MemberView,
  ReleaseRequest,
  SyncRequest,
} from '../../protocol/group.ts';
import type { Liveness } from '../../platform/locks/liveness.ts';
import { GROUPS, logOf, logRef, topicsVersionOf, topicsVersionRef } from '../../store/schema.ts';
import type { Store } from '../../store/store.ts';
import { Coalesced } from '../waiting/coalesced.ts';
import type { CommitsInProgress } from './commits-in-progress.ts';
import { NO_OFFSETS, committing } from './committed-offset.ts';
import { groupOf, groupRef, isGroup } from '../rows/group-row.ts';
import { offsetRef } from '../rows/offset-row.ts';
import type { OffsetWrites } from './committed-offset.ts';
import { MemberLiveness } from './member-liveness.ts';
import type { TopicCatalog } from '../topics/topic-catalog.ts';
import { Waiters } from '../waiting/waiters.ts';

export interface GroupCoordinatorOptions {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly clock: Clock;
  readonly liveness: Liveness;
  readonly commits: CommitsInProgress;
  /** Called when an event has changed the generation of a group. */
  readonly onRebalanced: (group: GroupState, event: GroupEvent) => void;
  readonly crypto?: RandomSource | undefined;
  readonly post: (hint: Hint) => void;
}

interface WatchedGroup {
  /** Updates the group after topics were created, deleted or changed. */
  readonly refreshed: Coalesced;
  readonly watch: MemberLiveness;
  /** The newest state of the group that this broker has read. */
  seen: Pick<GroupState, 'instance' | 'generation'>;
}

/**
 * Kafka's `GroupCoordinator`, without one broker that coordinates: events of a group are ordered by
 * the transactions that read and write the group's row. So every broker can apply every event of a
 * group. Several brokers can apply the same event: the second transition changes nothing.
 */
export class GroupCoordinator {
  readonly #store: Store;
  readonly #topics: TopicCatalog;
  readonly #clock: Clock;
  readonly #liveness: Liveness;
  readonly #commits: CommitsInProgress;
  readonly #onRebalanced: GroupCoordinatorOptions['onRebalanced'];
  readonly #newInstance: () => string;
  readonly #post: (hint: Hint) => void;
  readonly #waiters = new Waiters();
  /**
   * The groups whose members this broker watches: the groups that existed at its start, and the
   * groups of the members that it serves.
   */
  readonly #watches = new Map<string, WatchedGroup>();
  /** The members that call `syncGroup` of this broker, by group. */
  readonly #localMembers = new Map<string, Set<string>>();
  /**
   * The members of `#localMembers` that were probed. The next sync of each is posted to all brokers
   * as the hint 'alive'.
   */
  readonly #probed = new Set<string>();

  constructor(options: GroupCoordinatorOptions) {
    const { store, topics, clock, liveness, commits, crypto, post } = options;
    this.#onRebalanced = options.onRebalanced;
    this.#newInstance = () => randomId(crypto);
    this.#store = store;
    this.#topics = topics;
    this.#clock = clock;
    this.#liveness = liveness;
    this.#commits = commits;
    this.#post = post;
  }

  /** Watches the existing groups: tabs may have died while no broker was alive. */
  start(): void {
    const looked = this.#store.readAll<unknown>(GROUPS).then((rows) => {
      for (const group of rows.filter(isGroup)) this.#onState(group);
    });
    this.#inBackground(looked);
  }

  close(): void {
    this.#waiters.wakeAll();
    for (const { watch } of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  async join(request: JoinRequest): Promise<MemberView> {
    const { groupId, memberId } = request;
    for (;;) {
      try {
        const group = await this.step(groupId, { kind: 'join', request });
        const { epoch } = group.members.find((member) => member.memberId === memberId)!;
        return viewOf(group, { groupId, instance: group.instance, memberId, memberEpoch: epoch });
      } catch (error) {
        if (!(error instanceof TablogError) || error.code !== 'MEMBER_EXISTS') throw error;
        if (!(await this.#expireIfDead(groupId, memberId))) throw error;
      }
    }
  }

  /**
   * Waits for a change of the group. Each answer also probes the member, because a live member
   * syncs again at once.
   */
  async sync({ member, generation, hidden, maxWaitMs }: SyncRequest): Promise<MemberView> {
    this.#onSync(member);
    const wait = this.#waiters.wait([member.groupId], maxWaitMs, this.#clock);
    try {
      let group = await this.#read(member.groupId);
      const { hidden: wasHidden, suspectedAt } = mustBeMember(group, member);
      if (wasHidden !== hidden || suspectedAt !== null) {
        group = await this.step(member.groupId, { kind: 'show', member, hidden });
      }
      this.#onState(group);
      if (group.generation > generation) return mustView(group, member);
      await wait.woken;
      return mustView(await this.#read(member.groupId), member);
    } finally {
      wait.cancel();
    }
  }

  async release({ member, partitions }: ReleaseRequest): Promise<MemberView> {
    return mustView(
      await this.step(member.groupId, { kind: 'release', member, partitions }),
      member,
    );
  }

  async leave({ member, offsets }: CommitRequest): Promise<void> {
    const event: GroupEvent = { kind: 'leave', member };
    await this.step(member.groupId, event, committing({ member, offsets }));
  }

  /** Updates the groups after any broker created, changed or deleted topics. */
  topicsChanged(): void {
    for (const { refreshed } of this.#watches.values()) refreshed.soon();
  }

  /** Handles a hint of another broker. A hint is a reason to read the row, and decides nothing. */
  heard(hint: GroupHint): void {
    const { groupId } = hint;
    const watch = this.#watches.get(groupId)?.watch;
    if (watch === undefined) return;
    if (hint.kind === 'group') {
      this.#waiters.wake(groupId);
      this.#inBackground(this.#read(groupId).then((group) => this.#onState(group)));
    } else if (hint.kind === 'alive') {
      watch.heard(hint.memberId);
    } else {
      watch.probed();
      this.#probeLocalMembers(groupId);
    }
  }

  /** Applies the event to the group and writes the offsets, all in one transaction. */
  async step(
    groupId: string,
    event: GroupEvent,
    offsets: OffsetWrites = NO_OFFSETS,
  ): Promise<GroupState> {
    const refs = offsets.of.map((partition) => offsetRef(groupId, partition));
    let isStale = false;
    for (;;) {
      const { topics, version } = await this.#topics.subscribable(isStale);
      const stepped = await this.#store.update(
        [groupRef(groupId), topicsVersionRef, logRef, ...refs] as const,
        ([row, topicsVersion, log, ...rows], write) => {
          // The topics have changed since they were read: the loop reads them again.
          if (topicsVersionOf(topicsVersion) !== version) return undefined;
          const group =
            row === undefined ? newGroup(groupId, this.#newInstance()) : groupOf(row, groupId);
          // The clock is read inside the transaction: the worker may sleep before it runs.
          const now = this.#clock.now();
          const stamp = { groupId, logId: logOf(log).logId, committedAt: now };
          offsets.write(write, row, stamp, rows);
          const next = step(group, event, { topics, now });
          // Offsets that are committed without a member create the group.
          const isNew = next !== group || (row === undefined && offsets.of.length > 0);
          if (isNew) write.put(GROUPS, groupId, next);
          return { group: next, isNew, isMoved: next.generation !== group.generation };
        },
      );
      isStale = stepped === undefined;
      if (stepped === undefined) continue;
      this.#onState(stepped.group);
      if (stepped.isMoved) this.#onRebalanced(stepped.group, event);
      // Another broker may have applied the event first, and its hint may be lost.
      this.#waiters.wake(groupId);
      if (stepped.isNew) this.#post({ kind: 'group', groupId });
      return stepped.group;
    }
  }

  async #read(groupId: string): Promise<GroupState> {
    const [group] = await this.#store.read([groupRef(groupId)]);
    return group === undefined ? newGroup(groupId) : groupOf(group, groupId);
  }

  #onState(group: GroupState): void {
    if (this.#store.closed.aborted) return;
    const { groupId, generation } = group;
    let watched = this.#watches.get(groupId);
    if (watched === undefined) {
      const refreshed = new Coalesced(() => this.step(groupId, { kind: 'refresh' }));
      watched = { watch: this.#newWatch(groupId), refreshed, seen: group };
      this.#watches.set(groupId, watched);
    }
    // Reads can finish out of order, so an older generation is ignored. A group that was deleted
    // and created again has another instance, and its generation starts at 0.
    const isOld = group.instance === watched.seen.instance && generation < watched.seen.generation;
    if (isOld) return;
    watched.seen = group;
    watched.watch.update(group);
    const members = new Set(group.members.map(({ memberId }) => memberId));
    for (const memberId of this.#localMembers.get(groupId) ?? []) {
      if (!members.has(memberId)) this.#forget(groupId, memberId);
    }
  }

  #forget(groupId: string, memberId: string): void {
    this.#localMembers.get(groupId)?.delete(memberId);
    this.#probed.delete(`${groupId}/${memberId}`);
  }

  #newWatch(groupId: string): MemberLiveness {
    return new MemberLiveness({
      clock: this.#clock,
      liveness: this.#liveness,
      onGone: (members) => this.#inBackground(this.#expire(groupId, members)),
      onSilent: (members) => this.#inBackground(this.step(groupId, { kind: 'silent', members })),
      onOverdue: () => this.#inBackground(this.step(groupId, { kind: 'overdue' })),
      probe: () => {
        // A broker that hears the hint skips its own next probe. No broker hears its own hints.
        this.#post({ kind: 'probe', groupId });
        this.#probeLocalMembers(groupId);
      },
    });
  }

  /** Answers the waiting syncs of this broker's members, and posts the next sync of each member. */
  #probeLocalMembers(groupId: string): void {
    for (const memberId of this.#localMembers.get(groupId) ?? []) {
      this.#probed.add(`${groupId}/${memberId}`);
    }
    this.#waiters.wake(groupId);
  }

  #onSync({ groupId, memberId }: MemberRef): void {
    const members = this.#localMembers.get(groupId) ?? new Set();
    this.#localMembers.set(groupId, members.add(memberId));
    this.#watches.get(groupId)?.watch.heard(memberId);
    if (this.#probed.delete(`${groupId}/${memberId}`)) {
      this.#post({ kind: 'alive', groupId, memberId });
    }
  }

  async #expireIfDead(groupId: string, memberId: string): Promise<boolean> {
    const { members } = await this.#read(groupId);
    const member = members.find((candidate) => candidate.memberId === memberId);
    if (member === undefined) return true; // the member has left meanwhile
    if (await this.#liveness.isAlive('client', member.clientId)) return false;
    await this.#expire(groupId, [member]);
    return true;
  }

  /** Removes members whose tab has died, after what it has committed last. */
  async #expire(groupId: string, members: readonly GroupMember[]): Promise<void> {
    await this.#commits.settled(groupId);
    await this.step(groupId, { kind: 'expire', members });
  }

  /**
   * Ignores the failure of work that no call waits for. The next probe, change or join repeats the
   * work.
   */
  #inBackground(work: Promise<unknown>): void {
    work.catch(() => {});
  }
}

function mustView(group: GroupState, member: MemberRef): MemberView {
  mustBeMember(group, member);
  return viewOf(group, member);
}
