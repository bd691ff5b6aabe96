import { CLOSED, INTERNAL } from './error-rules.ts';
import type { ErrorCode, ErrorRule, Outcome } from './error-rule.ts';
import { errorMessage } from './error-text.ts';

/** Facts about an error that survive structured cloning: offsets, sizes, names. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

interface ErrorOptions {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/**
 * The one error class of tablog. A mistake in a call's arguments is a `TypeError` or a `RangeError`
 * instead; everything that can go wrong with a correct call is a `TablogError`.
 *
 * `message` says what happened, with the values, and then what to do next.
 */
export class TablogError extends Error implements ErrorRule {
  override readonly name = 'TablogError';
  readonly code: ErrorCode;
  /** The meaning of the error for a retry: see `Outcome`. */
  readonly outcome: Outcome;
  /** `true`: nothing was stored, and the same call may succeed later, unchanged. */
  readonly retriable: boolean;
  /** What happened, without the code and the next step. */
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

  /** The same error with more said about where it happened. */
  at(where: string, details: ErrorDetails): TablogError {
    return new TablogError(this, `${this.happened} (${where})`, {
      details: { ...this.details, ...details },
      cause: this.cause,
    });
  }
}

/**
 * The error that calls after `close()` reject with. `connection` is the signal of the log's
 * connection: its reason says whether the log was deleted.
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

/** Whether `error` says that the log was deleted, in this thread or in the worker. */
export function isLogDeleted(error: unknown): error is TablogError {
  return (
    error instanceof TablogError &&
    error.code === CLOSED.code &&
    error.details['reason'] === 'deleted'
  );
}

// What an error means for a retry. Nothing else in tablog asks that of an error: see `Outcome`.

/** Whether the call stored nothing, and may succeed once the worker or the storage is back. */
export function isPassing(error: unknown): error is TablogError {
  return hasOutcome(error, 'passing');
}

/** Whether the call may have been made, and its answer was lost. */
export function isUnknown(error: unknown): error is TablogError {
  return hasOutcome(error, 'unknown');
}

/**
 * Whether the worker or the storage was away when the call was made, or before it was answered. A
 * call that stores nothing, or that cannot store twice, is repeated then.
 */
export function isAway(error: unknown): error is TablogError {
  return isPassing(error) || isUnknown(error);
}

/**
 * Whether the same call may succeed later, unchanged: by itself, or once somebody has made room, as
 * on a full disk.
 */
export function maySucceedLater(error: unknown): error is TablogError {
  return isAway(error) || (error instanceof TablogError && error.retriable);
}

/** Whether another member or producer has taken over. */
export function isFenced(error: unknown): error is TablogError {
  return hasOutcome(error, 'fenced');
}

/** Whether a partition is not this member's any more: another one has it, or nobody, for good. */
export function isGone(error: unknown): error is TablogError {
  return isFenced(error) || (error instanceof TablogError && error.code === 'UNKNOWN_TOPIC');
}

function hasOutcome(error: unknown, outcome: Outcome): error is TablogError {
  return error instanceof TablogError && error.outcome === outcome;
}

/**
 * `error` as a `TablogError`: itself, or wrapped as a bug of ours with the original as its cause.
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
