import { FENCED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import type { PartitionAssignment, MemberRef, OffsetCommit } from '../../protocol/group.ts';

/** Who commits what is processed. */
export interface Committer {
  /** For who has to wait for several: always in this order, so that no two wait for each other. */
  readonly order: number;
  /** More has been processed. */
  progressed(progress: PartitionProgress): void;
  /** What is processed so far is to be committed, though the hold counts from elsewhere soon. */
  keep(progress: PartitionProgress): void;
  /** Resolves when it is stored, or more. */
  commit(progress: PartitionProgress, offset: number): Promise<void>;
  /** Resolves when it is stored, though it be less than was. */
  commitExactly(progress: PartitionProgress, offset: number, metadata: string): Promise<void>;
  /** Runs `work` when no commit is under way; the next one waits for it. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** A message, or a batch of them, that was handed out. */
export interface Handed {
  readonly offset: number;
  /** The offset after it. */
  readonly next: number;
  state: 'inHand' | 'processed' | 'dropped';
}

/**
 * A member's hold on a partition, from when it got it until it gave it up or lost it: which messages
 * are in the application's hands, and how far all of them are processed.
 */
export class PartitionProgress implements PartitionAssignment {
  readonly member: MemberRef;
  readonly committer: Committer;
  readonly topicId: string;
  readonly partition: number;
  readonly assignmentEpoch: number;
  /** It is to be given up; nothing more is handed out. */
  revoking = false;
  /** What was committed last. */
  committed: number;
  /** What is being committed, or is to be next; else as `committed`. */
  asked: number;
  /** How many commits were sent. */
  commits = 0;
  /** Transactions under way that commit some of it: what is committed is not known before they end. */
  transactions = 0;
  /** How often somebody has sought. */
  restarts = 0;
  readonly #lost = new AbortController();
  /** In the order of the offsets. */
  readonly #handed: Handed[] = [];
  #inHand = 0;
  #processed: number;
  #change: Deferred | undefined;

  constructor(
    member: MemberRef,
    { topicId, partition, assignmentEpoch: epoch }: PartitionAssignment,
    offset: number,
    committer: Committer,
  ) {
    this.member = member;
    this.committer = committer;
    this.topicId = topicId;
    this.partition = partition;
    this.assignmentEpoch = epoch;
    this.committed = offset;
    this.asked = offset;
    this.#processed = offset;
  }

  /** Aborts when somebody else may have the partition. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** The offset up to which everything is processed. */
  get processed(): number {
    return this.#processed;
  }

  /** How many messages, or batches of them, are in the application's hands. */
  get inHand(): number {
    return this.#inHand;
  }

  /** The offset after what was handed out, as far as nothing before it has to come again. */
  get delivered(): number {
    const dropped = this.#handed.findIndex(({ state }) => state === 'dropped');
    const kept = dropped === -1 ? this.#handed : this.#handed.slice(0, dropped);
    return kept.at(-1)?.next ?? this.#processed;
  }

  /** Whether more of it may be handed out. */
  get isOpen(): boolean {
    return !this.revoking && !this.signal.aborted;
  }

  /** Whether nothing is in the application's hands. */
  get isIdle(): boolean {
    return this.#inHand === 0;
  }

  /** The message at `offset` goes to the application; the one after it is at `next`. */
  begin(offset: number, next: number): Handed {
    const handed: Handed = { offset, next, state: 'inHand' };
    this.#handed.push(handed);
    this.#inHand++;
    return handed;
  }

  /**
   * The application has done with it; or it was dropped, and has to come again: what comes after it
   * does not count before a seek.
   */
  end(handed: Handed, state: 'processed' | 'dropped'): void {
    if (!this.#handed.includes(handed)) return; // somebody has sought meanwhile
    handed.state = state;
    this.#inHand--;
    while (this.#handed[0]?.state === 'processed') this.#processed = this.#handed.shift()!.next;
    this.#changed();
    if (state === 'processed') this.committer.progressed(this);
  }

  /** Commits that everything before `next` is processed, unless that far is committed already. */
  async commit(next: number): Promise<void> {
    if (next > this.committed) await this.committer.commit(this, Math.max(next, this.asked));
  }

  /**
   * Somebody seeks: what is in hand counts no longer; what is processed is committed, and what lies
   * before the new place counts as processed, as in Kafka.
   */
  restart(offset: number): void {
    this.committer.keep(this);
    this.restarts++;
    this.#handed.length = 0;
    this.#inHand = 0;
    this.#processed = offset;
    this.committed = Math.min(this.committed, offset);
    this.asked = Math.min(this.asked, offset);
    this.#changed();
  }

  /** Resolves when it is idle. */
  async idle(): Promise<void> {
    while (!this.isIdle) await this.#nextChange();
  }

  /**
   * Waits until everything before the message is processed; `false` where that will not be: something
   * before it was dropped, somebody has sought, or the partition is lost.
   */
  async isFirst(handed: Handed): Promise<boolean> {
    for (;;) {
      const [oldest] = this.#handed;
      const counts = this.#handed.includes(handed) && !this.signal.aborted;
      if (!counts || oldest?.state === 'dropped') return false;
      if (oldest === handed) return true;
      await this.#nextChange();
    }
  }

  /** Somebody else may have the partition now. */
  lose(): void {
    this.#lost.abort();
    this.#changed();
  }

  #nextChange(): Promise<void> {
    return (this.#change ??= deferred()).promise;
  }

  #changed(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}

/** What who commits gets, where the partition was taken away. */
export function lost({ member, partition }: PartitionProgress): TablogError {
  const { groupId: group, memberId } = member;
  return new TablogError(FENCED, `the member '${memberId}' has lost partition ${partition}`, {
    details: { group, member: memberId, partition },
  });
}

/** What the store is asked to commit: numbered, so that it can tell the later one. */
export function toCommit(progress: PartitionProgress, offset: number, metadata = ''): OffsetCommit {
  const { topicId, partition, assignmentEpoch: epoch } = progress;
  return {
    sequence: ++progress.commits,
    topicId,
    partition,
    assignmentEpoch: epoch,
    offset,
    metadata,
  };
}
