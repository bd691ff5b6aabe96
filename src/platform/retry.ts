import { deferred } from '../base/deferred.ts';
import { isAway } from '../base/error.ts';
import type { Clock } from './clock.ts';
import type { PageLifecycle } from './page-lifecycle.ts';

// `retry` repeats one call; a `BackOff` gives a loop that asks for something else each time its waits;
// the sender of batches takes `backOffMs` for its own timer. The reason for a repetition is the error's
// `outcome`: 'passing', and 'unknown' where a repetition cannot store twice.

/** The errors and the bounds of a retry. */
export interface RetryPolicy {
  /**
   * Whether the call is made again after the error. Default: the worker or the storage was away.
   */
  readonly isRetried?: (error: unknown) => boolean;
  /** Kafka's `delivery.timeout.ms`: no repetition begins later. Default: none. */
  readonly deliveryTimeoutMs?: number;
  /** Kafka's `retries`: the most repetitions. Default: no bound. */
  readonly retries?: number;
  /** How many repetitions come without a wait, as where another worker takes over. Default 0. */
  readonly atOnce?: number;
  /** Ends the waits and the repetitions. */
  readonly signal?: AbortSignal;
}

/** The clock of a retry, and what cuts its waits short. A `Connection` is a `RetryContext`. */
export interface RetryContext {
  readonly clock: Clock;
  /** Aborts when nothing can be called any more. */
  readonly closed?: AbortSignal;
  readonly page?: Pick<PageLifecycle, 'onLeave'>;
}

/** Kafka's `retry.backoff.ms` and `retry.backoff.max.ms`. */
const RETRY_BACKOFF_MS = 100;
const RETRY_BACKOFF_MAX_MS = 1_000;

/**
 * The random share of a back-off, from the second one on, so that tabs do not retry in step
 * (KIP-580).
 */
const JITTER = 0.2;

/** Calls `work` until it succeeds, or `isRetried` returns false, or a bound is reached. */
export async function retry<T>(
  context: RetryContext,
  policy: RetryPolicy,
  work: () => Promise<T>,
): Promise<T> {
  const { isRetried = isAway, deliveryTimeoutMs, retries = Infinity, atOnce = 0, signal } = policy;
  const { clock } = context;
  const until = clock.now() + (deliveryTimeoutMs ?? Infinity);
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      const left = until - clock.now();
      if (!isRetried(error) || failures > retries || left <= 0) throw error;
      if (failures > atOnce) await backOff(context, failures - atOnce, left, signal);
      if (signal?.aborted) throw error;
    }
  }
}

/** The waits of a loop that goes on after failures, and asks for something else each time. */
export class BackOff {
  readonly #context: RetryContext;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  /** `signal` ends the waits. */
  constructor(context: RetryContext, signal?: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
  }

  /** Whether the last attempt failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Notes a success: the next wait is the shortest. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** Notes a failure. Resolves when it is time for the next attempt. */
  failed(): Promise<void> {
    return backOff(this.#context, ++this.#failures, Infinity, this.#signal);
  }

  /** As `failed()`, where the first attempt after a success is made at once. */
  async failedAgain(): Promise<void> {
    if (this.#failures++ > 0) {
      await backOff(this.#context, this.#failures - 1, Infinity, this.#signal);
    }
  }
}

/**
 * The wait after so many failures in a row, in milliseconds; doubles each time (KIP-580). Of the
 * `leftMs` until giving up, the last `RETRY_BACKOFF_MS` are kept for a last attempt.
 */
export function backOffMs(
  failures: number,
  leftMs: number,
  random: () => number = Math.random,
): number {
  const ms = Math.min(RETRY_BACKOFF_MS * 2 ** Math.min(failures - 1, 10), RETRY_BACKOFF_MAX_MS);
  const jittered = failures <= 1 ? ms : ms * (1 + JITTER * (2 * random() - 1));
  return Math.min(
    jittered,
    Math.max(leftMs - RETRY_BACKOFF_MS, RETRY_BACKOFF_MS),
    Math.max(leftMs, 0),
  );
}

/** Waits. The wait ends early where the page leaves, the log closes, or `signal` aborts. */
async function backOff(
  { clock, closed, page }: RetryContext,
  failures: number,
  leftMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (closed?.aborted || signal?.aborted) return; // no timer outlasts the log
  const over = deferred();
  const ending = new AbortController();
  const cancel = clock.after(backOffMs(failures, leftMs), over.resolve);
  page?.onLeave(over.resolve, ending.signal);
  for (const end of [closed, signal]) {
    end?.addEventListener('abort', () => over.resolve(), { signal: ending.signal });
  }
  await over.promise;
  ending.abort();
  cancel();
}
