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
  /** The error of the underlying storage. */
  readonly cause?: unknown;
  /** Facts that can be cloned, so that they reach the tab from a worker. */
  readonly details?: ErrorDetails;
}

/**
 * An error of a store. The code decides what tablog does:
 *
 * - `STORAGE_UNAVAILABLE`: nothing was stored, and a later call may succeed. tablog repeats the
 *   call, on a new connection when the store is closed.
 * - `STORAGE_TIMEOUT`: as `STORAGE_UNAVAILABLE`, but after so long a wait that tablog does not
 *   repeat the call at once.
 * - `STORAGE_BLOCKED`: the log cannot be opened as long as another connection has it.
 * - `STORAGE_FULL`: nothing was stored, for lack of space.
 * - `OUTCOME_UNKNOWN`: the write may have been stored. tablog sends batches again with the same
 *   sequence numbers, so that they are stored once.
 * - `LOG_CORRUPT`, `FORMAT_TOO_NEW`: the stored rows cannot be read.
 * - `CLOSED`: the store was closed by its owner.
 *
 * `happened` is half a sentence with the values, in lower case and without a full stop: the code's
 * advice follows it in the message. Throws a `TypeError` for any other code.
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
