import {
  checkArray,
  checkBoolean,
  checkInteger,
  checkMs,
  withDefaults,
} from '../../base/argument.ts';
import { Closable, bindFacade } from '../../base/handle.ts';
import { deferred } from '../../base/deferred.ts';
import { closed, isLogDeleted } from '../../base/error.ts';
import { within } from '../../platform/clock.ts';
import { randomId } from '../../platform/random-id.ts';
import { retry } from '../../platform/retry.ts';
import type { PositionSpec } from '../../protocol/fetch.ts';
import { aborted } from '../../platform/liveness.ts';
import { ManualAssignment } from '../fetch/manual-assignment.ts';
import type { Assignment } from '../fetch/manual-assignment.ts';
import type { Connection } from '../connection/connection.ts';
import { ConsumerListeners, LISTENER_GRACE_MS } from '../fetch/consumer-events.ts';
import type {
  AssignedPartition,
  ConsumerEvents,
  ConsumerListener,
} from '../fetch/consumer-events.ts';
import { checkConsumerOptions } from './consumer-options.ts';
import { checkPosition } from '../fetch/position.ts';
import type { ConsumerOptions } from './consumer-options.ts';
import type { Position } from '../fetch/position.ts';
import type { DecodeErrorPolicy } from '../poll/decode-errors.ts';
import { Fetcher } from '../fetch/fetcher.ts';
import { lazyGroupMember } from '../group/lazy-group-member.ts';
import { commitOffsets } from './offset-to-commit.ts';
import type { OffsetToCommit } from './offset-to-commit.ts';
import { lookUpStartingOffsets } from '../fetch/starting-offsets.ts';
import type { StartingOffsets } from '../fetch/starting-offsets.ts';
import type { MessageBatch, MessageOf, RawBatch, TopicFilter } from '../message/message.ts';
import { lazyStoredBatches } from '../poll/lazy-stored-batches.ts';
import { lazyDecodeErrors } from '../poll/lazy-decode-errors.ts';
import { MAX_POLL_RECORDS, MessageLoop } from '../poll/message-loop.ts';
import { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import type { OnWait } from '../fetch/partition-reader.ts';
import { haveLeft, isLeaving } from '../group/leaving-members.ts';
import { INTERNALS } from './consumer-internals.ts';
import type { BatchesOptions, ConsumerInternals, RawBatchesOptions } from './consumer-internals.ts';
import type { PageMember } from '../group/leaving-members.ts';
import { tellMissingTopics } from './missing-topics.ts';
import type { BatchRunOptions, RunOptions } from '../run/run-options.ts';
import type { Runner } from '../run/runner.ts';
import { lazyRunner } from '../run/lazy-runner.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { TopicSubscription } from '../fetch/topic-subscription.ts';

/**
 * Reads topics: every partition of them, or, with a group, those that the group assigns to it. Made
 * by `log.consumer()`; close it, or the log, when done.
 *
 * It fetches only while somebody reads: leaving a loop stops it, and another loop goes on with the
 * next message. In a group that commits by itself, the message that was in hand when a loop was left,
 * by `break` or by an error, is not committed and comes again, unless its `commit()` was called.
 */
export class Consumer<T extends TopicFilter = TopicLike>
  extends Closable
  implements AsyncIterable<MessageOf<T>>
{
  /** The group's name of this consumer; `undefined` without a group. */
  readonly memberId: string | undefined;
  readonly group: string | undefined;
  readonly #connection: Connection;
  readonly #selection: TopicSubscription;
  readonly #decodeErrors: DecodeErrorPolicy;
  readonly #decidesOnDecodeErrors: boolean;
  readonly #readers: AssignedPartitions;
  readonly #fetcher: Fetcher;
  readonly #reading: MessageLoop;
  readonly #listeners: ConsumerListeners;
  /** Whether what is processed is committed without a word of the application. */
  readonly #commitsItself: boolean;
  readonly #closing = new AbortController();
  readonly #onClosed: () => void;
  readonly #ready: Promise<void>;
  /** Resolves as `ready` does, without waiting for listeners. */
  readonly #positioned: Promise<void>;
  /** The consumer as a member of its group; `undefined` without a group. */
  readonly #member: PageMember | undefined;
  #assignment: Assignment | undefined;
  #runner: Runner | undefined;
  #closed: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    connection: Connection,
    topicMetadata: TopicMetadata,
    options: ConsumerOptions<T>,
    onClosed: () => void = () => {},
  ) {
    super();
    bindFacade(this);
    const checked = checkConsumerOptions(options);
    const { from, group, mustExist, onDecodeError, deadLetterTopic } = checked;
    this.group = group;
    if (group !== undefined) {
      const memberId = (this.memberId = checked.memberId ?? randomId());
      const { host, log } = connection;
      this.#member = { host, log, group, memberId };
    }
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.#commitsItself = group !== undefined && checked.commit !== 'manual';
    const selection = (this.#selection = new TopicSubscription(checked.topics));
    selection.checkDeadLetterTopic(deadLetterTopic);
    this.#decidesOnDecodeErrors = onDecodeError !== undefined;
    this.#decodeErrors = {
      connection,
      topicMetadata,
      onDecodeError: onDecodeError ?? 'fail',
      deadLetterTopic,
    };
    const onWait: OnWait = (reader, wait) => {
      const { awaitSerde } = lazyDecodeErrors.mustGet();
      const closing = this.#closing.signal;
      awaitSerde({ reader, wait, connection, closing, fetcher: this.#fetcher });
    };
    const readers = (this.#readers = new AssignedPartitions(
      connection,
      selection,
      group === undefined,
      onWait,
    ));
    this.#fetcher = new Fetcher(connection, checked, readers.all, () => topicMetadata.checkAge());
    const onError = (error: unknown): void => this.#fetcher.fail(error);
    const { rebalanceTimeoutMs } = checked;
    const member = this.#member && { ...this.#member, rebalanceTimeoutMs };
    const listeners = (this.#listeners = new ConsumerListeners((event) =>
      connection.observer?.consumerEvent(member, event),
    ));
    const onChange = (): void => {
      this.#fetcher.pump();
      this.#fetcher.wake();
    };
    this.#reading = new MessageLoop({
      readers,
      fetcher: this.#fetcher,
      clock: connection.clock,
      closing: this.#closing.signal,
      ready: () => this.#ready,
      mayDeliver: () => this.#assignment?.mayDeliver() ?? false,
      decodeErrors: this.#decodeErrors,
      commitsItself: this.#commitsItself,
      handling: (reader, offset) => member && connection.observer?.handling(member, reader, offset),
      onPolling: (isPolling) => this.#assignment?.setPolling?.(isPolling),
    });
    const place = checkPosition(from);
    const startingOffsets = mayMove(place) || group === undefined ? this.#lookUp(place) : undefined;
    startingOffsets?.catch(() => {}); // reported to the one who needs a place
    const predecessors = this.#member === undefined ? undefined : haveLeft(this.#member);
    const positioned = deferred();
    this.#ready = this.#start(async () => {
      if (deadLetterTopic !== undefined) {
        const { name } = asTopic(deadLetterTopic);
        const { signal } = this.#closing;
        await retry(connection, { signal }, () => topicMetadata.load(name));
      }
      const common = { connection, topicMetadata, selection, readers, from, listeners, onChange };
      if (group === undefined) {
        return new ManualAssignment({ ...common, startingOffsets: startingOffsets!, mustExist });
      }
      const { GroupMember } = await lazyGroupMember.load();
      await Promise.race([predecessors, aborted(this.#closing.signal)]);
      return new GroupMember({
        ...common,
        // Where the look-up failed, the broker looks again when the group gives this member the
        // partition.
        startingOffsets: Promise.resolve(startingOffsets).catch(() => undefined),
        group: { ...checked, group, memberId: this.memberId!, assignor: checked.assignor ?? null },
        onRevoking: (reader) => this.#runner?.giveUp(reader),
        onError,
        onPositioned: positioned.resolve,
        onEnd: (error) => this.#reading.end(error),
      });
    });
    this.#positioned = Promise.race([positioned.promise, this.#ready]);
    this.#positioned.catch(() => {}); // reported to readers as well
    if (!mustExist) {
      tellMissingTopics({ connection, topicMetadata, selection, closing: this.#closing.signal });
    }
    if (checked.signal !== undefined) this.#closeWith(checked.signal);
  }

  /**
   * Resolves when every partition has its place. In a group: when the consumer has joined, has
   * every partition that it is meant to have, and its 'assigned' listeners are done. While the worker
   * or the storage is away it waits, as reading does. Rejects with
   * `UNKNOWN_TOPIC` (`mustExist`), `MEMBER_EXISTS`, `INCONSISTENT_GROUP_PROTOCOL`, `CLOSED`, and
   * any other error that keeps the consumer from starting.
   *
   * A listener may await `ready`: the wait for listeners then ends after a second at the most, and
   * at once for a listener that asks before its own first `await`.
   */
  get ready(): Promise<void> {
    return this.#listeners.isCalling ? this.#positioned : this.#ready;
  }

  /** The partitions that it reads now. */
  get assignment(): readonly AssignedPartition[] {
    return this.#readers.all.map(({ topic, partition }) => ({ topic: topic.name, partition }));
  }

  /**
   * Calls `listener` when partitions come and go, in a group; returns a function that ends it. What
   * a listener throws is reported as an uncaught error (`reportError`); reading goes on.
   */
  on<E extends keyof ConsumerEvents>(event: E, listener: ConsumerListener<E>): () => void {
    return this.#listeners.add(event, listener);
  }

  /**
   * Delivers one message after the other, from all partitions in turn. Ends when the consumer is
   * closed. Throws `CLOSED` when the log was deleted, and `OFFSET_OUT_OF_RANGE`, `UNKNOWN_TOPIC`,
   * `LOG_CORRUPT`, `BATCH_CORRUPT` and any other error that stops a partition, each time until a
   * `seek`.
   */
  [Symbol.asyncIterator](): AsyncIterator<MessageOf<T>, undefined, undefined> {
    return this.#reading.messages() as AsyncIterator<MessageOf<T>, undefined, undefined>;
  }

  /** Batches of up to `max` messages, each of one partition. Ends and throws as the messages do. */
  batches(options?: BatchesOptions): AsyncGenerator<MessageBatch<T>, void, undefined>;
  /**
   * Whole batches as they are stored, without the markers of transactions. They are handed out,
   * committed and read again as batches of messages are.
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
    return this.#reading.batches(max, maxWaitMs);
  }

  #storedBatches(options: object): AsyncGenerator<RawBatch, void, undefined> {
    const { storedBatches } = lazyStoredBatches.mustGet();
    return storedBatches(options, this[INTERNALS]());
  }

  /**
   * Calls a handler for each message, until the consumer is closed. What becomes of a message whose
   * handler throws is up to `onError`; by default `run` rejects with the error, and the message is
   * the next to be read.
   */
  run(options: RunOptions<T>): Promise<void>;
  /** Runs a handler for batches of messages, each batch of one partition. */
  run(options: BatchRunOptions<T>): Promise<void>;
  async run(options: RunOptions<T> | BatchRunOptions<T>): Promise<void> {
    const { startRunner } = await lazyRunner.load();
    const leave = this.#reading.enter();
    try {
      const runner = await startRunner(options, {
        subscription: this.#selection,
        closing: this.#closing.signal,
        readers: this.#readers.all,
        loop: this.#reading,
        decodeErrors: this.#decodeErrors,
        decidesOnDecodeErrors: this.#decidesOnDecodeErrors,
      });
      this.#runner = runner;
      await runner.run();
    } catch (error) {
      leave(true);
      throw error;
    } finally {
      this.#runner = undefined;
      leave();
    }
  }

  /**
   * Commits offsets of partitions that it has: of each, the next one to be read. Resolves when they
   * are stored. Messages and batches have a `commit()` of their own, with nothing to add up.
   *
   * Rejects with a `TypeError` without a group, and with a `TablogError`: `NOT_ASSIGNED`,
   * `OFFSET_OUT_OF_RANGE` beyond the end, `FENCED` where a partition was taken away, `CLOSED`.
   */
  async commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    checkArray('commit() takes an array of offsets', offsets);
    if (this.group === undefined) throw new TypeError('commit() needs a consumer with a group');
    if (this.#isClosed) throw closed('consumer', this.#connection.closed);
    await commitOffsets(this.#readers, offsets);
  }

  /** @internal */
  [INTERNALS](): ConsumerInternals {
    return {
      connection: this.#connection,
      topicMetadata: this.#decodeErrors.topicMetadata,
      readers: this.#readers,
      reading: this.#reading,
      commitsItself: this.#commitsItself,
      closing: this.#closing.signal,
      isClosed: this.#isClosed,
    };
  }

  /** The offset of the next message of a partition. Throws `NOT_ASSIGNED`. */
  position(where: TopicPartition): number {
    return this.#readers.mustGet(where).position;
  }

  /**
   * Moves a partition, or all of them, to another place: 'latest' is the end as of the call, so
   * records that the tab sends after the call are read. Messages fetched before are dropped and
   * never delivered.
   */
  async seek(to: Position, where?: TopicPartition): Promise<void> {
    const place = checkPosition(to);
    await this.#readers.seek(to, where, async () => {
      const looked = 'at' in place ? this.#lookUp(place) : undefined;
      looked?.catch(() => {}); // awaited below
      await this.#positioned;
      return looked;
    });
    this.#fetcher.pump();
    this.#fetcher.wake();
  }

  /**
   * Stops delivering a partition, or all; what is fetched of it stays. In a group, a partition that
   * goes and comes back is still paused.
   */
  pause(where?: TopicPartition): void {
    this.#readers.setPaused(true, where);
  }

  resume(where?: TopicPartition): void {
    this.#readers.setPaused(false, where);
    this.#fetcher.pump();
    this.#fetcher.wake();
  }

  /**
   * Ends the loops that read the consumer. In a group, commits what is processed and leaves, so
   * that other members go on at once. Messages in hand are not waited for, and come again at
   * another member. 'revoked' listeners are waited for, for `rebalanceTimeoutMs` at the most.
   * Rejects where the commit could not be stored. Idempotent.
   *
   * A listener may call and await `close()`. A call made while listeners run waits for them for a
   * second at the most, and not at all within a listener before its first `await`; the consumer
   * leaves when they are done.
   */
  override close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = this.#close();
      this.#closed.catch(() => {}); // a caller that does not await the call loses the error
      if (this.#member !== undefined) isLeaving(this.#member, this.#closed);
    }
    if (this.#listeners.isCalling) return Promise.resolve();
    return this.#listeners.isRunning ? this.#closedOrLate(this.#closed) : this.#closed;
  }

  /**
   * Resolves with `closed`, or after `LISTENER_GRACE_MS`: a running listener may be waiting for
   * this promise.
   */
  async #closedOrLate(closed: Promise<void>): Promise<void> {
    await within(this.#connection.clock, LISTENER_GRACE_MS, closed);
  }

  async #close(): Promise<void> {
    this.#closing.abort(this.#connection.closed.reason);
    this.#fetcher.stop();
    this.#fetcher.wake();
    try {
      await this.#assignment?.close();
    } catch (error) {
      if (!isLogDeleted(error)) throw error; // a deleted log has no offsets to commit to
    } finally {
      this.#isClosed = true; // and not before: a 'revoked' listener may commit
      this.#onClosed();
    }
  }

  #lookUp(place: PositionSpec): Promise<StartingOffsets> {
    const { subscription } = this.#selection;
    return lookUpStartingOffsets(this.#connection, subscription, place, this.#closing.signal);
  }

  async #start(assign: () => Promise<Assignment>): Promise<void> {
    const { signal } = this.#closing;
    try {
      const assignment = await assign();
      if (signal.aborted) await assignment.close();
      signal.throwIfAborted();
      this.#assignment = assignment;
      await assignment.start();
    } catch (error) {
      // What was away as it closed keeps nobody from anything any more.
      throw signal.aborted ? closed('consumer', this.#connection.closed) : error;
    }
  }

  #closeWith(signal: AbortSignal): void {
    // Nobody waits for it; what it could not commit comes again.
    const close = (): void => void this.close().catch(() => {});
    signal.addEventListener('abort', close, { once: true, signal: this.#closing.signal });
    if (signal.aborted) close();
  }
}

/** Whether later appends can move the place. */
function mayMove(place: PositionSpec): boolean {
  return 'at' in place && place.at !== 'earliest';
}
