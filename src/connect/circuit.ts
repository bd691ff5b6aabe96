import type { Clock } from '../platform/clock.ts';

export interface CircuitOptions {
  readonly clock: Clock;
  /** The bound of the first wait, in milliseconds; each further one is twice as long. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly random?: () => number;
}

/** An attempt at the target, to be ended by `succeeded`, `failed` or `left`. */
export interface Attempt {
  /** The failures in a row when it began. */
  readonly failures: number;
}

/** A day: a target that asks for longer may have been mended meanwhile. */
const MAX_AT_LEAST_MS = 86_400_000;

/**
 * The attempts at one target. After a failure nobody asks the target before a wait is over, and then
 * one attempt finds out whether it is back, while all others wait on. The wait is a random share of
 * its bound, so that the tabs of many users do not come back at the same time:
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("full jitter")
 */
export class Circuit {
  readonly #options: CircuitOptions;
  #failures = 0;
  /** The wait that runs, and when it began. */
  #wait = { ms: 0, since: 0 };
  /** The wait that the target has asked for. */
  #asked = { ms: 0, since: 0 };
  /** The attempt that finds out whether the target is back. */
  #probe: Attempt | undefined;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** The time of the next attempt, in milliseconds since 1970; `undefined` while none has failed. */
  get retryAt(): number | undefined {
    return this.isFailing ? this.#options.clock.now() + this.#leftOf(this.#wait) : undefined;
  }

  /** Begins an attempt; a number: how long it has to wait, in milliseconds. */
  enter(): Attempt | number {
    const attempt = { failures: this.#failures };
    if (!this.isFailing) return attempt;
    const left = this.#leftOf(this.#wait);
    if (left > 0) return left;
    if (this.#probe !== undefined) return this.#options.backoffMs;
    this.#probe = attempt;
    return attempt;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#probe = undefined;
  }

  /** `atLeastMs`: what the target has asked for. Returns the wait, in milliseconds. */
  failed(attempt: Attempt, atLeastMs: number = 0): number {
    const { clock, backoffMs, maxBackoffMs, random = Math.random } = this.#options;
    const since = clock.now();
    const asked = Math.min(Math.max(atLeastMs, 0) || 0, MAX_AT_LEAST_MS);
    if (asked > this.#leftOf(this.#asked)) this.#asked = { ms: asked, since };
    // Of attempts that were made side by side all fail for one reason.
    const isCounted = attempt.failures === this.#failures;
    if (isCounted) {
      const bound = Math.min(backoffMs * 2 ** Math.min(this.#failures, 30), maxBackoffMs);
      this.#failures++;
      this.#wait = { ms: Math.max(Math.ceil(bound * random()), 1), since };
    }
    if (asked > this.#leftOf(this.#wait)) this.#wait = { ms: asked, since };
    this.left(attempt);
    return Math.max(this.#leftOf(this.#wait), 1);
  }

  /** Ends an attempt that was neither a success nor a failure. */
  left(attempt: Attempt): void {
    if (this.#probe === attempt) this.#probe = undefined;
  }

  /**
   * The next attempt may begin at once. `isHint`: there is merely a sign that the target is back, which
   * ends no wait that the target has asked for. Returns whether there was a wait to end.
   */
  wake(isHint: boolean): boolean {
    if (!this.isFailing || (isHint && this.#leftOf(this.#asked) > 0)) return false;
    this.#wait = { ms: 0, since: 0 };
    return true;
  }

  /** No longer than the wait was, however the clock was set meanwhile. */
  #leftOf({ ms, since }: { readonly ms: number; readonly since: number }): number {
    return Math.max(Math.min(since + ms - this.#options.clock.now(), ms), 0);
  }
}
