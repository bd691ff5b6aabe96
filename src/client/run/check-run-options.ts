import {
  checkEach,
  checkFunction,
  checkInteger,
  checkMs,
  checkOneOf,
} from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';
import type { Message, MessageBatch } from '../message/message.ts';
import { MAX_POLL_RECORDS } from '../poll/message-loop.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';
import { checkDeadLetter } from '../poll/on-decode-error.ts';
import { ERROR_ACTIONS } from './error-decision.ts';
import type { ErrorPolicy } from './error-decision.ts';
import type { HandlerContext } from './run-options.ts';

/** The options of `run()`, checked, with the defaults filled in. */
export interface CheckedRunOptions extends ErrorPolicy {
  readonly handle: (
    subject: Message | MessageBatch,
    context: HandlerContext,
  ) => void | Promise<void>;
  /** The bounds of a batch; `undefined`: messages are handled one by one. */
  readonly batches: { readonly max: number; readonly maxWaitMs: number } | undefined;
  readonly concurrency: number;
}

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
    if (typeof value !== 'function') checkOneOf(name, value, ERROR_ACTIONS, 'a function');
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
 * `options` with the defaults filled in. `deadLetterTopic`: the option of the consumer, as the
 * default. Throws a `TypeError` or a `RangeError` for an option that breaks a rule.
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
  if ([checked.onError, checked.afterRetries].includes('deadLetter')) checkDeadLetter(checked);
  return checked;
}

/**
 * Throws a `TypeError` for an option without effect, such as `retries` where no message is retried.
 */
function checkEffect(given: Partial<Given>): void {
  const { onError = 'stop', afterRetries, deadLetterTopic } = given;
  const decides = typeof onError === 'function';
  const retrying = (['retries', 'afterRetries', 'backoffMs', 'maxBackoffMs'] as const).find(
    (name) => given[name] !== undefined,
  );
  if (retrying !== undefined && !decides && onError !== 'retry') {
    throw new TypeError(`${retrying} needs onError: 'retry', or a function`);
  }
  const usesDeadLetters = decides || onError === 'deadLetter' || afterRetries === 'deadLetter';
  if (deadLetterTopic === undefined || usesDeadLetters) return;
  throw new TypeError(
    "deadLetterTopic needs onError: 'deadLetter' or a function, or afterRetries: 'deadLetter'",
  );
}
