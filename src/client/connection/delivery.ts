import { OUTCOME_UNKNOWN } from '../../base/error-rules.ts';
import type { ErrorCode } from '../../base/error-rule.ts';
import { TablogError, isAway, isLogDeleted } from '../../base/error.ts';
import type { Connection } from './connection.ts';

/** Something that is sent until it is known what became of it. */
export interface Attempted {
  /** How often it was sent. */
  readonly attempts: number;
  /** An answer was lost. */
  mayBeStored: boolean;
}

/**
 * The errors of a call for which no worker could be started. The log was open before, so the
 * worker's file has run in this page: failures to load, start or answer pass, as when the tab is
 * offline, a proxy puts a page of its own in the file's place, or a release is under way. A worker
 * of another protocol (`PROTOCOL_MISMATCH`) does not pass: the page has to be reloaded.
 */
const WITHOUT_WORKER: ReadonlySet<ErrorCode> = new Set(['WORKER_FAILED', 'WORKER_LOST']);

/**
 * The errors by which a partition itself refuses a batch: the batch is not stored, also where the
 * answer to an earlier attempt was lost. Other refusals, as `STORAGE_FULL`, say nothing of earlier
 * attempts.
 */
const CERTAIN: ReadonlySet<ErrorCode> = new Set(['CONFLICT', 'FENCED', 'UNKNOWN_TOPIC']);

/**
 * The wait before the second retry (Kafka's `retry.backoff.ms`); its longest is Kafka's
 * `retry.backoff.max.ms`.
 */
const RETRY_MS = 100;
const RETRY_MAX_MS = 1_000;

/**
 * The random share of a back-off, from the second one on, so that tabs do not retry in step
 * (KIP-580).
 */
const JITTER = 0.2;

/**
 * The wait after so many failures in a row, in milliseconds; doubles each time (KIP-580). Of the
 * `leftMs` until giving up, the last `RETRY_MS` are kept for a last attempt.
 */
export function backOffMs(
  failures: number,
  leftMs: number,
  random: () => number = Math.random,
): number {
  const ms = Math.min(RETRY_MS * 2 ** Math.min(failures - 1, 10), RETRY_MAX_MS);
  const jittered = failures <= 1 ? ms : ms * (1 + JITTER * (2 * random() - 1));
  return Math.min(jittered, Math.max(leftMs - RETRY_MS, RETRY_MS), Math.max(leftMs, 0));
}

/** Waits for the back-off; ends early where the page leaves or the log closes. */
export function backOff(
  { clock, closed, page }: Connection,
  failures: number,
  leftMs: number = Infinity,
): Promise<void> {
  if (closed.aborted) return Promise.resolve(); // no timer is to outlast the log
  return new Promise((resolve) => {
    const ending = new AbortController();
    const end = (): void => {
      ending.abort();
      cancel();
      resolve();
    };
    const cancel = clock.after(backOffMs(failures, leftMs), end);
    page.onLeave(end, ending.signal);
    closed.addEventListener('abort', end, { once: true, signal: ending.signal });
  });
}

/**
 * Whether the call was not sent, because no worker could be started for a log that was open before.
 */
function isWithoutWorker(error: unknown): boolean {
  return error instanceof TablogError && WITHOUT_WORKER.has(error.code);
}

/** Repeats `call` while no worker can be started, for `ms` at the most. */
export async function outlive<T>(
  connection: Connection,
  ms: number,
  call: () => Promise<T>,
): Promise<T> {
  const began = connection.clock.now();
  for (let failures = 1; ; failures++) {
    try {
      return await call();
    } catch (error) {
      const left = began + ms - connection.clock.now();
      if (!isWithoutWorker(error) || left <= 0) throw error;
      await backOff(connection, failures, left);
    }
  }
}

/** Whether a batch is sent again after the error; notes that its answer may have been lost. */
export function isSentAgain(attempted: Attempted, error: TablogError): boolean {
  if (error.outcome === 'unknown') attempted.mayBeStored = true;
  return (error.retriable && attempted.mayBeStored) || isAway(error);
}

/** Whether it is known of a batch that it is not stored, whatever became of earlier attempts. */
export function isCertain({ code }: TablogError): boolean {
  return CERTAIN.has(code);
}

/** What is told of what is not sent again. */
export function finalError(attempted: Attempted, error: TablogError): TablogError {
  if (!attempted.mayBeStored || error.code === 'OUTCOME_UNKNOWN') return error;
  if (isLogDeleted(error)) return error; // wherever the record was stored, the log is gone
  const happened = `it was sent ${attempted.attempts} times, and an answer was lost`;
  return new TablogError(OUTCOME_UNKNOWN, happened, { cause: error });
}
