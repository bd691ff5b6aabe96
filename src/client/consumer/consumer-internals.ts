import type { Connection } from '../connection/connection.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import type { MessageLoop } from '../poll/message-loop.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

export interface BatchesOptions {
  /** The most messages in one batch. Default 500. */
  readonly max?: number;
  /** How long a batch that is not full waits for more messages, in milliseconds. Default 0. */
  readonly maxWaitMs?: number;
}

export interface ConsumerInternals {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly readers: AssignedPartitions;
  readonly reading: MessageLoop;
  /**
   * Aborts when the consumer closes. The reason is `CLOSED` with `details.reason` 'deleted' where
   * the log was deleted.
   */
  readonly closing: AbortSignal;
}

/** The parts of a consumer that transactions commit with. */
export interface TransactionSource {
  /** The name of the consumer's log. */
  readonly log: string;
  readonly isClosed: boolean;
  readonly readers: AssignedPartitions;
  /** Whether the consumer commits processed messages by itself. */
  readonly commitsItself: boolean;
}

/**
 * The method by which transactions reach a consumer's partitions. Private fields cannot be read
 * through a Proxy of the consumer, and what a getter returns may be wrapped in another Proxy.
 */
export const TRANSACTION_SOURCE: unique symbol = Symbol('transactionSource');

/** The getter that tells whether a consumer is closing, so that its `memberId` is free again. */
export const IS_CLOSING: unique symbol = Symbol('isClosing');
