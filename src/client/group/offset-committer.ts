import type { Clock } from '../../platform/clock.ts';
import { TablogError, closed, isAway, isFenced } from '../../base/error.ts';
import type { OffsetCommit } from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';
import { backOff } from '../connection/delivery.ts';
import { lost, toCommit } from '../message/partition-progress.ts';
import type { Committer, PartitionProgress } from '../message/partition-progress.ts';

/**
 * When what was processed is committed. 'processed': at once, in the background; `everyMs`: that
 * often, in milliseconds; 'manual': when the application says so.
 */
export type CommitMode = 'processed' | 'manual' | { readonly everyMs: number };

/** How many were made, for their order. */
let committers = 0;

interface Waiting {
  offset: number;
  metadata: string;
  /** It may go back. */
  isExact: boolean;
  /** The hold's, when this was asked for. */
  restarts: number;
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
 * Commits a member's offsets: one commit at a time, and what comes meanwhile goes into the next one,
 * so that no commit overtakes another.
 */
export class OffsetCommitter implements Committer {
  readonly order: number = ++committers;
  readonly #options: OffsetCommitterOptions;
  readonly #clock: Clock;
  #waiting = new Map<PartitionProgress, Waiting>();
  readonly #processed = new Set<PartitionProgress>();
  #last: Promise<void> = Promise.resolve();
  #sending = false;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(options: OffsetCommitterOptions) {
    this.#options = options;
    this.#clock = options.connection.clock;
  }

  /** More of a partition has been processed. */
  progressed(progress: PartitionProgress): void {
    const { mode } = this.#options;
    if (mode === 'manual') return;
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

  /** Commits `offset`, unless more is committed when its turn comes. */
  commit(progress: PartitionProgress, offset: number): Promise<void> {
    return this.#ask(progress, offset, '', false);
  }

  commitExactly(progress: PartitionProgress, offset: number, metadata: string): Promise<void> {
    return this.#ask(progress, offset, metadata, true);
  }

  /** Of several calls for a partition the last one counts; all of them settle alike. */
  #ask(
    progress: PartitionProgress,
    offset: number,
    metadata: string,
    isExact: boolean,
  ): Promise<void> {
    if (this.#isClosed) return Promise.reject(this.#closedError());
    progress.asked = offset;
    const { restarts } = progress;
    const waiting = this.#waiting.get(progress);
    if (waiting !== undefined) {
      const isAll = isExact || waiting.isExact;
      Object.assign(waiting, { offset, metadata, restarts, isExact: isAll });
      return waiting.settled;
    }
    if (this.#waiting.size === 0) void this.alone(() => this.#send());
    let settle!: Pick<Waiting, 'resolve' | 'reject'>;
    const settled = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
    this.#waiting.set(progress, { offset, metadata, isExact, restarts, settled, ...settle });
    return settled;
  }

  /** Runs `work` when no commit is under way; the next one waits for it. */
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
    const { connection } = this.#options;
    const until = connection.clock.now() + forMs;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#flushOnce(holds);
      } catch (error) {
        const left = until - connection.clock.now();
        if (!isAway(error) || left <= 0 || isOver()) throw error;
        await backOff(connection, failures, left);
      }
    }
  }

  async #flushOnce(holds: readonly PartitionProgress[]): Promise<void> {
    let last: Promise<void>;
    do {
      last = this.#last;
      await last; // what fails there is tried once more here, and told
      await Promise.all(this.#commitProcessed(holds));
    } while (last !== this.#last);
  }

  /**
   * What is processed of these and not stored yet, unless the application commits by itself. Nothing
   * where a transaction may have stored more: it would be taken back.
   */
  uncommitted(holds: readonly PartitionProgress[]): OffsetCommit[] {
    if (this.#options.mode === 'manual') return [];
    return holds
      .filter((progress) => progress.processed > progress.committed && progress.transactions === 0)
      .map((progress) => toCommit(progress, progress.processed));
  }

  /**
   * Posts commits of what is processed, and of what the application asked to commit, though another
   * commit may be under way: the page may be in its last turn. Commits are numbered and the store
   * keeps the latest, so the regular commit may repeat this one.
   */
  postNow(holds: readonly PartitionProgress[]): void {
    // A commit that overtakes a transaction under way would have the transaction fenced.
    const isFree = (progress: PartitionProgress): boolean =>
      !progress.signal.aborted && progress.transactions === 0;
    const asked = [...this.#waiting].filter(([progress]) => isFree(progress));
    const offsets = [
      ...this.uncommitted(holds.filter((progress) => !this.#waiting.has(progress))),
      ...asked.map(([progress, { offset, metadata }]) => toCommit(progress, offset, metadata)),
    ];
    const member = asked[0]?.[0].member ?? holds[0]?.member;
    if (member === undefined || offsets.length === 0 || this.#isClosed) return;
    // The regular commit reports a failure; records whose commit was not stored come again.
    this.#options.connection.call('commitOffsets', { member, offsets }).catch(() => {});
  }

  keep(progress: PartitionProgress): void {
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
    let failures = 0;
    while (this.#processed.size > 0) {
      const holds = [...this.#processed];
      this.#processed.clear();
      const settled = await Promise.allSettled(this.#commitProcessed(holds));
      const reasons = settled.flatMap((one): unknown[] =>
        one.status === 'rejected' ? [one.reason] : [],
      );
      for (const reason of reasons) this.#report(reason);
      // Commits are numbered, so a repetition takes nothing back.
      if (!reasons.some(isAway) || this.#isClosed) continue;
      for (const progress of holds) this.#processed.add(progress);
      await backOff(this.#options.connection, ++failures);
    }
    this.#sending = false;
  }

  /**
   * Reports a commit that nobody waits for and that did not succeed. A partition that was lost is
   * told by an event. A commit for lack of a worker or the storage is made up for by a later one.
   */
  #report(error: unknown): void {
    if (!isGone(error) && !isAway(error)) this.#options.onError(error);
  }

  #commitProcessed(holds: readonly PartitionProgress[]): Promise<void>[] {
    if (this.#options.mode === 'manual') return [];
    return holds
      .filter((progress) => progress.processed > progress.asked && !progress.signal.aborted)
      .map((progress) => this.commit(progress, progress.processed));
  }

  async #send(): Promise<void> {
    const waiting = [...this.#waiting];
    this.#waiting = new Map();
    const held: [PartitionProgress, Waiting][] = [];
    for (const [progress, commit] of waiting) {
      const { offset, isExact, resolve, reject } = commit;
      if (progress.signal.aborted) reject(this.#isClosed ? this.#closedError() : lost(progress));
      else if (isExact || offset > progress.committed) held.push([progress, commit]);
      else resolve(); // meanwhile more was committed, with a dead letter
    }
    try {
      await this.#call(held);
    } catch (error) {
      // One partition that is refused fails all: each by itself, then.
      const each = held.length > 1 && isRefusal(error);
      for (const entry of held) {
        if (each) await this.#call([entry]).catch((reason: unknown) => this.#fail(entry, reason));
        else this.#fail(entry, error);
      }
    }
  }

  #closedError(): TablogError {
    return closed('consumer', this.#options.connection.closed);
  }

  #fail([progress, { reject }]: readonly [PartitionProgress, Waiting], error: unknown): void {
    progress.asked = this.#waiting.get(progress)?.offset ?? progress.committed;
    reject(error);
  }

  async #call(waiting: readonly (readonly [PartitionProgress, Waiting])[]): Promise<void> {
    if (waiting.length === 0) return;
    await this.#options.connection.call('commitOffsets', {
      member: waiting[0]![0].member,
      offsets: waiting.map(([progress, { offset, metadata }]) =>
        toCommit(progress, offset, metadata),
      ),
    });
    for (const [progress, { offset, restarts, resolve }] of waiting) {
      if (progress.restarts === restarts) progress.committed = offset;
      resolve();
    }
  }
}

/** Whether nothing was stored for a reason that may be of one partition only. */
function isRefusal(error: unknown): boolean {
  return error instanceof TablogError && !error.retriable && error.code !== 'OUTCOME_UNKNOWN';
}

/** Whether the partition is not this member's any more, which the next view of the group tells too. */
export function isGone(error: unknown): boolean {
  return isFenced(error) || (error instanceof TablogError && error.code === 'UNKNOWN_TOPIC');
}
