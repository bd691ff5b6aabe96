import {
  checkArray,
  checkBoolean,
  checkInteger,
  checkMs,
  withDefaults,
} from '../../base/argument.ts';
import { Closable, bindFacade } from '../../base/handle.ts';
import type { Connection } from '../connection/connection.ts';
import type {
  AssignedPartition,
  ConsumerEvents,
  ConsumerListener,
} from '../fetch/consumer-events.ts';
import { partitionsEvent } from '../fetch/consumer-events.ts';
import { ConsumerDelegate } from './consumer-delegate.ts';
import { checkConsumerOptions } from './consumer-options.ts';
import type { ConsumerOptions } from './consumer-options.ts';
import type { Position } from '../fetch/position.ts';
import type { OffsetToCommit } from './offset-to-commit.ts';
import type { MessageBatch, MessageOf, RawBatch, TopicFilter } from '../message/message.ts';
import { lazyStoredBatches } from '../poll/lazy-stored-batches.ts';
import { MAX_POLL_RECORDS } from '../poll/message-loop.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import { INTERNALS } from './consumer-internals.ts';
import type { BatchesOptions, ConsumerInternals, RawBatchesOptions } from './consumer-internals.ts';
import type { BatchRunOptions, RunOptions } from '../run/run-options.ts';
import type { TopicLike } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

/**
 * Reads every partition of its topics or, with a group, the partitions that the group assigns to
 * the consumer. Made by `log.consumer()`; close the consumer, or the log, when done.
 *
 * A consumer fetches only while a loop reads. Leaving a loop stops the fetching, and another loop
 * goes on with the next message. With automatic commits, the message in hand when a loop is left,
 * by `break` or by an error, is not committed and is delivered again, unless its `commit()` was
 * called.
 */
export class Consumer<T extends TopicFilter = TopicLike>
  extends Closable
  implements AsyncIterable<MessageOf<T>>
{
  readonly group: string | undefined;
  /** The consumer's name in its group; `undefined` without a group. */
  readonly memberId: string | undefined;
  readonly #delegate: ConsumerDelegate;

  constructor(
    connection: Connection,
    topicMetadata: TopicMetadata,
    options: ConsumerOptions<T>,
    onClosed: () => void = () => {},
  ) {
    super();
    bindFacade(this);
    const checked = checkConsumerOptions(options);
    this.#delegate = new ConsumerDelegate(connection, topicMetadata, checked, onClosed);
    this.group = this.#delegate.group;
    this.memberId = this.#delegate.memberId;
  }

  /**
   * Resolves when every partition has its position. In a group: when the consumer has joined, has
   * every partition of its target assignment, and its 'assigned' listeners have settled. While the
   * worker or the storage is away `ready` waits, as loops do. Rejects with `UNKNOWN_TOPIC`
   * (`mustExist`), `MEMBER_EXISTS`, `INCONSISTENT_GROUP_PROTOCOL`, `CLOSED`, and any other error
   * that keeps the consumer from starting.
   *
   * A listener may await `ready`: the wait for listeners then ends after a second at the most, and
   * at once for a listener that reads `ready` before the listener's own first `await`.
   */
  get ready(): Promise<void> {
    return this.#delegate.ready;
  }

  /** The partitions that the consumer reads now. */
  get assignment(): readonly AssignedPartition[] {
    return partitionsEvent(this.#delegate.readers.all).partitions;
  }

  /**
   * Calls `listener` when the group assigns or revokes partitions; returns a function that removes
   * the listener. An error of a listener is reported as an uncaught error (`reportError`), and
   * reading goes on.
   */
  on<E extends keyof ConsumerEvents>(event: E, listener: ConsumerListener<E>): () => void {
    return this.#delegate.listeners.add(event, listener);
  }

  /**
   * Delivers one message after the other, from all partitions in turn. The loop ends when the
   * consumer is closed. Throws `CLOSED` when the log was deleted. Throws `OFFSET_OUT_OF_RANGE`,
   * `UNKNOWN_TOPIC`, `LOG_CORRUPT`, `BATCH_CORRUPT` and any other error that stops a partition;
   * each new loop throws the error again, until a `seek` moves the partition.
   */
  [Symbol.asyncIterator](): AsyncIterator<MessageOf<T>, undefined, undefined> {
    return this.#delegate.loop.messages() as AsyncIterator<MessageOf<T>, undefined, undefined>;
  }

  /**
   * Batches of up to `max` messages, each of one partition. Ends and throws as the iterator of
   * messages does.
   */
  batches(options?: BatchesOptions): AsyncGenerator<MessageBatch<T>, void, undefined>;
  /**
   * Whole record batches as they are stored, without the control batches of transactions. Raw
   * batches are delivered, committed and delivered again as batches of messages are.
   */
  batches(options: RawBatchesOptions): AsyncGenerator<RawBatch<T>, void, undefined>;
  batches(
    options: BatchesOptions | RawBatchesOptions = {},
  ): AsyncGenerator<MessageBatch<T> | RawBatch<T>, void, undefined> {
    const batches = options?.raw ? this.#storedBatches(options) : this.#messageBatches(options);
    return batches as AsyncGenerator<MessageBatch<T> | RawBatch<T>, void, undefined>;
  }

  #messageBatches(options: object): AsyncGenerator<MessageBatch, void, undefined> {
    const defaults = { max: MAX_POLL_RECORDS, maxWaitMs: 0, raw: false };
    const checked = withDefaults<typeof defaults>('batches()', options, defaults);
    const { max, maxWaitMs, raw } = checked;
    checkBoolean('raw', raw);
    checkInteger('max', max, 1);
    checkMs('maxWaitMs', maxWaitMs);
    return this.#delegate.loop.batches(max, maxWaitMs);
  }

  #storedBatches(options: object): AsyncGenerator<RawBatch, void, undefined> {
    const { storedBatches } = lazyStoredBatches.mustGet();
    return storedBatches(options, this.#delegate.internals);
  }

  /**
   * Calls a handler for each message, until the consumer is closed. `onError` decides about a
   * message whose handler throws. By default `run` rejects with the error, and the message is the
   * next message of its partition.
   */
  run(options: RunOptions<T>): Promise<void>;
  /** Runs a handler for batches of messages, each batch of one partition. */
  run(options: BatchRunOptions<T>): Promise<void>;
  async run(options: RunOptions<T> | BatchRunOptions<T>): Promise<void> {
    await this.#delegate.run(options as RunOptions<TopicFilter> | BatchRunOptions<TopicFilter>);
  }

  /**
   * Commits offsets of partitions that the consumer has (Kafka's `commitSync`). The offset to
   * commit is the offset of the next record to read. Resolves when the offsets are stored. The
   * `commit()` of a message or batch computes the offset itself.
   *
   * Rejects with a `TypeError` without a group, and with a `TablogError`: `NOT_ASSIGNED`,
   * `OFFSET_OUT_OF_RANGE` beyond the end, `FENCED` where a partition was taken away, `CLOSED`.
   */
  async commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    checkArray('commit() takes an array of offsets', offsets);
    if (this.group === undefined) throw new TypeError('commit() needs a consumer with a group');
    await this.#delegate.commit(offsets);
  }

  /** @internal */
  [INTERNALS](): ConsumerInternals {
    return this.#delegate.internals;
  }

  /** The offset of the next message of a partition. Throws `NOT_ASSIGNED`. */
  position(where: TopicPartition): number {
    return this.#delegate.readers.mustGet(where).position;
  }

  /**
   * Moves a partition, or all partitions, to another position. 'latest' is the end of the partition
   * at the time of the call, so the consumer reads records that the tab sends after the call.
   * Messages that were fetched before the call are dropped and never delivered.
   */
  async seek(to: Position, where?: TopicPartition): Promise<void> {
    await this.#delegate.seek(to, where);
  }

  /**
   * Stops the delivery of a partition, or of all partitions; fetched messages stay. In a group, a
   * partition that is revoked and assigned again is still paused.
   */
  pause(where?: TopicPartition): void {
    this.#delegate.readers.setPaused(true, where);
  }

  resume(where?: TopicPartition): void {
    this.#delegate.resume(where);
  }

  /**
   * Ends the loops that read the consumer. In a group, the consumer commits the processed messages
   * and leaves, so that other members go on at once. `close()` does not wait for messages in hand:
   * another member gets those messages again. `close()` waits for 'revoked' listeners, for
   * `rebalanceTimeoutMs` at the most. Rejects where the commit could not be stored. Idempotent.
   *
   * A listener may call and await `close()`. A call while listeners run waits for the listeners for
   * a second at the most; a call within a listener before the listener's first `await` does not
   * wait. The consumer leaves the group when the listeners have settled.
   */
  override close(): Promise<void> {
    return this.#delegate.close();
  }
}
