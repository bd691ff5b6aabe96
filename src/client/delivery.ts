import { OUTCOME_UNKNOWN } from '../base/error-rules.ts';
import type { ErrorCode } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import type { SealedBatch } from './accumulator.ts';

/** The worker or the storage went away: the next ones may do better. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'OUTCOME_UNKNOWN',
  'STORAGE_TIMEOUT',
  'STORAGE_UNAVAILABLE',
  'WORKER_LOST',
]);

/** What the partition's head says: then it is known that the batch is not stored. */
const CERTAIN: ReadonlySet<ErrorCode> = new Set([
  'CONFLICT',
  'FENCED',
  'OUT_OF_ORDER_SEQUENCE',
  'UNKNOWN_TOPIC',
]);

/** Whether an idempotent producer sends a batch again that failed; notes what became of it. */
export function isToRepeat(batch: SealedBatch, error: TablogError, isLate: boolean): boolean {
  const { code, retriable } = error;
  if (code === 'OUTCOME_UNKNOWN') batch.mayBeStored = true;
  if (CERTAIN.has(code)) batch.mayBeStored = false;
  if (isLate) return false;
  // One before it was missing; and is not any more, or comes again before it.
  if (code === 'OUT_OF_ORDER_SEQUENCE') return batch.accumulator.hasMoved(batch);
  return PASSING.has(code) || (retriable && batch.mayBeStored);
}

/** What is told of a batch that is not sent again. */
export function finalError(batch: SealedBatch, error: TablogError): TablogError {
  if (!batch.mayBeStored || error.code === 'OUTCOME_UNKNOWN') return error;
  const happened = `a batch was sent ${batch.attempts} times, and an answer was lost`;
  return new TablogError(OUTCOME_UNKNOWN, happened, { cause: error });
}
