import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { closed, isFenced, maySucceedLater, toTablogError } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import type { AssignorName, CommitRequest, MemberRef, MemberView } from '../../protocol/group.ts';
import type { Assignment } from '../fetch/manual-assignment.ts';
import { checkExist } from '../fetch/manual-assignment.ts';
import type { Connection } from '../connection/connection.ts';
import { LISTENER_GRACE_MS } from '../fetch/consumer-events.ts';
import { AssignmentReconciler } from './assignment-reconciler.ts';
import type { AssignmentReconcilerOptions } from './assignment-reconciler.ts';
import { OffsetCommitter } from './offset-committer.ts';
import type { CommitMode } from './offset-committer.ts';
import { isHidden, onFreeze } from '../../platform/page-lifecycle.ts';
import { BackOff, retry } from '../../platform/retry.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { TopicSubscription } from '../fetch/topic-subscription.ts';

export interface GroupOptions {
  readonly group: string;
  readonly memberId: string;
  readonly commit: CommitMode;
  /** null: the group's. */
  readonly assignor: AssignorName | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly maxPollIntervalMs: number;
  readonly placement: 'visible' | 'any';
  readonly mustExist: boolean;
}

export interface GroupMemberOptions extends Omit<
  AssignmentReconcilerOptions,
  'committer' | 'releaseTimeoutMs'
> {
  readonly group: GroupOptions;
  readonly topicMetadata: TopicMetadata;
  readonly selection: TopicSubscription;
  /** Called when every partition that the member is meant to have has its place. */
  readonly onPositioned: () => void;
  /** It can be a member no longer, and this is why. */
  readonly onEnd: (error: TablogError) => void;
}

/** The page stands still, or no loop polls any more. */
type Absence = 'frozen' | 'notPolled';

/** A poll is no shorter, whatever the timeouts. */
const MIN_POLL_MS = 25;

/**
 * A consumer's membership of its group: joins, follows the group's changes by a long poll, and
 * joins again when it was removed. The poll is its sign of life as well.
 */
export class GroupMember implements Assignment {
  readonly #options: GroupMemberOptions;
  readonly #connection: Connection;
  readonly #committer: OffsetCommitter;
  readonly #reconciler: AssignmentReconciler;
  readonly #closing = new AbortController();
  readonly #ended = deferred<TablogError>();
  readonly #ready = deferred();
  #cancelGrace: (() => void) | undefined;
  #member: MemberRef | undefined;
  /** Until when nobody can have removed it for being silent. */
  #leaseUntil = 0;
  /** Why the member stays out of the group for now. */
  readonly #absences = new Set<Absence>();
  /** Resolves when it may join again; `undefined` while it need not stay out. */
  #absence: Deferred | undefined;
  #cancelPollInterval: (() => void) | undefined;
  #isEnded = false;
  #joining: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#connection = options.connection;
    const { connection, group, onError } = options;
    this.#committer = new OffsetCommitter({ connection, mode: group.commit, onError });
    this.#reconciler = new AssignmentReconciler({
      ...options,
      committer: this.#committer,
      releaseTimeoutMs: options.group.rebalanceTimeoutMs / 2, // before the group fences the member
      onChange: () => {
        this.#progressed();
        options.onChange();
      },
    });
    const post = (): void => this.#committer.postNow(this.#reconciler.holds);
    connection.page.onLeave(post, this.#closing.signal);
    if (options.group.placement === 'visible') {
      // The page is about to stand still: others take over at once.
      const freeze = (): void => this.#stayOut('frozen');
      onFreeze(freeze, () => this.#comeBack('frozen'), this.#closing.signal);
    }
  }

  async start(): Promise<void> {
    const { group, topicMetadata, selection } = this.#options;
    const { signal } = this.#closing;
    const policy = { signal };
    if (group.mustExist) {
      checkExist(selection, await retry(this.#connection, policy, () => topicMetadata.list()));
    }
    // Once it has joined, it would be for `close` to leave, and that is over.
    if (signal.aborted) throw closed('consumer', this.#connection.closed);
    // A member whose answer was lost has joined, and the broker gives its client the answer again.
    await retry(this.#connection, policy, () => this.#join());
    void this.#live();
    const ended = await Promise.race([this.#ready.promise, this.#ended.promise]);
    if (ended !== undefined) throw ended;
  }

  /** Settles `ready` without its listeners where one of them may be waiting for it. */
  #progressed(): void {
    if (!this.#reconciler.isPositioned || this.#closing.signal.aborted) return;
    this.#options.onPositioned();
    const isReady = (): void => this.#isReady();
    if (this.#reconciler.isComplete) isReady();
    else this.#cancelGrace ??= this.#connection.clock.after(LISTENER_GRACE_MS, isReady);
  }

  #isReady(): void {
    this.#cancelGrace?.();
    this.#cancelGrace = () => {};
    this.#ready.resolve();
  }

  /** A tab that slept may have been removed meanwhile: it asks before it goes on. */
  mayDeliver(): boolean {
    return this.#connection.clock.now() < this.#leaseUntil;
  }

  /**
   * After a loop has ended with an error the member has a while to begin another, as between two
   * polls in Kafka: else its partitions would be read by nobody.
   */
  setPolling(isPolling: boolean): void {
    this.#cancelPollInterval?.();
    if (isPolling) this.#comeBack('notPolled');
    else if (!this.#isEnded && !this.#closing.signal.aborted) {
      const { maxPollIntervalMs } = this.#options.group;
      const late = (): void => this.#stayOut('notPolled');
      this.#cancelPollInterval = this.#connection.clock.after(maxPollIntervalMs, late);
    }
  }

  /** Commits what is processed, and leaves, so that others go on at once. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#ended.resolve(closed('consumer', this.#connection.closed)); // for its listeners
    this.#cancelGrace?.();
    this.#cancelPollInterval?.();
    this.#absence?.resolve();
    await this.#joining?.catch(() => {}); // so that it is known what there is to leave
    try {
      if (this.#member !== undefined) {
        await this.#reconciler.revokeAll(this.#options.group.rebalanceTimeoutMs);
      }
    } finally {
      try {
        await this.#leave();
      } finally {
        this.#reconciler.loseAll();
        this.#committer.close();
      }
    }
  }

  async #leave(): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    if (member === undefined || this.#connection.closed.aborted) return;
    await this.#connection.call('leaveGroup', { member, offsets: [] });
  }

  /** Follows the group until the consumer closes. */
  async #live(): Promise<void> {
    const { signal } = this.#closing;
    const backOff = new BackOff(this.#connection, signal);
    while (!signal.aborted) {
      try {
        if (this.#member === undefined) await this.#rejoin();
        else await this.#sync(this.#member);
        backOff.succeeded();
      } catch (error) {
        if (signal.aborted) return;
        if (isFenced(error)) this.#removed();
        // A name that another member has is the user's to change.
        else if (maySucceedLater(error) && error.code !== 'MEMBER_EXISTS') await backOff.failed();
        else return this.#end(toTablogError(error));
      }
    }
  }

  #join(): Promise<void> {
    return (this.#joining = this.#joinGroup());
  }

  async #joinGroup(): Promise<void> {
    const { group, selection } = this.#options;
    const { group: groupId, memberId, assignor, sessionTimeoutMs, rebalanceTimeoutMs } = group;
    const asked = this.#connection.clock.now();
    const view = await this.#connection.call('joinGroup', {
      groupId,
      memberId,
      clientId: this.#connection.clientId,
      subscription: selection.subscription,
      assignor,
      hidden: this.#isHidden(),
      sessionTimeoutMs,
      rebalanceTimeoutMs,
    });
    this.#member = { groupId, instance: view.instance, memberId, memberEpoch: view.memberEpoch };
    if (this.#closing.signal.aborted) return; // `close` leaves
    this.#heard(this.#member, view, asked);
  }

  /** Not while the application works at what was lost, nor while the member stays out. */
  async #rejoin(): Promise<void> {
    const closing = new Promise<void>((resolve) => {
      this.#closing.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#reconciler.lostIdle(), closing]);
    await this.#absence?.promise;
    if (!this.#closing.signal.aborted) await this.#join();
  }

  async #sync(member: MemberRef): Promise<void> {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options.group;
    // Often enough for either, should the hint that the group has changed be lost.
    const patience = Math.max(Math.min(sessionTimeoutMs, rebalanceTimeoutMs) / 4, MIN_POLL_MS);
    // Who has slept for too long wants to know at once.
    const maxWaitMs = this.mayDeliver() ? patience : 0;
    const asked = this.#connection.clock.now();
    const request = {
      member,
      generation: this.#reconciler.generation,
      hidden: this.#isHidden(),
      maxWaitMs,
    };
    const view = await this.#connection.call('syncGroup', request, maxWaitMs);
    if (this.#member === member) this.#heard(member, view, asked);
  }

  #heard(member: MemberRef, view: MemberView, asked: number): void {
    this.#leaseUntil = asked + this.#options.group.sessionTimeoutMs;
    this.#reconciler.apply(member, view);
  }

  #removed(): void {
    this.#member = undefined;
    this.#reconciler.loseAll();
    this.#options.onChange();
  }

  /** An error that does not pass ends the consumer: others get its partitions at once. */
  #end(error: TablogError): void {
    this.#isEnded = true;
    this.#leaveNow();
    this.#options.onEnd(error);
    this.#ended.resolve(error);
  }

  #stayOut(why: Absence): void {
    this.#absences.add(why);
    this.#absence ??= deferred();
    this.#leaveNow();
  }

  #comeBack(why: Absence): void {
    this.#absences.delete(why);
    if (this.#absences.size > 0) return;
    this.#absence?.resolve();
    this.#absence = undefined;
  }

  /** Leaves in one message, sent synchronously: the page may be in its last turn. */
  #leaveNow(): void {
    const member = this.#member;
    if (member === undefined) return;
    const offsets = this.#committer.uncommitted(this.#reconciler.holds);
    const request: CommitRequest = { member, offsets };
    this.#removed();
    // Where it fails, the group finds out by itself that nobody answers.
    this.#connection.call('leaveGroup', request).catch(() => {});
  }

  #isHidden(): boolean {
    return this.#options.group.placement === 'visible' && isHidden();
  }
}
