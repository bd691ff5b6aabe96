import { FENCED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import type { PartitionAssignment, MemberRef, OffsetCommit } from '../../protocol/group.ts';
import { PartitionState } from './partition-state.ts';

/** Sends the commits of a group's member. */
export interface Committer {
  /**
   * Whoever waits for several committers does so in this order, so that no two wait for each other.
   */
  readonly order: number;
  /** Called when there may be more to commit. */
  progressed(progress: PartitionProgress): void;
  /** Called before a seek, which changes what counts as processed. */
  beforeSeek(progress: PartitionProgress): void;
  /** Resolves when the offset, or a later one, is committed. */
  commit(progress: PartitionProgress, offset: number): Promise<void>;
  /** Resolves when the offset is committed, also where a later one was. */
  commitExactly(progress: PartitionProgress, offset: number, metadata: string): Promise<void>;
  /** Runs `work` while no commit is in flight; later commits wait for it. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** A message, or a batch of messages, that was delivered to the application. */
export interface MessageDelivery {
  readonly offset: number;
  /** The offset after the last message. */
  readonly next: number;
}

/**
 * A commit whose outcome is not known yet: queued, in flight, or part of a transaction. A seek caps
 * what its outcome says: what lies behind the new position is to be committed again.
 */
export interface PendingCommit {
  readonly offset: number;
  /** What to send. Each call takes a new sequence number: of two attempts the later one counts. */
  toSend(): OffsetCommit;
  /** Tells the outcome: stored; or failed, or given up. Only the first call counts. */
  end(isStored: boolean): void;
}

interface TrackedDelivery extends MessageDelivery {
  state: 'inHand' | 'finished' | 'dropped';
}

interface Outcome {
  /** The offset that is committed if the commit is stored; a seek makes it smaller. */
  committed: number;
  readonly isTransaction: boolean;
}

/**
 * What a group's member has done with a partition, from its assignment until it was released or
 * lost: the messages that were delivered, finished and dropped, and the offsets that were
 * committed.
 */
export class PartitionProgress implements PartitionAssignment {
  readonly member: MemberRef;
  readonly committer: Committer;
  readonly topicId: string;
  readonly partition: number;
  readonly assignmentEpoch: number;
  readonly state: PartitionState = new PartitionState('starting');
  readonly #lost = new AbortController();
  /** In the order of offsets; the first one is in hand or dropped. */
  readonly #deliveries: TrackedDelivery[] = [];
  #inHand = 0;
  #processed: number;
  #committed: number;
  /** Of the pending commits, in the order in which they were asked for. */
  readonly #outcomes = new Set<Outcome>();
  /** The sequence number of the last commit. */
  #sequence = 0;
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

  /** The offset that was committed last; after a seek to a smaller one, that one. */
  get committed(): number {
    return this.#committed;
  }

  /** The offset of the last commit that is queued or in flight; without one, `committed`. */
  get pending(): number {
    const last = [...this.#outcomes].findLast(({ isTransaction }) => !isTransaction);
    return last?.committed ?? this.#committed;
  }

  /** Whether a transaction commits the partition: what is committed is not known before it ends. */
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
   * The first message in hand, or dropped, that would not come again after a commit of `offset`;
   * without the messages before the offsets in `except`.
   */
  firstPassedOver(offset: number, except: readonly number[]): number | undefined {
    return this.#deliveries.find(
      ({ next, state }) =>
        next <= offset && state !== 'finished' && !(state === 'inHand' && except.includes(next)),
    )?.offset;
  }

  /** Tracks a delivery of the messages from `offset` up to `next`, which it excludes. */
  deliver(offset: number, next: number): MessageDelivery {
    const delivery: TrackedDelivery = { offset, next, state: 'inHand' };
    this.#deliveries.push(delivery);
    this.#inHand++;
    return delivery;
  }

  /** The application has processed the delivery. */
  finish(delivery: MessageDelivery): void {
    if (this.#end(delivery, 'finished')) this.committer.progressed(this);
  }

  /** The delivery has to come again: it, and later ones, are not committed before a seek. */
  drop(delivery: MessageDelivery): void {
    this.#end(delivery, 'dropped');
  }

  /**
   * Commits that every message before `next` is processed, unless that or a later offset is
   * committed. A transaction that covers `next` is waited for: it may be stored, and its answer be
   * lost, and this commit would take it back.
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
   * Tracks a commit that is part of a transaction. It never goes back behind what is committed, and
   * until it ends, nothing is committed without a word of the application.
   */
  beginTransaction(offset: number, metadata = ''): PendingCommit {
    return this.#begin(offset, metadata, true);
  }

  /** A commit with the next sequence number; the broker keeps the one with the highest. */
  nextCommit(offset: number, metadata = ''): OffsetCommit {
    const { topicId, partition, assignmentEpoch } = this;
    return {
      sequence: ++this.#sequence,
      topicId,
      partition,
      assignmentEpoch,
      offset,
      metadata,
    };
  }

  /**
   * Moves to `offset`. Deliveries of before count no longer; what was processed is committed; and
   * what lies before the new position counts as processed, as in Kafka.
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
   * Waits until every message before the delivery is processed. False where that will not be: an
   * earlier one was dropped, somebody has sought, or the partition is lost.
   */
  async isFirst(delivery: MessageDelivery): Promise<boolean> {
    for (;;) {
      const [oldest] = this.#deliveries;
      const counts = this.#find(delivery) !== undefined && !this.signal.aborted;
      if (!counts || oldest?.state === 'dropped') return false;
      if (oldest === delivery) return true;
      await this.#nextChange();
    }
  }

  /** Nothing more is delivered; messages in hand may be finished and committed. */
  revoke(): void {
    this.state.enter('revoking');
  }

  /** Another member may have the partition now. */
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
    const outcome = { committed: offset, isTransaction };
    const least = (): number => (isTransaction ? this.#committed : 0);
    this.#outcomes.add(outcome);
    return {
      offset,
      toSend: () => this.nextCommit(Math.max(offset, least()), metadata),
      end: (isStored) => {
        if (!this.#outcomes.delete(outcome)) return;
        if (isStored) this.#committed = Math.max(outcome.committed, least());
        this.#changed();
        if (isTransaction && this.#processed > this.pending) this.committer.progressed(this);
      },
    };
  }

  /** Whether a transaction is under way that commits `next`, or more. */
  #coversInTransaction(next: number): boolean {
    return [...this.#outcomes].some((each) => each.isTransaction && each.committed >= next);
  }

  /** False where a seek has made the delivery count no longer. */
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
