import { sleep } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { OUTCOME_UNKNOWN } from '../base/error-rules.ts';
import type { ErrorCode } from '../base/error-rules.ts';
import { TablogError, isLogDeleted } from '../base/error.ts';

/** Something that is sent until it is known what became of it. */
export interface Attempted {
  /** How often it was sent. */
  readonly attempts: number;
  /** An answer was lost. */
  mayBeStored: boolean;
}

/** The worker or the storage went away: the next ones may do better. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'OUTCOME_UNKNOWN',
  'STORAGE_TIMEOUT',
  'STORAGE_UNAVAILABLE',
  'WORKER_LOST',
]);

/** What the partition itself says of a batch: then it is known that it is not stored. */
const CERTAIN: ReadonlySet<ErrorCode> = new Set(['CONFLICT', 'FENCED', 'UNKNOWN_TOPIC']);

/** Kafka's `retry.backoff.ms`: before something is sent for the third time, and later. */
const RETRY_MS = 100;

/** Whether to send it again; notes what is known of it. */
export function isPassing(attempted: Attempted, { code, retriable }: TablogError): boolean {
  if (code === 'OUTCOME_UNKNOWN') attempted.mayBeStored = true;
  return PASSING.has(code) || (retriable && attempted.mayBeStored);
}

/** Whether it is known of a batch that it is not stored, whatever became of earlier attempts. */
export function isCertain({ code }: TablogError): boolean {
  return CERTAIN.has(code);
}

/** What is told of what is not sent again. */
export function finalError(attempted: Attempted, error: TablogError): TablogError {
  if (!attempted.mayBeStored || error.code === 'OUTCOME_UNKNOWN') return error;
  if (isLogDeleted(error)) return error; // wherever it was stored, it is gone
  const happened = `it was sent ${attempted.attempts} times, and an answer was lost`;
  return new TablogError(OUTCOME_UNKNOWN, happened, { cause: error });
}

/** Calls `then` when it is time to send again; returns how to call that off. */
export function afterBackOff(clock: Clock, then: () => void): () => void {
  return clock.after(RETRY_MS, then);
}

export function pause(clock: Clock): Promise<void> {
  return sleep(clock, RETRY_MS);
}
