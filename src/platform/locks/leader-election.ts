import { aborted } from './liveness.ts';
import { hasLocks, lockHolder, withLock } from './locks.ts';
import type { GivenLocks } from '../platform.ts';

export interface LeaderElectionOptions {
  readonly onElected: () => void;
  /** Another candidate has become the leader. */
  readonly onDeposed: () => void;
  /** Default: the Web Locks of this context. */
  readonly locks?: GivenLocks;
}

/**
 * The candidates of each name in a context without Web Locks, where all brokers share one thread.
 * The first candidate leads.
 */
const candidates = new Map<string, LeaderElection[]>();

/**
 * Elects one leader among the candidates of a name: the candidate that holds the name's Web Lock.
 * The other candidates queue for the lock, in the order in which they came.
 *
 * A leader that hangs can be deposed, and learns of it when it wakes up. So two candidates can
 * believe for a moment that they lead: a decision that must be taken once is taken in the store.
 */
export class LeaderElection {
  readonly #name: string;
  readonly #options: LeaderElectionOptions;
  readonly #closing = new AbortController();
  #queued: AbortController | undefined;
  #isLeading = false;

  constructor(name: string, options: LeaderElectionOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** Enters the election; resolves with whether this candidate leads at once. */
  async campaign(): Promise<boolean> {
    if (this.#hasLocks) return this.#ask({ ifAvailable: true });
    const others = candidates.get(this.#name) ?? [];
    candidates.set(this.#name, [...others, this]);
    if (others.length === 0) this.#options.onElected();
    return others.length === 0;
  }

  /** An opaque identity of the leader, to compare with a later one. */
  async leader(): Promise<unknown> {
    if (!this.#hasLocks) return candidates.get(this.#name)?.[0];
    return lockHolder(this.#name, this.#options.locks);
  }

  /**
   * Makes this candidate the leader, by stealing the lock. With `only`, it does so only while that
   * leader leads: when several brokers give up waiting for a hung leader, the first one steals the
   * lock, and the others must not steal it again.
   *
   * https://w3c.github.io/web-locks/#dom-lockoptions-steal
   */
  async takeOver(only?: unknown): Promise<void> {
    const isOther = (leader: unknown): boolean => only !== undefined && leader !== only;
    if (!this.#hasLocks) {
      const [leader, ...others] = candidates.get(this.#name)!;
      if (leader === this || isOther(leader)) return;
      candidates.set(this.#name, [this, leader!, ...others.filter((other) => other !== this)]);
      leader!.#options.onDeposed();
      this.#options.onElected();
      return;
    }
    const depose = async (turn: Lock | null): Promise<void> => {
      if (turn === null || isOther(await this.leader())) return;
      if (this.#isLeading || this.#closing.signal.aborted) return;
      this.#queued?.abort();
      await this.#ask({ steal: true });
    };
    await withLock(`${this.#name}/depose`, { ifAvailable: true }, depose, this.#options.locks);
  }

  close(): void {
    this.#closing.abort();
    this.#queued?.abort();
    const all = candidates.get(this.#name);
    if (all === undefined) return;
    const left = all.filter((other) => other !== this);
    if (left.length === 0) candidates.delete(this.#name);
    else candidates.set(this.#name, left);
    const [next] = left;
    if (all[0] === this && next !== undefined) next.#options.onElected();
  }

  /**
   * Requests the lock, and holds it until the browser or `close()` ends that. Resolves with whether
   * the request was granted.
   */
  #ask(options: LockOptions): Promise<boolean> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      let isAnswered = false;
      let isLeading = false;
      const granted = async (lock: Lock | null): Promise<void> => {
        isAnswered = true;
        isLeading = lock !== null && !signal.aborted;
        if (!isLeading) return;
        this.#isLeading = true;
        this.#options.onElected();
        resolve(true);
        await aborted(signal);
      };
      withLock(this.#name, options, granted, this.#options.locks)
        .catch(() => {}) // the lock was stolen, the request aborted, or the browser refuses locks
        .finally(() => {
          if (isAnswered && !signal.aborted) {
            if (isLeading) {
              this.#isLeading = false;
              this.#options.onDeposed();
            }
            this.#queue();
          }
          resolve(false); // has no effect on a candidate that was elected before
        });
    });
  }

  get #hasLocks(): boolean {
    return hasLocks(this.#options.locks);
  }

  #queue(): void {
    this.#queued = new AbortController();
    void this.#ask({ signal: this.#queued.signal });
  }
}
