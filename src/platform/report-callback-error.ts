/**
 * Reports what a callback of the application threw or rejected with, as an uncaught error: an
 * `error` event of the page or worker; elsewhere on the console. `what` failed: 'a listener of a
 * consumer'.
 */
export function reportCallbackError(what: string, error: unknown): void {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  // oxlint-disable-next-line eslint/no-console -- an error of the application, which nobody catches
  else console.error(`tablog: ${what} failed:`, error);
}
