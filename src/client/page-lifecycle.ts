/**
 * The page's life, where there is a page: a page that is hidden may never run again, and its timers
 * are slowed down to one a minute.
 */

export function isHidden(): boolean {
  return globalThis.document?.visibilityState === 'hidden';
}

/** Calls `hide` when the page is hidden or left, until `signal` aborts. */
export function onHide(hide: () => void, signal: AbortSignal): void {
  if (globalThis.document === undefined) return;
  document.addEventListener('visibilitychange', () => isHidden() && hide(), { signal });
  globalThis.addEventListener('pagehide', hide, { signal });
}

/** Calls `freeze` when the page is about to stop running, and `resume` when it runs again. */
export function onFreeze(freeze: () => void, resume: () => void, signal: AbortSignal): void {
  if (globalThis.document === undefined) return;
  document.addEventListener('freeze', freeze, { signal });
  document.addEventListener('resume', resume, { signal });
}
