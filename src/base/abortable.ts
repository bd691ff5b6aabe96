/**
 * Settles as `promise` does, but rejects with the signal's reason once the signal aborts. The work
 * behind `promise` goes on: the caller that aborts the signal has to end the work as well.
 */
export async function abortable<T>(
  signal: AbortSignal | undefined,
  promise: Promise<T>,
): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => {}); // a rejection after the abort is not used
  signal.throwIfAborted();
  const ended = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true, signal: ended.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    ended.abort();
  }
}
