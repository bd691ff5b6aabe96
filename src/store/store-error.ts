import {
  CLOSED,
  FORMAT_TOO_NEW,
  LOG_CORRUPT,
  OUTCOME_UNKNOWN,
  STORAGE_BLOCKED,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../base/error-rules.ts';
import type { ErrorRule } from '../base/error-rule.ts';
import { mistake } from '../base/argument.ts';
import { TablogError } from '../base/error.ts';
import type { ErrorDetails } from '../base/error.ts';

/** The codes of a store's own errors. */
export type StoreErrorCode =
  | 'CLOSED'
  | 'FORMAT_TOO_NEW'
  | 'LOG_CORRUPT'
  | 'OUTCOME_UNKNOWN'
  | 'STORAGE_BLOCKED'
  | 'STORAGE_FULL'
  | 'STORAGE_TIMEOUT'
  | 'STORAGE_UNAVAILABLE';

const RULES: Readonly<Record<StoreErrorCode, ErrorRule>> = {
  CLOSED,
  FORMAT_TOO_NEW,
  LOG_CORRUPT,
  OUTCOME_UNKNOWN,
  STORAGE_BLOCKED,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
};

export interface StoreErrorOptions {
  /** What failed underneath. */
  readonly cause?: unknown;
  /** Facts that survive a worker's border. */
  readonly details?: ErrorDetails;
}

/**
 * An error of a store. The code decides what tablog does:
 *
 * - `STORAGE_UNAVAILABLE`: nothing was stored, and it may be the next time. The call is repeated,
 *   on a new connection where the store is closed.
 * - `STORAGE_TIMEOUT`: the same, after so long a wait that nobody repeats the call at once.
 * - `STORAGE_BLOCKED`: the log cannot be opened as long as somebody else has it.
 * - `STORAGE_FULL`: nothing was stored, for want of space.
 * - `OUTCOME_UNKNOWN`: it may have been stored. Batches are sent again with their numbers, and
 *   stored once.
 * - `LOG_CORRUPT`, `FORMAT_TOO_NEW`: what is stored cannot be read.
 * - `CLOSED`: the store was closed by its owner.
 *
 * `happened` is half a sentence with the values, in lower case and without a full stop: the code's
 * next step follows. Throws a `TypeError` for another code.
 */
export function storeError(
  code: StoreErrorCode,
  happened: string,
  options: StoreErrorOptions = {},
): TablogError {
  if (!Object.hasOwn(RULES, code)) {
    throw mistake(`a store's error code must be one of ${Object.keys(RULES).join(', ')}`, code);
  }
  return new TablogError(RULES[code], happened, options);
}
