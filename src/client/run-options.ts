import { checkEach, checkFunction, checkInteger, checkMs, checkOneOf } from '../base/argument.ts';
import type { Checks } from '../base/argument.ts';
import type { Message, MessageOf, TopicFilter } from './message.ts';
import { asTopic } from './topic.ts';
import type { TopicLike } from './topic.ts';

/**
 * What becomes of a message whose handler failed. 'retry': it is handled again after a while;
 * 'skip': it counts as processed; 'deadLetter': it goes to another topic, and counts as processed;
 * 'stop': `run` rejects with the error, and the message is the next to be read.
 */
export type ErrorAction = 'retry' | 'skip' | 'deadLetter' | 'stop';

export interface HandlerContext {
  /** Aborts when the message's partition may have gone to another member, and when the consumer closes. */
  readonly signal: AbortSignal;
  /** 1 the first time. */
  readonly attempt: number;
}

export interface RunOptions<T extends TopicFilter> {
  /** Called for each message; the message is processed when what this returns has settled. */
  readonly eachMessage: (message: MessageOf<T>, context: HandlerContext) => void | Promise<void>;
  /**
   * How many handlers run at a time. Default 1: one after the other. Messages of one key stay in
   * order within their partition whatever it is, and so do all messages without a key.
   */
  readonly concurrency?: number;
  /** What to do when a handler throws, or a function that says so. Default 'stop'. */
  readonly onError?:
    | ErrorAction
    | ((
        error: unknown,
        message: MessageOf<T>,
        attempt: number,
      ) => ErrorAction | Promise<ErrorAction>);
  /** How often a message is retried. Default 5; what comes then is `afterRetries`. */
  readonly retries?: number;
  /** Default 'stop'. */
  readonly afterRetries?: Exclude<ErrorAction, 'retry'>;
  /** How long before the first retry, in milliseconds; each later one waits twice as long. Default 300. */
  readonly backoffMs?: number;
  /** The longest wait before a retry, in milliseconds. Default 30,000. */
  readonly maxBackoffMs?: number;
  /** Where 'deadLetter' puts messages: a topic that exists. */
  readonly deadLetterTopic?: TopicLike;
}

type OnError = (
  error: unknown,
  message: Message,
  attempt: number,
) => ErrorAction | Promise<ErrorAction>;

export interface CheckedRunOptions {
  readonly eachMessage: (message: Message, context: HandlerContext) => void | Promise<void>;
  readonly concurrency: number;
  readonly onError: ErrorAction | OnError;
  readonly retries: number;
  readonly afterRetries: Exclude<ErrorAction, 'retry'>;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly deadLetterTopic: TopicLike | undefined;
}

const ACTIONS: readonly ErrorAction[] = ['retry', 'skip', 'deadLetter', 'stop'];

const CHECKS: Checks<CheckedRunOptions> = {
  eachMessage: () => {}, // it has to be there, too
  concurrency: (name, value) => checkInteger(name, value, 1),
  onError: (name, value) => {
    if (typeof value !== 'function') checkOneOf(name, value, ACTIONS);
  },
  retries: (name, value) => checkInteger(name, value, 0),
  afterRetries: (name, value) => checkOneOf(name, value, ['skip', 'deadLetter', 'stop']),
  backoffMs: checkMs,
  maxBackoffMs: checkMs,
  deadLetterTopic: (_, value) => void asTopic(value as TopicLike),
};

/** `options` with the defaults. Throws a `TypeError` or a `RangeError` for what breaks a rule. */
export function checkRunOptions<T extends TopicFilter>(options: RunOptions<T>): CheckedRunOptions {
  const checked = {
    concurrency: 1,
    onError: 'stop',
    retries: 5,
    afterRetries: 'stop',
    backoffMs: 300,
    maxBackoffMs: 30_000,
    ...checkEach<Partial<CheckedRunOptions>>('run()', options as never, CHECKS),
  };
  const { eachMessage, onError, afterRetries, deadLetterTopic } = checked;
  checkFunction('run() takes an eachMessage function', eachMessage);
  if (deadLetterTopic === undefined && [onError, afterRetries].includes('deadLetter')) {
    throw new TypeError("'deadLetter' needs a deadLetterTopic");
  }
  return checked as CheckedRunOptions;
}

/** What to do about a failure: as `onError` says, while there are retries left. */
export async function actionFor(
  { onError, retries, afterRetries, deadLetterTopic }: CheckedRunOptions,
  error: unknown,
  message: Message,
  attempt: number,
): Promise<ErrorAction> {
  const wanted = typeof onError === 'function' ? await onError(error, message, attempt) : onError;
  checkOneOf('what onError returns', wanted, ACTIONS);
  const action = wanted === 'retry' && attempt > retries ? afterRetries : wanted;
  if (action === 'deadLetter' && deadLetterTopic === undefined) {
    throw new TypeError("'deadLetter' needs a deadLetterTopic");
  }
  return action;
}
