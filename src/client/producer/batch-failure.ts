import { ABORTED } from '../../base/error-rules.ts';
import type { ErrorRule } from '../../base/error-rule.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import type { RecordMetadata } from '../accumulator/partition-accumulator.ts';
import { SendBatchError } from './send-batch-error.ts';

const NEXT = 'See results for what became of each, and send only those again that failed.';

/**
 * The rejection of a `sendBatch` or `sendRaw`: a `SendBatchError`, or the signal's reason where the
 * signal has withdrawn the whole call.
 */
export function failureOf(results: readonly (RecordMetadata | Error)[]): unknown {
  const settled = results.map((result) =>
    result instanceof Error ? toTablogError(result) : result,
  );
  const failed = settled.filter((result) => result instanceof TablogError);
  const first = failed[0]!;
  const isNothingStored = failed.length === settled.length;
  if (isNothingStored && failed.every(({ code }) => code === ABORTED.code)) return first.cause;
  const isSame = isNothingStored && failed.every(({ outcome }) => outcome === first.outcome);
  const rule: ErrorRule = {
    code: first.code,
    outcome: isSame ? first.outcome : 'unknown',
    retriable: isNothingStored && failed.every(({ retriable }) => retriable),
    next: `${first.next} ${NEXT}`,
  };
  const which = `${failed.length} of ${settled.length} failed, the first at index`;
  const happened = `${which} ${settled.indexOf(first)}: ${first.happened}`;
  return new SendBatchError(rule, happened, settled, { details: first.details, cause: first });
}
