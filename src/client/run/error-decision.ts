import { checkDeadLetter } from '../poll/on-decode-error.ts';
import { checkMs, checkOneOf } from '../../base/argument.ts';
import type { Message, MessageBatch } from '../message/message.ts';
import type { TopicLike } from '../topics/topic.ts';
import type { ErrorAction, ErrorDecision, RetryLater } from './run-options.ts';

/** The options of `run()` that decide about the error of a handler. */
export interface ErrorPolicy {
  readonly onError:
    | ErrorAction
    | ((
        error: unknown,
        subject: Message | MessageBatch,
        attempt: number,
      ) => ErrorDecision | Promise<ErrorDecision>);
  readonly retries: number;
  readonly afterRetries: Exclude<ErrorAction, 'retry'>;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly deadLetterTopic: TopicLike | undefined;
}

export interface FailedAttempt {
  readonly error: unknown;
  readonly subject: Message | MessageBatch;
  readonly attempt: number;
  /** The number of attempts that failed so far, without those that ended with `retryAfter`. */
  readonly failures: number;
  /** Whether every further attempt would fail. */
  readonly isFinal: boolean;
}

/** A decision in which 'retry' has become a delay or, after the last retry, another action. */
export type ResolvedDecision = Exclude<ErrorAction, 'retry'> | RetryLater;

export const ERROR_ACTIONS: readonly ErrorAction[] = ['retry', 'skip', 'deadLetter', 'stop'];

/**
 * The decision of `onError` while retries are left, else of `afterRetries`. Throws the error that
 * `onError` throws, and a `TypeError` where `onError` returns no action.
 */
export async function resolveDecision(
  policy: ErrorPolicy,
  { error, subject, attempt, failures, isFinal }: FailedAttempt,
): Promise<ResolvedDecision> {
  const { onError, retries, afterRetries, backoffMs, maxBackoffMs } = policy;
  let decision = typeof onError === 'function' ? await onError(error, subject, attempt) : onError;
  if (typeof decision === 'object' && decision !== null) {
    checkMs('retryAfterMs of what onError returns', decision.retryAfterMs);
    if (!isFinal) return decision;
    decision = 'retry';
  }
  checkOneOf('what onError returns', decision, ERROR_ACTIONS);
  if (decision === 'retry') {
    // A higher power exceeds every timer, and Infinity times a `backoffMs` of 0 is NaN.
    const factor = 2 ** Math.min(failures - 1, 31);
    if (failures <= retries && !isFinal) {
      return { retryAfterMs: Math.min(backoffMs * factor, maxBackoffMs) };
    }
    decision = afterRetries;
  }
  if (decision === 'deadLetter') checkDeadLetter(policy);
  return decision;
}
