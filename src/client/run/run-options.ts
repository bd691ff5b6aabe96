import type { MessageBatch, MessageOf, RawMessage, TopicFilter } from '../message/message.ts';
import type { TopicLike } from '../topics/topic.ts';

/**
 * The action for a message whose handler failed. 'retry': the message is handled again after a
 * delay. 'skip': the message counts as processed. 'deadLetter': the message is stored in the
 * `deadLetterTopic`, and counts as processed. 'stop': `run` rejects with the error, and the message
 * is the next message of its partition.
 */
export type ErrorAction = 'retry' | 'skip' | 'deadLetter' | 'stop';

/**
 * A retry after `retryAfterMs` milliseconds (at most 24 days). The retry does not count as one of
 * the `retries`.
 */
export interface RetryLater {
  readonly retryAfterMs: number;
}

/** The decision that an `onError` function returns. */
export type ErrorDecision = ErrorAction | RetryLater;

export interface HandlerContext {
  /**
   * Aborts when the message's partition may have gone to another member, and when the consumer
   * closes.
   */
  readonly signal: AbortSignal;
  /**
   * The number of this call of the handler for the message, from 1. Calls after `retryAfter` count
   * as well.
   */
  readonly attempt: number;
  /**
   * Makes an error for the handler to throw: the message is handled again in `ms` milliseconds (at
   * most 24 days), as after a server's Retry-After header. The wait does not count as one of the
   * `retries`, and `onError` is not called. Later messages that must stay in order wait as well. A
   * rebalance does not wait: the partition moves at once, and the next member handles the message.
   * Throws a `RangeError` or `TypeError` where `ms` is no such number.
   */
  readonly retryAfter: (ms: number, cause?: unknown) => Error;
}

/**
 * The options of both kinds of handlers. `S`: the type of the message or batch that `onError` gets
 * besides the error.
 */
interface HandlingOptions<S> {
  /**
   * The action when a handler throws, or a function that returns one. Default 'stop'.
   *
   * `onError` also decides about a record whose key or value cannot be decoded, unless the consumer
   * has an `onDecodeError`. The error is then `SERDE`, the message has key and value as bytes, and
   * no handler is called. The action 'retry' then means `afterRetries`, because decoding would fail
   * each time.
   */
  readonly onError?:
    | ErrorAction
    | ((error: unknown, subject: S, attempt: number) => ErrorDecision | Promise<ErrorDecision>);
  /**
   * The number of retries before `afterRetries` applies; `Infinity`: the message is retried for as
   * long as its handler fails. Default 5.
   */
  readonly retries?: number;
  /** The action after the last retry. Default 'stop'. */
  readonly afterRetries?: Exclude<ErrorAction, 'retry'>;
  /**
   * The wait before the first retry, in milliseconds (Kafka's `retry.backoff.ms`). Each later wait
   * is twice as long, up to `maxBackoffMs`. Default 300.
   */
  readonly backoffMs?: number;
  /** The longest wait before a retry, in milliseconds. Default 30,000. */
  readonly maxBackoffMs?: number;
  /**
   * The topic in which 'deadLetter' stores messages. The topic must exist, and the consumer must
   * not name the topic in its `topics`. Default: the consumer's `deadLetterTopic`. The record is
   * stored byte for byte, without a check of the topic's `maxRecordBytes` and `cleanup`, with these
   * headers behind its own: `tablog.topic`, `tablog.partition` and `tablog.offset`, the place where
   * the record was first read; `tablog.attempts`, a number; `tablog.error`, up to 1000 characters;
   * `tablog.deadLetterTopic`, this topic.
   *
   * With a group the record is stored in one transaction with the message's commit. In a topic in
   * memory the record is stored before the commit, and so possibly twice.
   *
   * With this option, `run()` passes over dead letters in topics that the consumer reads by a
   * pattern, so that a failed message is not read again as its own dead letter. To handle dead
   * letters, name their topic in `topics`.
   */
  readonly deadLetterTopic?: TopicLike;
}

export interface RunOptions<T extends TopicFilter> extends HandlingOptions<
  MessageOf<T> | RawMessage
> {
  /**
   * The handler of a message. A message is processed when the handler has returned, or the
   * handler's promise has resolved.
   */
  readonly eachMessage: (message: MessageOf<T>, context: HandlerContext) => void | Promise<void>;
  /**
   * The most handlers that run at the same time, an integer of at least 1. Default 1: one after the
   * other. With any number, messages of one key stay in order within their partition, and so do all
   * messages without a key. Raise it for handlers that wait for a network.
   */
  readonly concurrency?: number;
}

export interface BatchRunOptions<T extends TopicFilter> extends HandlingOptions<
  MessageBatch<T> | MessageBatch<string>
> {
  /**
   * The handler of a batch of messages of one partition. A batch is processed as a whole, when the
   * handler has returned or the handler's promise has resolved. A failed batch is retried, skipped,
   * or stored in the `deadLetterTopic` as a whole.
   */
  readonly eachBatch: (batch: MessageBatch<T>, context: HandlerContext) => void | Promise<void>;
  /** The most messages in one batch, an integer of at least 1. Default 500. */
  readonly max?: number;
  /**
   * How long a batch that is not full waits for more messages, in milliseconds. Default 0: a batch
   * has the messages that are fetched already. Raise it for fewer, larger batches.
   */
  readonly maxWaitMs?: number;
  /**
   * The most handlers that run at the same time, an integer of at least 1. Default 1. Each handler
   * has another partition, because batches of one partition are handled one after the other.
   */
  readonly concurrency?: number;
}
