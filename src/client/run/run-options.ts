import type { MessageBatch, MessageOf, RawMessage, TopicFilter } from '../message/message.ts';
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
  /**
   * Aborts when the message's partition may have gone to another member, and when the consumer
   * closes.
   */
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
  /**
   * How long before the first retry, in milliseconds; each later one waits twice as long. Default
   * 300.
   */
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
