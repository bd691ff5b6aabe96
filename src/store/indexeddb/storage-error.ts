import { FORMAT_TOO_NEW, STORAGE_FULL, STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { indexedDbRefused } from '../../platform/indexeddb.ts';
import { TablogError } from '../../base/error.ts';

/** Chrome's LevelDB backend reports a full disk under the name `UnknownError`. */
const NO_SPACE = /NO_SPACE|disk full/i;

/**
 * An error of IndexedDB as a `TablogError`. The error's name decides, and never its class, because
 * `QuotaExceededError` is a class of its own in some browsers:
 * https://webidl.spec.whatwg.org/#quotaexceedederror
 * Each of these errors means that the transaction stored nothing.
 */
export function storageError(error: unknown): TablogError {
  if (error instanceof TablogError) return error;
  const { name = 'Error', message = String(error) } = (error ?? {}) as Partial<Error>;
  if (name === 'QuotaExceededError' || NO_SPACE.test(message)) {
    return new TablogError(STORAGE_FULL, 'the browser has no room for more', { cause: error });
  }
  if (name === 'VersionError') {
    return new TablogError(FORMAT_TOO_NEW, 'the database has a newer version', { cause: error });
  }
  if (name === 'SecurityError') return indexedDbRefused(error);
  return new TablogError(STORAGE_UNAVAILABLE, `IndexedDB failed (${name}: ${message})`, {
    cause: error,
  });
}

/**
 * The error of a transaction that was aborted with this error of IndexedDB. Only a script's
 * `abort()` leaves no error, by the specification:
 * https://w3c.github.io/IndexedDB/#dom-idbtransaction-error. In WebKit an aborted commit leaves none
 * either, of which the cause is a full disk.
 */
export function abortError(error: DOMException | null, isRead: boolean): TablogError {
  if (error !== null || isRead) return storageError(error);
  return new TablogError(STORAGE_FULL, 'the browser could not commit, and gave no reason');
}

/** The errors of a wrong key or value: bugs of the caller, and no state of the storage. */
const MISUSES: ReadonlySet<string> = new Set(['DataError', 'DataCloneError']);

/** Calls IndexedDB, and throws its error as a `TablogError`. */
export function callStorage<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const isOfStorage = error instanceof DOMException && !MISUSES.has(error.name);
    throw isOfStorage ? storageError(error) : error;
  }
}
