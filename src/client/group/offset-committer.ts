import type { Clock } from '../../platform/clock.ts';
import { TablogError, closed, isAway, isGone, maySucceedLater } from '../../base/error.ts';
import { Turns } from '../../base/queue.ts';
import { retry } from '../../platform/retry.ts';
import type { OffsetCommit } from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';
import type { Committer, PartitionProgress } from '../message/partition-progress.ts';
import type { PendingCommit } from '../message/pending-commit.ts';

/**
 * When processed offsets are committed. 'processed': at once, in the background; `everyMs`: at this
 * interval, in milliseconds; 'manual': when the application calls `commit`.
 */
export type CommitMode = 'processed' | 'manual' | { readonly everyMs: number };

/** The number of committers of this tab, which gives each its place in the lock order. */
let committers = 0;

/** The next commit of a partition, queued until the commit in flight is answered. */
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
  /** Called with the error of a background commit, unless the partition was lost. */
  readonly onError: (error: unknown) => void;
}

/**
 * Commits a member's offsets (Kafka's `CommitRequestManager`). One call is in flight at a time, so
 * that no commit overtakes another. Commits that are requested meanwhile are queued, and share the
 * next call.
 */
export class OffsetCommitter implements Committer {
  readonly order: number = ++committers;
  readonly #options: OffsetCommitterOptions;
  readonly #clock: Clock;
  #queue = new Map<PartitionProgress, QueuedCommit>();
  /** Partitions whose processed offset may be beyond the committed one. */
  readonly #processed = new Set<PartitionProgress>();
  /** The turns of the calls, and of other work of `alone`. */
  readonly #turns = new Turns();
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

  /** Commits `offset`, unless a later offset is committed by the time of sending. */
  commit(progress: PartitionProgress, offset: number): Promise<void> {
    return this.#enqueue(progress, offset, '', false);
  }

  commitExactly(progress: PartitionProgress, offset: number, metadata: string): Promise<void> {
    return this.#enqueue(progress, offset, metadata, true);
  }

  /**
   * Queues a commit. Of several queued commits of a partition only the last is sent; all of them
   * settle alike.
   */
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

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.next(work);
  }

  /**
   * Commits the processed offsets of these partitions, and waits for the answer. While the worker
   * or the storage is away the commit is repeated, for at most `forMs` milliseconds and until
   * `isOver`: after a release without the commit the next member would read the records again.
   * Rejects where the commit is not stored.
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
    const { mode } = this.#options;
    // Commits of other partitions are not waited for: a busy member has always one in flight.
    const isOutstanding = (progress: PartitionProgress): boolean =>
      !progress.signal.aborted &&
      (progress.hasPending ||
        (mode !== 'manual' &&
          progress.processed > progress.committed &&
          !progress.isInTransaction));
    do {
      await this.#turns.idle; // a commit that failed is retried below, and its error thrown
      await Promise.all(this.#commitProcessed(holds));
    } while (holds.some(isOutstanding));
  }

  /**
   * The commits of offsets that are processed and not committed (`lastCommit`); none in the mode
   * 'manual'.
   */
  uncommitted(holds: readonly PartitionProgress[]): OffsetCommit[] {
    if (this.#options.mode === 'manual') return [];
    return holds.flatMap((progress) => progress.lastCommit() ?? []);
  }

  /**
   * Posts commits of the processed offsets, and of the queued commits, even while another commit is
   * in flight, because the page may be in its last turn. Commits are numbered and the store keeps
   * the highest-numbered one, so the regular commit may repeat this one.
   */
  postNow(holds: readonly PartitionProgress[]): void {
    // A commit that overtakes an open transaction would fence the transaction.
    const isFree = (progress: PartitionProgress): boolean =>
      !progress.signal.aborted && !progress.isInTransaction;
    const queued = [...this.#queue].filter(([progress]) => isFree(progress));
    const offsets = [
      ...this.uncommitted(holds.filter((progress) => !this.#queue.has(progress))),
      ...queued.map(([, { commit }]) => commit.toSend()),
    ];
    const member = queued[0]?.[0].member ?? holds[0]?.member;
    if (member === undefined || offsets.length === 0 || this.#isClosed) return;
    // The regular commit reports a failure. Records whose commit was not stored are read again.
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
    // Commits are numbered, so a retry never takes back a later commit.
    const isRetried = (error: unknown): boolean => isAway(error) && !this.#isClosed;
    // With `everyMs`, progress during a commit has set the timer again.
    while (this.#processed.size > 0 && this.#cancelTimer === undefined) {
      const sending = retry(this.#options.connection, { isRetried }, () => this.#sendOnce());
      await sending.catch(() => {}); // #sendOnce() has reported it
    }
    this.#sending = false;
  }

  /** Commits the offsets that are processed by now. Rejects where a commit has to be sent again. */
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
   * Reports the error of a background commit. Not reported are the loss of a partition, which is an
   * event; a failure while the worker or the storage is away, which is retried; and an offset
   * beyond the end, which a seek chose, and which the reset after the next fetch corrects.
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
        commit.end(false); // a transaction has committed a later offset meanwhile
        resolve();
      }
    }
    try {
      await this.#call(sent);
    } catch (error) {
      // A refused partition fails the whole call, so each partition is then sent by itself.
      const isSplit = sent.length > 1 && error instanceof TablogError && !maySucceedLater(error);
      for (const entry of sent) {
        if (isSplit) await this.#call([entry]).catch((reason: unknown) => fail(entry[1], reason));
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
