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
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** `promise`, or the rejection with `expired()` when it has not settled within `ms`. */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  expired: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(expired()));
    promise.then(resolve, reject).finally(cancel);
  });
}
