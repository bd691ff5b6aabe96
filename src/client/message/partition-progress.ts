import { FENCED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import type { PartitionAssignment, MemberRef, OffsetCommit } from '../../protocol/group.ts';
import { PartitionState } from './partition-state.ts';
import type { MessageDelivery, PendingCommit } from './pending-commit.ts';

/** Sends the commits of a group member (Kafka's `CommitRequestManager`). */
export interface Committer {
  /**
   * The lock order of committers. A caller that waits for several takes them in this order, so that
   * no two callers wait for each other.
   */
  readonly order: number;
  /** Called when there may be more offsets to commit. */
  progressed(progress: PartitionProgress): void;
  /** Called before a seek, which changes the processed offset. */
  beforeSeek(progress: PartitionProgress): void;
  /** Resolves when the offset, or a later one, is committed. */
  commit(progress: PartitionProgress, offset: number): Promise<void>;
  /** Resolves when this very offset is committed, also where a later one was. */
  commitExactly(progress: PartitionProgress, offset: number, metadata: string): Promise<void>;
  /** Runs `work` while no commit is in flight; later commits wait until `work` has ended. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * The sequence number of the tab's last commit. One counter serves all partitions, because a member
 * whose leave was lost rejoins in its old epochs, where a count from 1 would look late.
 */
let lastSequence = 0;

interface TrackedDelivery extends MessageDelivery {
  state: 'inHand' | 'finished' | 'dropped';
}

interface Outcome {
  /** The offset that is committed if the commit is stored. A seek can make this offset smaller. */
  committed: number;
  readonly isTransaction: boolean;
  readonly toSend: () => OffsetCommit;
}

/**
 * A group member's progress in a partition, from its assignment until it is released or lost: the
 * messages that were delivered, finished and dropped, and the offsets that were committed (part of
 * Kafka's `TopicPartitionState`).
 */
export class PartitionProgress implements PartitionAssignment {
  readonly member: MemberRef;
  readonly committer: Committer;
  readonly topicId: string;
  readonly partition: number;
  readonly assignmentEpoch: number;
  readonly state: PartitionState = new PartitionState('starting');
  readonly #lost = new AbortController();
  /** Deliveries in the order of offsets. The first one is in hand or dropped. */
  readonly #deliveries: TrackedDelivery[] = [];
  #inHand = 0;
  #processed: number;
  #committed: number;
  /** The outcomes of the pending commits, in the order of their requests. */
  readonly #outcomes = new Set<Outcome>();
  #change: Deferred | undefined;

  constructor(
    member: MemberRef,
    { topicId, partition, assignmentEpoch }: PartitionAssignment,
    offset: number,
    committer: Committer,
  ) {
    this.member = member;
    this.committer = committer;
    this.topicId = topicId;
    this.partition = partition;
    this.assignmentEpoch = assignmentEpoch;
    this.#committed = offset;
    this.#processed = offset;
  }

  /** Aborts when another member may have the partition. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether another member waits for the partition. */
  get isRevoking(): boolean {
    return this.state.isRevoking;
  }

  /** The offset before which every message is processed. */
  get processed(): number {
    return this.#processed;
  }

  /** The offset that was committed last. A seek to a smaller offset lowers it to that offset. */
  get committed(): number {
    return this.#committed;
  }

  /** The offset of the last commit that is queued or in flight; `committed` if there is none. */
  get pending(): number {
    const last = [...this.#outcomes].findLast(({ isTransaction }) => !isTransaction);
    return last?.committed ?? this.#committed;
  }

  /** Whether a commit outside of transactions is queued or in flight. */
  get hasPending(): boolean {
    return [...this.#outcomes].some(({ isTransaction }) => !isTransaction);
  }

  /** Whether an open transaction commits the partition: `committed` is unknown until it ends. */
  get isInTransaction(): boolean {
    return this.#coversInTransaction(0);
  }

  /** The number of messages, or batches of messages, in the application's hands. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Whether nothing is in the application's hands. */
  get isIdle(): boolean {
    return this.#inHand === 0;
  }

  /** The offset after the messages that were delivered and not dropped. */
  get delivered(): number {
    const dropped = this.#deliveries.findIndex(({ state }) => state === 'dropped');
    const kept = dropped === -1 ? this.#deliveries : this.#deliveries.slice(0, dropped);
    return kept.at(-1)?.next ?? this.#processed;
  }

  /**
   * The first message, in hand or dropped, that a commit of `offset` would skip. Messages in hand
   * whose next offset is in `except` are ignored.
   */
  firstPassedOver(offset: number, except: readonly number[]): number | undefined {
    return this.#deliveries.find(
      ({ next, state }) =>
        next <= offset && state !== 'finished' && !(state === 'inHand' && except.includes(next)),
    )?.offset;
  }

  /** Tracks a delivery of the messages from `offset` up to, and without, `next`. */
  deliver(offset: number, next: number): MessageDelivery {
    const delivery: TrackedDelivery = { offset, next, state: 'inHand' };
    this.#deliveries.push(delivery);
    this.#inHand++;
    return delivery;
  }

  /** Notes that the application has processed the delivery. */
  finish(delivery: MessageDelivery): void {
    if (this.#end(delivery, 'finished')) this.committer.progressed(this);
  }

  /** Drops a delivery. Dropped and later deliveries come again; none is committed before a seek. */
  drop(delivery: MessageDelivery): void {
    this.#end(delivery, 'dropped');
  }

  /**
   * Commits every message before `next` as processed, unless `next` or a later offset is committed.
   * Waits for a transaction that covers `next`: the transaction may be stored although its answer
   * was lost, and this commit would take its offset back.
   */
  async commit(next: number): Promise<void> {
    while (next > this.#committed && this.#coversInTransaction(next)) await this.#nextChange();
    if (next > this.#committed) await this.committer.commit(this, Math.max(next, this.pending));
  }

  /** Tracks a commit that is queued or in flight. */
  beginCommit(offset: number, metadata = ''): PendingCommit {
    return this.#begin(offset, metadata, false);
  }

  /**
   * Tracks a commit that is part of a transaction. Such a commit never lowers the committed offset.
   * Until it ends, only the application's own calls commit.
   */
  beginTransaction(offset: number, metadata = ''): PendingCommit {
    return this.#begin(offset, metadata, true);
  }

  /**
   * The commit of a member that may not get to send another: of the processed offset, or once more the
   * last pending commit where that covers it, which a smaller offset with a later number would take
   * back. `undefined` where all is committed, or a transaction is open, which may commit more.
   */
  lastCommit(): OffsetCommit | undefined {
    if (this.#processed <= this.#committed || this.isInTransaction) return undefined;
    const last = [...this.#outcomes].at(-1);
    const isCovered = last !== undefined && last.committed >= this.#processed;
    return isCovered ? last.toSend() : this.nextCommit(this.#processed);
  }

  /** A commit with the next sequence number. The broker keeps the highest-numbered commit. */
  nextCommit(offset: number, metadata = ''): OffsetCommit {
    const { topicId, partition, assignmentEpoch } = this;
    return {
      sequence: ++lastSequence,
      topicId,
      partition,
      assignmentEpoch,
      offset,
      metadata,
    };
  }

  /**
   * Moves to `offset`. The processed offset is committed first, and all deliveries are forgotten.
   * Messages before the new position count as processed, as in Kafka.
   */
  seek(offset: number): void {
    this.committer.beforeSeek(this);
    this.state.seek();
    this.#deliveries.length = 0;
    this.#inHand = 0;
    this.#processed = offset;
    this.#committed = Math.min(this.#committed, offset);
    for (const outcome of this.#outcomes) {
      outcome.committed = Math.min(outcome.committed, offset);
    }
    this.#changed();
  }

  /** Resolves when nothing is in the application's hands. */
  async idle(): Promise<void> {
    while (!this.isIdle) await this.#nextChange();
  }

  /**
   * Waits until every message before the delivery is processed. Resolves with false where that
   * cannot happen: an earlier message was dropped, a seek has moved the partition, or the partition
   * is lost.
   */
  async isFirst(delivery: MessageDelivery): Promise<boolean> {
    for (;;) {
      const [oldest] = this.#deliveries;
      const isTracked = this.#find(delivery) !== undefined && !this.signal.aborted;
      if (!isTracked || oldest?.state === 'dropped') return false;
      if (oldest === delivery) return true;
      await this.#nextChange();
    }
  }

  /** Stops deliveries for a revocation. Messages in hand may still be finished and committed. */
  revoke(): void {
    this.state.enter('revoking');
  }

  /** Ends the progress, because another member may have the partition now. */
  lose(): void {
    this.state.enter('lost');
    this.#lost.abort();
    this.#changed();
  }

  /** The error of commits after the partition was lost. */
  lostError(): TablogError {
    const { partition } = this;
    const { groupId: group, memberId: member } = this.member;
    return new TablogError(FENCED, `the member '${member}' has lost partition ${partition}`, {
      details: { group, member, partition },
    });
  }

  #begin(offset: number, metadata: string, isTransaction: boolean): PendingCommit {
    const minOffset = (): number => (isTransaction ? this.#committed : 0);
    const toSend = (): OffsetCommit => this.nextCommit(Math.max(offset, minOffset()), metadata);
    const outcome = { committed: offset, isTransaction, toSend };
    this.#outcomes.add(outcome);
    return {
      offset,
      toSend,
      end: (isStored) => {
        if (!this.#outcomes.delete(outcome)) return;
        if (isStored) this.#committed = Math.max(outcome.committed, minOffset());
        this.#changed();
        if (isTransaction && this.#processed > this.pending) this.committer.progressed(this);
      },
    };
  }

  /** Whether an open transaction commits `next`, or a later offset. */
  #coversInTransaction(next: number): boolean {
    return [...this.#outcomes].some((each) => each.isTransaction && each.committed >= next);
  }

  /** Ends a delivery. Returns false where a seek has forgotten the delivery. */
  #end(delivery: MessageDelivery, state: 'finished' | 'dropped'): boolean {
    const tracked = this.#find(delivery);
    if (tracked === undefined) return false;
    tracked.state = state;
    this.#inHand--;
    while (this.#deliveries[0]?.state === 'finished') {
      this.#processed = this.#deliveries.shift()!.next;
    }
    this.#changed();
    return true;
  }

  #find(delivery: MessageDelivery): TrackedDelivery | undefined {
    return this.#deliveries.find((tracked) => tracked === delivery);
  }

  #nextChange(): Promise<void> {
    return (this.#change ??= deferred()).promise;
  }

  #changed(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}
