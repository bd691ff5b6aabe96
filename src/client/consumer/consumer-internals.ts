import type { Connection } from '../connection/connection.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import type { MessageLoop } from '../poll/message-loop.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

/** Asks for batches as they are stored, instead of batches of messages. */
export interface RawBatchesOptions {
  readonly raw: true;
}

export interface BatchesOptions {
  /**
   * true: whole record batches as they are stored (`RawBatch`), not decoded, and so whatever their
   * serdes say; the other options do not go with it. Default false: messages. Set it to forward
   * bytes.
   */
  readonly raw?: false;
  /** The most messages in one batch. Default 500. */
  readonly max?: number;
  /** How long a batch that is not full waits for more messages, in milliseconds. Default 0. */
  readonly maxWaitMs?: number;
}

/** The parts of a consumer that `table()`, transactions and the log work with. */
export interface ConsumerInternals {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly readers: AssignedPartitions;
  readonly reading: MessageLoop;
  /** Whether the consumer commits processed messages by itself. */
  readonly commitsItself: boolean;
  /**
   * Aborts when the consumer closes. The reason is `CLOSED` with `details.reason` 'deleted' where
   * the log was deleted.
   */
  readonly closing: AbortSignal;
  /** Whether the consumer is closed: its 'revoked' listeners, which may commit, have settled. */
  readonly isClosed: boolean;
}

/**
 * The method that returns a consumer's internals. Private fields cannot be read through a Proxy of
 * the consumer, and what a getter returns may be wrapped in another Proxy.
 */
export const INTERNALS: unique symbol = Symbol('internals');
