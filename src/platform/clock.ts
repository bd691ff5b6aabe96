import { MAX_TIMER_MS } from '../base/argument.ts';

/** Time as an argument, so that tests can move it and no test sleeps. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `then` once, after `ms` milliseconds; returns how to call it off. */
  after(ms: number, then: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, then) {
    const timer = setTimeout(then, Math.min(ms, MAX_TIMER_MS)); // a sum may be more than each of it
    return () => clearTimeout(timer);
  },
};

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/**
 * Waits until `promise` settles or `ms` milliseconds have passed, and leaves no timer. Rejects where
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
 * After a sleep of the machine or the tab, a timer and what it limits are both due: that gets this
 * long to be heard first.
 */
const GRACE_MS = 250;

/** Calls `expired` when `ms` have passed in which something could have come; returns how to call it off. */
export function deadline(clock: Clock, ms: number, expired: () => void): () => void {
  let cancel = clock.after(ms, () => {
    cancel = clock.after(GRACE_MS, expired);
  });
  return () => cancel();
}

/** `promise`, or the rejection with `expired()` when it has not settled within `ms`, and a little more. */
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
