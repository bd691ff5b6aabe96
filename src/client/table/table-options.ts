import {
  checkBoolean,
  checkEach,
  checkFunction,
  checkOneOf,
  checkSignal,
} from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';

export interface TableOptions {
  /**
   * true: the table fails with `UNKNOWN_TOPIC` where the topic does not exist. Default false: the
   * table waits until the topic is created.
   */
  readonly mustExist?: boolean;
  /**
   * The action for a record that cannot be decoded. 'fail' (default): the table stops with the
   * `SERDE` error, which names the record; 'skip': the key keeps the value that it had.
   */
  readonly onDecodeError?: 'fail' | 'skip';
  /** Closes the table when the signal aborts. Default: none. */
  readonly signal?: AbortSignal;
  /**
   * Called once, with `table.error`, when an error stops the table. Default: `ready` rejects with
   * the error; an error after `ready` is reported as uncaught, except the deletion of the log.
   */
  readonly onError?: (error: Error) => void;
}

const CHECKS: Checks<TableOptions> = {
  mustExist: checkBoolean,
  onDecodeError: (name, value) => checkOneOf(name, value, ['fail', 'skip']),
  signal: checkSignal,
  onError: (name, value) => checkFunction(`${name} must be a function`, value),
};

/** Throws a `TypeError` or a `RangeError` for an option that breaks a rule. */
export function checkTableOptions(options: TableOptions): TableOptions {
  return checkEach('table()', options, CHECKS);
}
