import { checkEach, checkFunction, checkInteger, checkMs, checkOneOf } from '../base/argument.ts';
import type { Checks } from '../base/argument.ts';
import type { Message, MessageBatch, MessageOf, RawMessage, TopicFilter } from './message.ts';
import { TURN_MESSAGES } from './reading.ts';
import { asTopic } from './topic.ts';
import type { TopicLike } from './topic.ts';

/**
 * What becomes of a message whose handler failed. 'retry': it is handled again after a while;
 * 'skip': it counts as processed; 'deadLetter': it goes to another topic, and counts as processed;
 * 'stop': `run` rejects with the error, and the message is the next to be read.
 */
export type ErrorAction = 'retry' | 'skip' | 'deadLetter' | 'stop';

/** 'retry' after this many milliseconds, which does not count as one of the `retries`. */
export interface RetryLater {
  readonly retryAfterMs: number;
}

/** A function that is given as `onError` returns one. */
export type ErrorDecision = ErrorAction | RetryLater;

export interface HandlerContext {
  /** Aborts when the message's partition may have gone to another member, and when the consumer closes. */
  readonly signal: AbortSignal;
  /** 1 the first time; each call counts. */
  readonly attempt: number;
  /**
   * An error to throw: the message is handled again in `ms` milliseconds (at most 24 days), as a
   * server's Retry-After says. It does not count as one of the `retries`, and `onError` is not asked.
   * Later messages that have to stay in order wait; the partition does not: when it is to move, it goes
   * at once, and the next member has the message. Throws a `RangeError` or `TypeError` for what is no
   * number of milliseconds.
   */
  readonly retryAfter: (ms: number, cause?: unknown) => Error;
}

/** The options of both kinds of handlers; `S` is what `onError` gets besides the error. */
interface HandlingOptions<S> {
  /**
   * The action when a handler throws, or a function that returns one. Default 'stop'.
   *
   * A record whose key or value cannot be decoded comes here, too, unless the consumer has an
   * `onDecodeError`: with a `SERDE` error, and key and value as bytes. No handler is called for it, and
   * as it would fail each time, 'retry' is what `afterRetries` says.
   */
  readonly onError?:
    | ErrorAction
    | ((error: unknown, subject: S, attempt: number) => ErrorDecision | Promise<ErrorDecision>);
  /** How often a message is retried; `Infinity`: for as long as it fails. Default 5; what comes then is `afterRetries`. */
  readonly retries?: number;
  /** Default 'stop'. */
  readonly afterRetries?: Exclude<ErrorAction, 'retry'>;
  /** How long before the first retry, in milliseconds; each later one waits twice as long. Default 300. */
  readonly backoffMs?: number;
  /** The longest wait before a retry, in milliseconds. Default 30,000. */
  readonly maxBackoffMs?: number;
  /**
   * Where 'deadLetter' puts messages: a topic that exists, and that the consumer does not name in its
   * `topics`. Default: the consumer's `deadLetterTopic`. The record is stored byte for byte, whatever
   * the topic's `maxRecordBytes` and `cleanup` say, with these headers behind its own: `tablog.topic`,
   * `tablog.partition` and `tablog.offset`, where it was first read; `tablog.attempts`, a number;
   * `tablog.error`, up to 1000 characters; `tablog.deadLetterTopic`, this topic.
   *
   * With a group it is stored in one transaction with the message's commit; in a topic in memory,
   * before it, and so perhaps twice.
   *
   * Where it is given, dead letters that lie in topics which the consumer reads by a pattern are passed
   * over: a message that fails is not read again as a dead letter of its own. To handle dead letters,
   * name their topic.
   */
  readonly deadLetterTopic?: TopicLike;
}

export interface RunOptions<T extends TopicFilter> extends HandlingOptions<
  MessageOf<T> | RawMessage
> {
  /** Called for each message; the message is processed when what this returns has settled. */
  readonly eachMessage: (message: MessageOf<T>, context: HandlerContext) => void | Promise<void>;
  /**
   * How many handlers run at a time. Default 1: one after the other. Messages of one key stay in
   * order within their partition whatever it is, and so do all messages without a key.
   */
  readonly concurrency?: number;
}

export interface BatchRunOptions<T extends TopicFilter> extends HandlingOptions<
  MessageBatch<T> | MessageBatch<string>
> {
  /**
   * Called for batches of messages, each of one partition. A batch is processed as a whole: when what
   * this returns has settled, and when it fails all of it is retried, skipped, or put into the
   * `deadLetterTopic`.
   */
  readonly eachBatch: (batch: MessageBatch<T>, context: HandlerContext) => void | Promise<void>;
  /** The most messages in one batch. Default 500. */
  readonly max?: number;
  /** How long a batch that is not full waits for more messages, in milliseconds. Default 0. */
  readonly maxWaitMs?: number;
  /**
   * How many handlers run at a time, each with another partition: those of one partition come one after
   * the other. Default 1.
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
  /** Of batches; `undefined`: messages are handled one by one. */
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
    if (typeof value !== 'function') checkOneOf(name, value, ACTIONS);
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
 * `options` with the defaults; `deadLetterTopic` is the consumer's. Throws a `TypeError` or a
 * `RangeError` for what breaks a rule.
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
    batches: eachBatch && { max: max ?? TURN_MESSAGES, maxWaitMs: maxWaitMs ?? 0 },
    concurrency: 1,
    onError: 'stop',
    retries: 5,
    afterRetries: 'stop',
    backoffMs: 300,
    maxBackoffMs: 30_000,
    deadLetterTopic,
    ...rest,
  };
  if ([checked.onError, checked.afterRetries].includes('deadLetter')) needTopic(checked);
  return checked;
}

function needTopic({ deadLetterTopic }: CheckedRunOptions): void {
  if (deadLetterTopic === undefined) throw new TypeError("'deadLetter' needs a deadLetterTopic");
}

/** The decision on a job that failed. */
export type Verdict = Exclude<ErrorAction, 'retry'> | RetryLater;

export interface Failure {
  readonly error: unknown;
  readonly subject: Subject;
  readonly attempt: number;
  /** How many attempts failed so far, those left out that were put off. */
  readonly failures: number;
  /** The job would fail again, however often it is tried. */
  readonly isFinal: boolean;
}

/** As `onError` says, while there are retries left. Throws what it throws, and for what is no action. */
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
    // Beyond this power the product is more than any timer can count, and with Infinity no number.
    const factor = 2 ** Math.min(failures - 1, 31);
    if (failures <= retries && !isFinal) {
      return { retryAfterMs: Math.min(backoffMs * factor, maxBackoffMs) };
    }
    decision = afterRetries;
  }
  if (decision === 'deadLetter') needTopic(options);
  return decision;
}
