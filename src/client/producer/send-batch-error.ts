import { TablogError } from '../../base/error.ts';
import type { ErrorDetails } from '../../base/error.ts';
import type { ErrorRule } from '../../base/error-rule.ts';
import type { RecordMetadata } from '../accumulator/partition-accumulator.ts';

/**
 * The error of a `sendBatch` or `sendRaw` whose records were accepted, and not all of them stored.
 * It has the code and the details of the first failure, which is its `cause`.
 *
 * `outcome` and `retriable` are about the call as a whole: where some records are stored, a second
 * call with all records would store those twice.
 */
export class SendBatchError extends TablogError {
  /**
   * The place of each stored record, and the error of each other record, in the order given; for
   * `sendRaw`, of each batch. A record whose error is `OUTCOME_UNKNOWN` may be stored.
   */
  readonly results: readonly (RecordMetadata | TablogError)[];

  constructor(
    rule: ErrorRule,
    happened: string,
    results: readonly (RecordMetadata | TablogError)[],
    options: { readonly details: ErrorDetails; readonly cause: TablogError },
  ) {
    super(rule, happened, options);
    this.results = results;
  }
}
