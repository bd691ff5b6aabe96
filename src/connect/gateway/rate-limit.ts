import type { Clock } from '../../platform/clock.ts';

interface Bucket {
  tokens: number;
  at: number;
}

/** The most users that are remembered; the one that was heard of the longest ago is forgotten first. */
const MAX_USERS = 10_000;

/** Bounds the requests of each user: so many a second, and as many at once (a token bucket). */
export class RateLimit {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Takes a request in; returns `false` where the user has had all for now. */
  admits(user: string): boolean {
    const now = this.#clock.now();
    const most = this.#perSecond;
    const { tokens, at } = this.#buckets.get(user) ?? { tokens: most, at: now };
    const passed = Math.max(now - at, 0); // a clock may be set back
    const left = Math.min(tokens + (passed / 1_000) * most, most);
    this.#buckets.delete(user);
    const isAdmitted = left >= 1;
    this.#buckets.set(user, { tokens: isAdmitted ? left - 1 : left, at: now });
    if (this.#buckets.size > MAX_USERS) this.#buckets.delete(this.#buckets.keys().next().value!);
    return isAdmitted;
  }
}
