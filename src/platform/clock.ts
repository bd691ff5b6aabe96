import { MAX_TIMER_MS } from '../base/argument.ts';

/** Time as an argument, so that tests can move it and no test sleeps. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `then` once, after `ms` milliseconds. The returned function cancels the call. */
  after(ms: number, then: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, then) {
    // The sum of two valid waits can exceed the limit of timers.
    const timer = setTimeout(then, Math.min(ms, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/**
 * Waits until `promise` settles or `ms` milliseconds have passed, and leaves no timer. Rejects when
 * `promise` rejects in time.
 */
export async function within(clock: Clock, ms: number, promise: Promise<unknown>): Promise<void> {
  let cancel!: () => void;
  const expired = new Promise<void>((resolve) => (cancel = clock.after(ms, resolve)));
  try {
    await Promise.race([promise, expired]);
  } finally {
    cancel();
  }
}

/**
 * When a machine or a tab wakes up, a timeout and the answer that it limits are due in the same
 * turn. The timeout then waits this long, so that the answer wins.
 */
const GRACE_MS = 250;

/**
 * Calls `expired` after `ms` milliseconds and a grace period in which a late answer can still win.
 * The returned function cancels the call.
 */
export function deadline(clock: Clock, ms: number, expired: () => void): () => void {
  let cancel = clock.after(ms, () => {
    cancel = clock.after(GRACE_MS, expired);
  });
  return () => cancel();
}

/** Settles as `promise` does; rejects with `expired()` when the deadline of `ms` passes first. */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  expired: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = deadline(clock, ms, () => reject(expired()));
    promise.then(resolve, reject).finally(cancel);
  });
}
