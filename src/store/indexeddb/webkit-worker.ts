/**
 * Whether this context is a worker of WebKit.
 *
 * WebKit ends a worker as its last page is reloaded, closed or left, amid whatever the worker does.
 * The database server is then told of the end of a transaction that is alone and has no `commit()`
 * yet. A worker with several transactions under way, or with one that waits for its requests to
 * commit, leaves a transaction that never ends, and every other connection waits for that one:
 * measured with WebKitGTK 2.50, after 4 of 10 reloads of a busy page. No feature tells the engine,
 * so the name does.
 */
export function isWebKitWorker(): boolean {
  if (!('WorkerGlobalScope' in globalThis)) return false;
  const { userAgent } = navigator;
  return /\bAppleWebKit\//.test(userAgent) && !/Chrom(e|ium)\//.test(userAgent);
}

/** Does one piece of work after the other. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work when all earlier work has settled. Settles as the work does. */
  next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}
