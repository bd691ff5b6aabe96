import { abortable } from '../../base/abortable.ts';
import { deferred } from '../../base/deferred.ts';
import { closed, isFenced, maySucceedLater, toTablogError } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import type { AssignorName, CommitRequest, MemberRef, MemberView } from '../../protocol/group.ts';
import type { Assignment } from '../fetch/manual-assignment.ts';
import { checkExist } from '../fetch/manual-assignment.ts';
import type { Connection } from '../connection/connection.ts';
import { LISTENER_GRACE_MS } from '../fetch/consumer-events.ts';
import { Absence } from './absence.ts';
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
  /** null: the assignor of the group. */
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
  /** Called when every target partition of the member has a position. */
  readonly onPositioned: () => void;
  /** Called with the error that ends the membership for good. */
  readonly onEnd: (error: TablogError) => void;
}

/** The shortest long poll, whatever the timeouts. */
const MIN_POLL_MS = 25;

/**
 * A consumer's membership of its group (Kafka's `ConsumerMembershipManager`, KIP-848): joins,
 * follows the group's changes by a long poll, and joins again when the member was removed. The poll
 * is the heartbeat as well.
 */
export class GroupMember implements Assignment {
  readonly #options: GroupMemberOptions;
  readonly #connection: Connection;
  readonly #committer: OffsetCommitter;
  readonly #reconciler: AssignmentReconciler;
  readonly #closing = new AbortController();
  readonly #failure = deferred<TablogError>();
  readonly #ready = deferred();
  readonly #absence = new Absence();
  #cancelGrace: (() => void) | undefined;
  #member: MemberRef | undefined;
  /** The client id under which the member joined. The group drops members of an earlier id. */
  #joinedAs: string | undefined;
  /** The time until which the broker cannot have removed the member for its silence. */
  #leaseUntil = 0;
  #cancelPollInterval: (() => void) | undefined;
  #hasFailed = false;
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
      // The page is about to be frozen: other members take over its partitions at once.
      const freeze = (): void => this.#stayOut('frozen');
      onFreeze(freeze, () => this.#absence.end('frozen'), this.#closing.signal);
    }
  }

  async start(): Promise<void> {
    const { group, topicMetadata, selection } = this.#options;
    const policy = { signal: this.#closing.signal };
    if (group.mustExist) {
      checkExist(selection, await retry(this.#connection, policy, () => topicMetadata.list()));
    }
    // After a join only `close` could leave the group, and `close` has already run.
    if (policy.signal.aborted) throw closed('consumer', this.#connection.closed);
    // A retry is safe: where the answer to a join was lost, the broker gives the client the same
    // answer again.
    await retry(this.#connection, policy, () => this.#join());
    void this.#followGroup();
    const failure = await Promise.race([this.#ready.promise, this.#failure.promise]);
    if (failure !== undefined) throw failure;
  }

  /**
   * Resolves `ready`, after a grace period also while listeners run: a listener may be waiting for
   * `ready`.
   */
  #progressed(): void {
    if (!this.#reconciler.isPositioned || this.#closing.signal.aborted) return;
    this.#options.onPositioned();
    const setReady = (): void => this.#setReady();
    if (this.#reconciler.isComplete) setReady();
    else this.#cancelGrace ??= this.#connection.clock.after(LISTENER_GRACE_MS, setReady);
  }

  #setReady(): void {
    this.#cancelGrace?.();
    this.#cancelGrace = () => {};
    this.#ready.resolve();
  }

  /**
   * Whether the member is certainly in the group. A tab that slept, or lost its liveness lock, may
   * have been removed, so the member syncs or joins before messages are delivered again.
   */
  mayDeliver(): boolean {
    const { clock, clientId } = this.#connection;
    return clock.now() < this.#leaseUntil && clientId === this.#joinedAs;
  }

  /**
   * After a loop has ended with an error, the application has `maxPollIntervalMs` to begin another,
   * as between two polls in Kafka. Without a loop the member leaves: otherwise nobody would read
   * its partitions.
   */
  setPolling(isPolling: boolean): void {
    this.#cancelPollInterval?.();
    if (isPolling) this.#absence.end('notPolled');
    else if (!this.#hasFailed && !this.#closing.signal.aborted) {
      const { maxPollIntervalMs } = this.#options.group;
      const timedOut = (): void => this.#stayOut('notPolled');
      this.#cancelPollInterval = this.#connection.clock.after(maxPollIntervalMs, timedOut);
    }
  }

  /**
   * Commits the processed offsets, and leaves the group, so that other members take over at once.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#failure.resolve(closed('consumer', this.#connection.closed)); // rejects a pending start()
    this.#cancelGrace?.();
    this.#cancelPollInterval?.();
    this.#absence.close();
    // A join in flight may still make the consumer a member that has to leave.
    await this.#joining?.catch(() => {});
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

  /** Follows the group until the consumer closes or fails. */
  async #followGroup(): Promise<void> {
    const { signal } = this.#closing;
    const backOff = new BackOff(this.#connection, signal);
    while (!signal.aborted) {
      try {
        if (this.#member === undefined) await this.#rejoin();
        await this.#sync();
        backOff.succeeded();
      } catch (error) {
        if (signal.aborted) return;
        if (isFenced(error)) {
          this.#dropMembership();
          await backOff.failedAgain(); // a broker may take each of its members for dead at once
        } else if (maySucceedLater(error) && error.code !== 'MEMBER_EXISTS') {
          await backOff.failed(); // but a member name that is taken stays taken
        } else {
          return this.#fail(toTablogError(error));
        }
      }
    }
  }

  #join(): Promise<void> {
    return (this.#joining = this.#joinGroup());
  }

  async #joinGroup(): Promise<void> {
    const { group, selection } = this.#options;
    const { group: groupId, memberId, assignor, sessionTimeoutMs, rebalanceTimeoutMs } = group;
    const { clientId, clock } = this.#connection;
    const sentAt = clock.now();
    const view = await this.#connection.call('joinGroup', {
      groupId,
      memberId,
      clientId,
      subscription: selection.subscription,
      assignor,
      hidden: this.#isHidden(),
      sessionTimeoutMs,
      rebalanceTimeoutMs,
    });
    this.#member = { groupId, instance: view.instance, memberId, memberEpoch: view.memberEpoch };
    this.#joinedAs = clientId;
    if (this.#closing.signal.aborted) return; // #close() leaves the group
    if (this.#absence.isAway) return void this.#leaveNow(); // as it began while joining
    this.#applyView(this.#member, view, sentAt);
  }

  /**
   * Joins again, once the application has finished the messages of lost partitions, and the member
   * need not stay out.
   */
  async #rejoin(): Promise<void> {
    // Closing ends the wait; the application's messages do not keep a consumer from closing.
    await abortable(this.#closing.signal, this.#reconciler.lostIdle()).catch(() => {});
    await this.#absence.over();
    if (!this.#closing.signal.aborted) await this.#join();
  }

  async #sync(): Promise<void> {
    const member = this.#member;
    const { clientId, clock } = this.#connection;
    if (member === undefined || this.#joinedAs !== clientId) return this.#leaveNow();
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options.group;
    // The interval suits both timeouts, in case the hint of a group change is lost.
    const pollMs = Math.max(Math.min(sessionTimeoutMs, rebalanceTimeoutMs) / 4, MIN_POLL_MS);
    // A member that has slept for too long needs the answer at once.
    const maxWaitMs = this.mayDeliver() ? pollMs : 0;
    const sentAt = clock.now();
    const request = {
      member,
      generation: this.#reconciler.generation,
      hidden: this.#isHidden(),
      maxWaitMs,
    };
    const view = await this.#connection.call('syncGroup', request, maxWaitMs);
    if (this.#member === member) this.#applyView(member, view, sentAt);
  }

  #applyView(member: MemberRef, view: MemberView, sentAt: number): void {
    this.#leaseUntil = sentAt + this.#options.group.sessionTimeoutMs;
    this.#reconciler.apply(member, view);
  }

  #dropMembership(): void {
    this.#member = undefined;
    this.#reconciler.loseAll();
    this.#options.onChange();
  }

  /**
   * Ends the consumer after a permanent error. The member leaves, so that other members get its
   * partitions at once.
   */
  #fail(error: TablogError): void {
    this.#hasFailed = true;
    void this.#leaveNow();
    this.#options.onEnd(error);
    this.#failure.resolve(error);
  }

  #stayOut(why: 'frozen' | 'notPolled'): void {
    this.#absence.begin(why);
    void this.#leaveNow();
  }

  /** Leaves in one message, posted synchronously, because the page may be in its last turn. */
  async #leaveNow(): Promise<void> {
    const member = this.#member;
    if (member === undefined) return;
    const offsets = this.#committer.uncommitted(this.#reconciler.holds);
    const request: CommitRequest = { member, offsets };
    this.#dropMembership();
    // Where the call fails, the group removes the silent member after `sessionTimeoutMs`.
    await this.#connection.call('leaveGroup', request).catch(() => {});
  }

  #isHidden(): boolean {
    return this.#options.group.placement === 'visible' && isHidden();
  }
}
