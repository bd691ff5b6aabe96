/**
 * The life of the page, in contexts with a page. A hidden page may never run again, and its timers
 * fire once a minute.
 *
 * https://developer.chrome.com/docs/web-platform/page-lifecycle-api
 */

export function isHidden(): boolean {
  return globalThis.document?.visibilityState === 'hidden';
}

/** Calls `freeze` when the page is about to stop running, and `resume` when it runs again. */
export function onFreeze(freeze: () => void, resume: () => void, signal: AbortSignal): void {
  if (globalThis.document === undefined) return;
  document.addEventListener('freeze', freeze, { signal });
  document.addEventListener('resume', resume, { signal });
}

/**
 * Calls `enter` when the page goes into the back/forward cache, and `restore` when it comes back. No
 * script runs between the two. WebKit takes the locks of a cached page away, and keeps its open
 * transactions.
 *
 * Browsers with the event `freeze` (Chromium) call `restore` alone: they never cache a page with a lock or
 * an open transaction, but may announce it (`persisted`) of a page that they are about to unload.
 * https://web.dev/articles/bfcache
 */
export function onPageCache(enter: () => void, restore: () => void, signal: AbortSignal): void {
  if (globalThis.document === undefined) return;
  const options = { capture: true, signal };
  const hide = (event: PageTransitionEvent): void => void (event.persisted && enter());
  const show = (event: PageTransitionEvent): void => void (event.persisted && restore());
  if (!('onfreeze' in document)) globalThis.addEventListener('pagehide', hide, options);
  globalThis.addEventListener('pageshow', show, options);
}

/**
 * Tells whether the page may be in its last turn of the event loop: from the event by which it is
 * hidden, left or frozen, until a sign of life. A message not posted in that turn may never be
 * posted.
 *
 * Listeners are added for the capture phase, which comes first: the application's own listener of
 * the same event finds the page leaving, even if the application added it earlier.
 */
export class PageLifecycle {
  readonly #listeners = new Set<() => void>();
  #isLeaving = false;

  /** Listens to the page's events until `signal` aborts. */
  constructor(signal: AbortSignal) {
    if (globalThis.document === undefined) return;
    // Node warns of a signal with more than ten listeners, and the log's signal has others.
    const listening = new AbortController();
    signal.addEventListener('abort', () => listening.abort(), { once: true });
    const options = { capture: true, signal: listening.signal };
    const leave = (): void => this.#leave();
    const live = (): void => this.livesOn();
    document.addEventListener('visibilitychange', () => (isHidden() ? leave() : live()), options);
    document.addEventListener('freeze', leave, options);
    document.addEventListener('resume', live, options);
    globalThis.addEventListener('pagehide', leave, options);
    globalThis.addEventListener('pageshow', live, options);
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Calls `listener` each time the page begins to leave, until `signal` aborts. */
  onLeave(listener: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  /**
   * Ends the leaving. A worker's answer or a visible page proves that the page has another turn.
   */
  livesOn(): void {
    this.#isLeaving = false;
  }

  #leave(): void {
    this.#isLeaving = true;
    for (const listener of this.#listeners) listener();
  }
}
