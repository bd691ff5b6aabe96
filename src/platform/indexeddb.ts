import { NO_INDEXEDDB } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { errorText } from '../base/error-text.ts';

/**
 * Whether this context has IndexedDB. Throws `NO_INDEXEDDB` when the getter `indexedDB` throws, as
 * in Firefox with site data blocked.
 */
export function hasIndexedDb(): boolean {
  try {
    // `undefined` where IndexedDB is missing; a test environment may have null.
    return ((globalThis as { indexedDB?: unknown }).indexedDB ?? null) !== null;
  } catch (cause) {
    throw indexedDbRefused(cause);
  }
}

/**
 * The error where IndexedDB is there and refused: its calls throw a SecurityError in a sandboxed
 * frame, and where site data is blocked.
 */
export function indexedDbRefused(cause: unknown): TablogError {
  const happened = `the browser refuses IndexedDB to this context (${errorText(cause)})`;
  return new TablogError(NO_INDEXEDDB, happened, { cause });
}
