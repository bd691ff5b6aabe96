import {
  checkEach,
  checkFunction,
  checkInteger,
  checkMs,
  checkOneOf,
} from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';
import type {
  Message,
  MessageBatch,
  MessageOf,
  RawMessage,
  TopicFilter,
} from '../message/message.ts';
import { MAX_POLL_RECORDS } from '../poll/message-loop.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';

/**
 * What becomes of a message whose handler failed. 'retry': it is handled again after a while;
 * 'skip': it counts as processed; 'deadLetter': it goes to another topic, and counts as processed;
 * 'stop': `run` rejects with the error, and the message is the next to be read.
 */
export type ErrorAction = 'retry' | 'skip' | 'deadLetter' | 'stop';

/**
 * A retry after this many milliseconds (at most 24 days). It does not count as one of the
 * `retries`.
 */
export interface RetryLater {
  readonly retryAfterMs: number;
}

/** The decision that a function given as `onError` returns. */
export type ErrorDecision = ErrorAction | RetryLater;

export interface HandlerContext {
  /** Aborts when the message's partition may have gone to another member, and when the consumer closes. */
  readonly signal: AbortSignal;
  /** The number of this call of the handler, from 1; calls after `retryAfter` count as well. */
  readonly attempt: number;
  /**
   * Makes an error to throw: the message is handled again in `ms` milliseconds (at most 24 days),
   * as a server's Retry-After says. The wait does not count as one of the `retries`, and `onError`
   * is not asked. Later messages that must stay in order wait. The partition does not: when it is
   * to move, it moves at once, and the next member handles the message. Throws a `RangeError` or
   * `TypeError` where `ms` is no such number.
   */
  readonly retryAfter: (ms: number, cause?: unknown) => Error;
}

/**
 * The options of both kinds of handlers; `S` is the subject that `onError` gets besides the error.
 */
interface HandlingOptions<S> {
  /**
   * The action when a handler throws, or a function that returns one. Default 'stop'.
   *
   * A record whose key or value cannot be decoded comes here as well, unless the consumer has an
   * `onDecodeError`: with a `SERDE` error, and key and value as bytes. No handler is called for it.
   * Because decoding would fail each time, 'retry' means what `afterRetries` says.
   */
  readonly onError?:
    | ErrorAction
    | ((error: unknown, subject: S, attempt: number) => ErrorDecision | Promise<ErrorDecision>);
  /**
   * How often a message is retried before `afterRetries` applies; `Infinity`: for as long as it
   * fails. Default 5.
   */
  readonly retries?: number;
  /** Default 'stop'. */
  readonly afterRetries?: Exclude<ErrorAction, 'retry'>;
  /** How long before the first retry, in milliseconds; each later one waits twice as long. Default 300. */
  readonly backoffMs?: number;
  /** The longest wait before a retry, in milliseconds. Default 30,000. */
  readonly maxBackoffMs?: number;
  /**
   * Where 'deadLetter' puts messages: a topic that exists, and that the consumer does not name in
   * its `topics`. Default: the consumer's `deadLetterTopic`. The record is stored byte for byte,
   * whatever the topic's `maxRecordBytes` and `cleanup` say, with these headers behind its own:
   * `tablog.topic`, `tablog.partition` and `tablog.offset`, where the record was first read;
   * `tablog.attempts`, a number; `tablog.error`, up to 1000 characters; `tablog.deadLetterTopic`,
   * this topic.
   *
   * With a group the record is stored in one transaction with the message's commit. In a topic in
   * memory it is stored before the commit, and so perhaps twice.
   *
   * Where the option is given, dead letters in topics that the consumer reads by a pattern are
   * passed over: a message that fails is not read again as a dead letter of its own. To handle dead
   * letters, name their topic.
   */
  readonly deadLetterTopic?: TopicLike;
}

export interface RunOptions<T extends TopicFilter> extends HandlingOptions<
  MessageOf<T> | RawMessage
> {
  /**
   * Called for each message; the message is processed when the handler returns, or its promise
   * resolves.
   */
  readonly eachMessage: (message: MessageOf<T>, context: HandlerContext) => void | Promise<void>;
  /**
   * How many handlers run at a time, an integer of at least 1. Default 1: one after the other. At
   * any number, messages of one key stay in order within their partition, and so do all messages
   * without a key. Raise it for handlers that wait for a network.
   */
  readonly concurrency?: number;
}

export interface BatchRunOptions<T extends TopicFilter> extends HandlingOptions<
  MessageBatch<T> | MessageBatch<string>
> {
  /**
   * Called for batches of messages, each of one partition. A batch is processed as a whole, when
   * the handler returns or its promise resolves; a batch that fails is retried, skipped, or put
   * into the `deadLetterTopic` as a whole.
   */
  readonly eachBatch: (batch: MessageBatch<T>, context: HandlerContext) => void | Promise<void>;
  /** The most messages in one batch, an integer of at least 1. Default 500. */
  readonly max?: number;
  /**
   * How long a batch that is not full waits for more messages, in milliseconds. Default 0: a batch
   * has what is at hand. Raise it for fewer, larger batches.
   */
  readonly maxWaitMs?: number;
  /**
   * How many handlers run at a time, each with another partition: batches of one partition come one
   * after the other. An integer of at least 1. Default 1.
   */
  readonly concurrency?: number;
}

type Subject = Message | MessageBatch;

type OnError = (
  error: unknown,
  subject: Subject,
  attempt: number,
) => ErrorDecision | Promise<ErrorDecision>;

export interface CheckedRunOptions {
  readonly handle: (subject: Subject, context: HandlerContext) => void | Promise<void>;
  /** The bounds of batches; `undefined`: messages are handled one by one. */
  readonly batches: { readonly max: number; readonly maxWaitMs: number } | undefined;
  readonly concurrency: number;
  readonly onError: ErrorAction | OnError;
  readonly retries: number;
  readonly afterRetries: Exclude<ErrorAction, 'retry'>;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly deadLetterTopic: TopicLike | undefined;
}

const ACTIONS: readonly ErrorAction[] = ['retry', 'skip', 'deadLetter', 'stop'];

type Given = Omit<CheckedRunOptions, 'handle' | 'batches'> & {
  readonly eachMessage: CheckedRunOptions['handle'];
  readonly eachBatch: CheckedRunOptions['handle'];
  readonly max: number;
  readonly maxWaitMs: number;
};

const CHECKS: Checks<Given> = {
  eachMessage: (_, value) => checkFunction('run() takes an eachMessage function', value),
  eachBatch: (_, value) => checkFunction('run() takes an eachBatch function', value),
  max: (name, value) => checkInteger(name, value, 1),
  maxWaitMs: checkMs,
  concurrency: (name, value) => checkInteger(name, value, 1),
  onError: (name, value) => {
    if (typeof value !== 'function') checkOneOf(name, value, ACTIONS, 'a function');
  },
  retries: (name, value) => {
    if (value !== Infinity) checkInteger(name, value, 0);
  },
  afterRetries: (name, value) => checkOneOf(name, value, ['skip', 'deadLetter', 'stop']),
  backoffMs: checkMs,
  maxBackoffMs: checkMs,
  deadLetterTopic: (_, value) => void asTopic(value as TopicLike),
};

/**
 * `options` with the defaults filled in; `deadLetterTopic` is the consumer's. Throws a `TypeError`
 * or a `RangeError` for what breaks a rule.
 */
export function checkRunOptions(options: object, deadLetterTopic?: TopicLike): CheckedRunOptions {
  const given = checkEach<Partial<Given>>('run()', options, CHECKS);
  const { eachMessage, eachBatch, max, maxWaitMs, ...rest } = given;
  const handle = eachMessage ?? eachBatch;
  if (handle === undefined) checkFunction('run() takes an eachMessage or an eachBatch', handle);
  if (eachMessage !== undefined) {
    const needless = (['eachBatch', 'max', 'maxWaitMs'] as const).find((name) => name in given);
    if (needless === 'eachBatch') throw new TypeError('run() takes eachMessage or eachBatch');
    if (needless !== undefined) throw new TypeError(`${needless} needs eachBatch`);
  }
  const checked: CheckedRunOptions = {
    handle: handle!,
    batches: eachBatch && { max: max ?? MAX_POLL_RECORDS, maxWaitMs: maxWaitMs ?? 0 },
    concurrency: 1,
    onError: 'stop',
    retries: 5,
    afterRetries: 'stop',
    backoffMs: 300,
    maxBackoffMs: 30_000,
    deadLetterTopic,
    ...rest,
  };
  checkEffect(given);
  if ([checked.onError, checked.afterRetries].includes('deadLetter')) needTopic(checked);
  return checked;
}

/** Throws a `TypeError` for an option that nothing comes of, as retries where nothing is retried. */
function checkEffect(given: Partial<Given>): void {
  const { onError = 'stop', afterRetries, deadLetterTopic } = given;
  const decides = typeof onError === 'function';
  const retrying = (['retries', 'afterRetries', 'backoffMs', 'maxBackoffMs'] as const).find(
    (name) => given[name] !== undefined,
  );
  if (retrying !== undefined && !decides && onError !== 'retry') {
    throw new TypeError(`${retrying} needs onError: 'retry', or a function`);
  }
  const buries = decides || onError === 'deadLetter' || afterRetries === 'deadLetter';
  if (deadLetterTopic === undefined || buries) return;
  throw new TypeError(
    "deadLetterTopic needs onError: 'deadLetter' or a function, or afterRetries: 'deadLetter'",
  );
}

function needTopic({ deadLetterTopic }: CheckedRunOptions): void {
  if (deadLetterTopic === undefined) throw new TypeError("'deadLetter' needs a deadLetterTopic");
}

/** The decision on a job whose attempt failed. */
export type Verdict = Exclude<ErrorAction, 'retry'> | RetryLater;

export interface Failure {
  readonly error: unknown;
  readonly subject: Subject;
  readonly attempt: number;
  /** The attempts that failed so far, without those that `retryAfter` put off. */
  readonly failures: number;
  /** Whether the job would fail at every attempt. */
  readonly isFinal: boolean;
}

/**
 * The decision of `onError` while retries are left, else of `afterRetries`. Throws what `onError`
 * throws, and a `TypeError` where it returns no action.
 */
export async function verdictOn(
  options: CheckedRunOptions,
  { error, subject, attempt, failures, isFinal }: Failure,
): Promise<Verdict> {
  const { onError, retries, afterRetries, backoffMs, maxBackoffMs } = options;
  let decision = typeof onError === 'function' ? await onError(error, subject, attempt) : onError;
  if (typeof decision === 'object' && decision !== null) {
    checkMs('retryAfterMs of what onError returns', decision.retryAfterMs);
    if (!isFinal) return decision;
    decision = 'retry';
  }
  checkOneOf('what onError returns', decision, ACTIONS);
  if (decision === 'retry') {
    // A higher power exceeds every timer, and Infinity times a `backoffMs` of 0 is NaN.
    const factor = 2 ** Math.min(failures - 1, 31);
    if (failures <= retries && !isFinal) {
      return { retryAfterMs: Math.min(backoffMs * factor, maxBackoffMs) };
    }
    decision = afterRetries;
  }
  if (decision === 'deadLetter') needTopic(options);
  return decision;
}
