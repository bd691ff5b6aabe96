import type { Connection } from '../connection/connection.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import type { MessageLoop } from '../poll/message-loop.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

/** The options of `batches()` for stored record batches instead of batches of messages. */
export interface RawBatchesOptions {
  readonly raw: true;
}

export interface BatchesOptions {
  /**
   * true: whole record batches as they are stored (`RawBatch`). No serde is called, and `max` and
   * `maxWaitMs` are not allowed. Default false: messages. Set it to forward bytes.
   */
  readonly raw?: false;
  /**
   * The most messages in one batch, an integer of at least 1. Default 500 (Kafka's
   * `max.poll.records`).
   */
  readonly max?: number;
  /**
   * How long a batch that is not full waits for more messages, in milliseconds. Default 0: a batch
   * has the messages that are fetched already.
   */
  readonly maxWaitMs?: number;
}

/** The parts of a consumer that `table()`, transactions, stored batches and the log use. */
export interface ConsumerInternals {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly readers: AssignedPartitions;
  readonly loop: MessageLoop;
  /**
   * Whether the consumer commits processed messages automatically (Kafka's `enable.auto.commit`).
   */
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
 * The name of the method that returns a consumer's internals. A method works where a consumer is
 * behind a Proxy of a reactive library: private fields cannot be read through the Proxy, and the
 * Proxy may wrap the value of a getter in another Proxy.
 */
export const INTERNALS: unique symbol = Symbol('internals');
