import type { Clock } from '../../platform/clock.ts';
import { TablogError, closed, isAway, isGone, maySucceedLater } from '../../base/error.ts';
import { retry } from '../../platform/retry.ts';
import type { OffsetCommit } from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';
import type { Committer, PartitionProgress, PendingCommit } from '../message/partition-progress.ts';

/**
 * When what was processed is committed. 'processed': at once, in the background; `everyMs`: that
 * often, in milliseconds; 'manual': when the application says so.
 */
export type CommitMode = 'processed' | 'manual' | { readonly everyMs: number };

/** The number of committers of this tab, for their order. */
let committers = 0;

/** The next commit of a partition, until the one in flight has its answer. */
interface QueuedCommit {
  commit: PendingCommit;
  /** Whether the offset is sent also where a later one is committed. */
  isExact: boolean;
  readonly settled: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface OffsetCommitterOptions {
  readonly connection: Connection;
  readonly mode: CommitMode;
  /** A commit that nobody waits for failed, for another reason than that the partition was lost. */
  readonly onError: (error: unknown) => void;
}

/**
 * Commits a member's offsets: one call at a time, so that no commit overtakes another. Commits that
 * are asked for meanwhile are queued, and go together in the next call.
 */
export class OffsetCommitter implements Committer {
  readonly order: number = ++committers;
  readonly #options: OffsetCommitterOptions;
  readonly #clock: Clock;
  #queue = new Map<PartitionProgress, QueuedCommit>();
  /** Partitions in which more may be processed than is committed. */
  readonly #processed = new Set<PartitionProgress>();
  /** The last call, or other work of `alone`: settled when nothing is in flight. */
  #last: Promise<void> = Promise.resolve();
  #sending = false;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(options: OffsetCommitterOptions) {
    this.#options = options;
    this.#clock = options.connection.clock;
  }

  progressed(progress: PartitionProgress): void {
    const { mode } = this.#options;
    if (mode === 'manual' || this.#isClosed) return;
    this.#processed.add(progress);
    if (mode === 'processed') {
      if (!this.#sending) void this.#sendProcessed();
    } else {
      this.#cancelTimer ??= this.#clock.after(mode.everyMs, () => {
        this.#cancelTimer = undefined;
        void this.#sendProcessed();
      });
    }
  }

  /** Commits `offset`, unless a later one is committed when it is to be sent. */
  commit(progress: PartitionProgress, offset: number): Promise<void> {
    return this.#enqueue(progress, offset, '', false);
  }

  commitExactly(progress: PartitionProgress, offset: number, metadata: string): Promise<void> {
    return this.#enqueue(progress, offset, metadata, true);
  }

  /** Of several commits of a partition the last one is sent; all of them settle alike. */
  #enqueue(
    progress: PartitionProgress,
    offset: number,
    metadata: string,
    isExact: boolean,
  ): Promise<void> {
    if (this.#isClosed) return Promise.reject(this.#closedError());
    const commit = progress.beginCommit(offset, metadata);
    const queued = this.#queue.get(progress);
    if (queued !== undefined) {
      queued.commit.end(false);
      queued.commit = commit;
      queued.isExact ||= isExact;
      return queued.settled;
    }
    if (this.#queue.size === 0) void this.alone(() => this.#send());
    let settle!: Pick<QueuedCommit, 'resolve' | 'reject'>;
    const settled = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
    this.#queue.set(progress, { commit, isExact, settled, ...settle });
    return settled;
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  /**
   * Commits what is processed of these, and waits for it. While the worker or the storage is away
   * the commit is repeated, for `forMs` milliseconds at the most and until `isOver`: a partition
   * that is released without it brings the next member the records again. Rejects where the commit
   * is not stored.
   */
  async flush(
    holds: readonly PartitionProgress[],
    forMs = 0,
    isOver: () => boolean = () => false,
  ): Promise<void> {
    const isRetried = (error: unknown): boolean => isAway(error) && !isOver();
    const policy = { isRetried, deliveryTimeoutMs: forMs };
    await retry(this.#options.connection, policy, () => this.#flushOnce(holds));
  }

  async #flushOnce(holds: readonly PartitionProgress[]): Promise<void> {
    let last: Promise<void>;
    do {
      last = this.#last;
      await last; // a commit that failed there is tried once more here, and its error thrown
      await Promise.all(this.#commitProcessed(holds));
    } while (last !== this.#last);
  }

  /**
   * The commits of what is processed and not committed, unless the application commits by itself.
   * None where a transaction is under way: it may have committed more, which would be taken back.
   */
  uncommitted(holds: readonly PartitionProgress[]): OffsetCommit[] {
    if (this.#options.mode === 'manual') return [];
    return holds
      .filter((progress) => progress.processed > progress.committed && !progress.isInTransaction)
      .map((progress) => progress.nextCommit(progress.processed));
  }

  /**
   * Posts commits of what is processed, and of what the application asked to commit, though another
   * commit may be under way: the page may be in its last turn. Commits are numbered and the store
   * keeps the latest, so the regular commit may repeat this one.
   */
  postNow(holds: readonly PartitionProgress[]): void {
    // A commit that overtakes a transaction under way would have the transaction fenced.
    const isFree = (progress: PartitionProgress): boolean =>
      !progress.signal.aborted && !progress.isInTransaction;
    const queued = [...this.#queue].filter(([progress]) => isFree(progress));
    const offsets = [
      ...this.uncommitted(holds.filter((progress) => !this.#queue.has(progress))),
      ...queued.map(([, { commit }]) => commit.toSend()),
    ];
    const member = queued[0]?.[0].member ?? holds[0]?.member;
    if (member === undefined || offsets.length === 0 || this.#isClosed) return;
    // The regular commit reports a failure; records whose commit was not stored come again.
    this.#options.connection.call('commitOffsets', { member, offsets }).catch(() => {});
  }

  beforeSeek(progress: PartitionProgress): void {
    for (const committing of this.#commitProcessed([progress])) {
      committing.catch((error: unknown) => this.#report(error));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#processed.clear();
  }

  async #sendProcessed(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    // Commits are numbered, so a repetition takes nothing back.
    const isRetried = (error: unknown): boolean => isAway(error) && !this.#isClosed;
    while (this.#processed.size > 0) {
      const sending = retry(this.#options.connection, { isRetried }, () => this.#sendOnce());
      await sending.catch(() => {}); // reported
    }
    this.#sending = false;
  }

  /** Commits what is processed by now. Rejects where that, or more, is to be sent again. */
  async #sendOnce(): Promise<void> {
    const holds = [...this.#processed];
    this.#processed.clear();
    const settled = await Promise.allSettled(this.#commitProcessed(holds));
    const reasons = settled.flatMap((one): unknown[] =>
      one.status === 'rejected' ? [one.reason] : [],
    );
    for (const reason of reasons) this.#report(reason);
    const away = reasons.find(isAway);
    if (away === undefined || this.#isClosed) return;
    for (const progress of holds) this.#processed.add(progress);
    throw away;
  }

  /**
   * Reports the error of a commit that nobody waits for. The loss of a partition is told by an
   * event instead. A commit that failed while the worker or the storage was away is repeated. A
   * place beyond the end, which somebody sought, is left by the reset that the next fetch brings.
   */
  #report(error: unknown): void {
    const isSought = error instanceof TablogError && error.code === 'OFFSET_OUT_OF_RANGE';
    if (!isGone(error) && !isAway(error) && !isSought) this.#options.onError(error);
  }

  #commitProcessed(holds: readonly PartitionProgress[]): Promise<void>[] {
    if (this.#options.mode === 'manual') return [];
    return holds
      .filter(
        ({ processed, pending, isInTransaction, signal }) =>
          processed > pending && !isInTransaction && !signal.aborted,
      )
      .map((progress) => this.commit(progress, progress.processed));
  }

  async #send(): Promise<void> {
    const queue = [...this.#queue];
    this.#queue = new Map();
    const sent: [PartitionProgress, QueuedCommit][] = [];
    for (const [progress, queued] of queue) {
      const { commit, isExact, resolve } = queued;
      if (progress.signal.aborted) {
        fail(queued, this.#isClosed ? this.#closedError() : progress.lostError());
      } else if (isExact || commit.offset > progress.committed) sent.push([progress, queued]);
      else {
        commit.end(false); // a transaction has committed more meanwhile
        resolve();
      }
    }
    try {
      await this.#call(sent);
    } catch (error) {
      // One partition that is refused fails all: each is sent by itself, then.
      const each = sent.length > 1 && error instanceof TablogError && !maySucceedLater(error);
      for (const entry of sent) {
        if (each) await this.#call([entry]).catch((reason: unknown) => fail(entry[1], reason));
        else fail(entry[1], error);
      }
    }
  }

  #closedError(): TablogError {
    return closed('consumer', this.#options.connection.closed);
  }

  async #call(sent: readonly (readonly [PartitionProgress, QueuedCommit])[]): Promise<void> {
    if (sent.length === 0) return;
    await this.#options.connection.call('commitOffsets', {
      member: sent[0]![0].member,
      offsets: sent.map(([, { commit }]) => commit.toSend()),
    });
    for (const [, { commit, resolve }] of sent) {
      commit.end(true);
      resolve();
    }
  }
}

function fail({ commit, reject }: QueuedCommit, error: unknown): void {
  commit.end(false);
  reject(error);
}
