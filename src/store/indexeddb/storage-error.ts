import {
  FORMAT_TOO_NEW,
  NO_INDEXEDDB,
  STORAGE_FULL,
  STORAGE_UNAVAILABLE,
} from '../../base/error-rules.ts';
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
  // IndexedDB throws a SecurityError in a sandboxed frame, and where site data is blocked.
  if (name === 'SecurityError') {
    return new TablogError(
      NO_INDEXEDDB,
      `the browser refuses IndexedDB to this context (${message})`,
      {
        cause: error,
      },
    );
  }
  return new TablogError(STORAGE_UNAVAILABLE, `IndexedDB failed (${name}: ${message})`, {
    cause: error,
  });
}
