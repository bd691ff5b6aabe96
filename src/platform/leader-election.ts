import { aborted } from './liveness.ts';
import { hasLocks, lockHolder, withLock } from './locks.ts';

export interface LeaderElectionOptions {
  readonly onElected: () => void;
  /** Somebody else leads now. */
  readonly onDeposed: () => void;
}

/** Those who stand for each name, where there are no Web Locks: all in one thread. The first one leads. */
const candidates = new Map<string, LeaderElection[]>();

/**
 * Of all who stand for a name one leads, whoever was first; when it is gone, the next one does.
 *
 * One that hangs can be deposed, and learns of it when it wakes up. So a leader may believe for a
 * moment that it still leads: what must not be decided twice is decided in the store.
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

  /** Stands for the name from now on; resolves with whether this one leads at once. */
  async campaign(): Promise<boolean> {
    if (hasLocks()) return this.#ask({ ifAvailable: true });
    const others = candidates.get(this.#name) ?? [];
    candidates.set(this.#name, [...others, this]);
    if (others.length === 0) this.#options.onElected();
    return others.length === 0;
  }

  /** Who leads now: whether it is another one later. */
  async leader(): Promise<unknown> {
    if (!hasLocks()) return candidates.get(this.#name)?.[0];
    return lockHolder(this.#name);
  }

  /**
   * Leads from now on, whoever did before; or only if that was this one: of all who waited for it in
   * vain one takes over, and nobody from that one.
   */
  async takeOver(only?: unknown): Promise<void> {
    const isOther = (leader: unknown): boolean => only !== undefined && leader !== only;
    if (!hasLocks()) {
      const [leader, ...others] = candidates.get(this.#name)!;
      if (leader === this || isOther(leader)) return;
      candidates.set(this.#name, [this, leader!, ...others.filter((other) => other !== this)]);
      leader!.#options.onDeposed();
      this.#options.onElected();
      return;
    }
    await withLock(`${this.#name}/depose`, { ifAvailable: true }, async (turn) => {
      if (turn === null || isOther(await this.leader())) return;
      if (this.#isLeading || this.#closing.signal.aborted) return;
      this.#queued?.abort();
      await this.#ask({ steal: true });
    });
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

  /** Resolves with whether the lock is held now; it is as long as that is possible. */
  #ask(options: LockOptions): Promise<boolean> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      let isAnswered = false;
      let isLeading = false;
      withLock(this.#name, options, async (lock) => {
        isAnswered = true;
        isLeading = lock !== null && !signal.aborted;
        if (!isLeading) return;
        this.#isLeading = true;
        this.#options.onElected();
        resolve(true);
        await aborted(signal);
      })
        .catch(() => {}) // stolen, or called off, or refused by the browser
        .finally(() => {
          if (isAnswered && !signal.aborted) {
            if (isLeading) {
              this.#isLeading = false;
              this.#options.onDeposed();
            }
            this.#queue();
          }
          resolve(false); // what is deposed from now on is not waited for as well
        });
    });
  }

  #queue(): void {
    this.#queued = new AbortController();
    void this.#ask({ signal: this.#queued.signal });
  }
}
