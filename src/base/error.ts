import { CLOSED, INTERNAL, UNKNOWN_TOPIC } from './error-rules.ts';
import type { ErrorCode, ErrorRule, Outcome } from './error-rule.ts';
import { errorMessage } from './error-text.ts';

/** Facts about an error that survive structured cloning: offsets, sizes, names. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

interface ErrorOptions {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/**
 * The error class of tablog. Wrong arguments of a call throw a `TypeError` or a `RangeError`
 * instead; every failure of a correct call is a `TablogError`.
 *
 * `message` has the code, what happened with the values, and the next step.
 */
export class TablogError extends Error implements ErrorRule {
  override readonly name = 'TablogError';
  readonly code: ErrorCode;
  /** The meaning of the error for a retry: see `Outcome`. */
  readonly outcome: Outcome;
  /** `true`: nothing was stored, and the same call may succeed later, unchanged. */
  readonly retriable: boolean;
  /** The part of `message` without the code and the next step. */
  readonly happened: string;
  readonly next: string;
  readonly details: ErrorDetails;

  constructor(
    { code, outcome, retriable, next }: ErrorRule,
    happened: string,
    options: ErrorOptions = {},
  ) {
    const { cause, details = {} } = options;
    super(`${code}: ${happened}. ${next}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.outcome = outcome;
    this.retriable = retriable;
    this.happened = happened;
    this.next = next;
    this.details = details;
  }

  /** The same error with the place where it happened, in the message and in the details. */
  at(where: string, details: ErrorDetails): TablogError {
    return new TablogError(this, `${this.happened} (${where})`, {
      details: { ...this.details, ...details },
      cause: this.cause,
    });
  }
}

/**
 * The error that calls after `close()` reject with. `connection` is the signal of the log's
 * connection: the signal's reason is the error of a deletion, where the log was deleted.
 */
export function closed(
  what: 'producer' | 'consumer' | 'table',
  connection?: AbortSignal,
): TablogError {
  const why: unknown = connection?.reason;
  return isLogDeleted(why) ? why : new TablogError(CLOSED, `the ${what} is closed`);
}

/** The error of every handle of a log that was deleted. */
export function logDeleted(log: string): TablogError {
  return new TablogError(CLOSED, `the log '${log}' was deleted`, {
    details: { log, reason: 'deleted' },
  });
}

/** Whether `error` is the error of a deleted log, made in this thread or in the worker. */
export function isLogDeleted(error: unknown): error is TablogError {
  return (
    error instanceof TablogError &&
    error.code === CLOSED.code &&
    error.details['reason'] === 'deleted'
  );
}

/** The error for a name that no topic of the log has. */
export function unknownTopic(topic: string): TablogError {
  return new TablogError(UNKNOWN_TOPIC, `there is no topic '${topic}'`, { details: { topic } });
}

// The meaning of an error for a retry: see `Outcome`. All code of tablog decides about retries by
// these functions.

/** Whether the call stored nothing, and may succeed once the worker or the storage is back. */
export function isPassing(error: unknown): error is TablogError {
  return hasOutcome(error, 'passing');
}

/** Whether the answer was lost, so that the call may have had its effect. */
export function isUnknown(error: unknown): error is TablogError {
  return hasOutcome(error, 'unknown');
}

/**
 * Whether the worker or the storage was away at the call or before the answer. A caller then
 * retries a call that stores nothing, or that cannot store twice.
 */
export function isAway(error: unknown): error is TablogError {
  return isPassing(error) || isUnknown(error);
}

/**
 * Whether the same call may succeed later, unchanged: without any action, or after an action
 * elsewhere, such as freed storage.
 */
export function maySucceedLater(error: unknown): error is TablogError {
  return isAway(error) || (error instanceof TablogError && error.retriable);
}

/** Whether another member or producer has taken over. */
export function isFenced(error: unknown): error is TablogError {
  return hasOutcome(error, 'fenced');
}

/**
 * Whether the member has lost a partition for good: another member has the partition, or its topic
 * was deleted.
 */
export function isGone(error: unknown): error is TablogError {
  return isFenced(error) || (error instanceof TablogError && error.code === UNKNOWN_TOPIC.code);
}

function hasOutcome(error: unknown, outcome: Outcome): error is TablogError {
  return error instanceof TablogError && error.outcome === outcome;
}

/**
 * `error` as a `TablogError`. Any other value becomes the cause of an `INTERNAL` error, because it
 * is a bug of tablog.
 */
export function toTablogError(error: unknown): TablogError {
  if (isTablogError(error)) return error;
  return new TablogError(INTERNAL, errorMessage(error), { cause: error });
}

/** `instanceof` that returns false, instead of throwing, for a Proxy with a throwing trap. */
function isTablogError(error: unknown): error is TablogError {
  try {
    return error instanceof TablogError;
  } catch {
    return false;
  }
}
