import { deferred } from '../../base/deferred.ts';
import { closed, isLogDeleted } from '../../base/error.ts';
import { within } from '../../platform/clock.ts';
import { randomId } from '../../platform/random-id.ts';
import { retry } from '../../platform/retry.ts';
import type { PositionSpec } from '../../protocol/fetch.ts';
import { aborted } from '../../platform/locks/liveness.ts';
import { ManualAssignment } from '../fetch/manual-assignment.ts';
import type { Assignment } from '../fetch/manual-assignment.ts';
import type { Connection } from '../connection/connection.ts';
import { ConsumerListeners, LISTENER_GRACE_MS } from '../fetch/consumer-events.ts';
import { checkPosition } from '../fetch/position.ts';
import type { CheckedConsumerOptions } from './consumer-options.ts';
import type { Position } from '../fetch/position.ts';
import type { DecodeErrorPolicy } from '../poll/decode-errors.ts';
import { Fetcher } from '../fetch/fetcher.ts';
import { lazyGroupMember } from '../group/lazy-group-member.ts';
import { commitOffsets } from './offset-to-commit.ts';
import type { OffsetToCommit } from './offset-to-commit.ts';
import { lookUpStartingOffsets } from '../fetch/starting-offsets.ts';
import type { StartingOffsets } from '../fetch/starting-offsets.ts';
import type { TopicFilter } from '../message/message.ts';
import { lazyDecodeErrors } from '../poll/lazy-decode-errors.ts';
import { MessageLoop } from '../poll/message-loop.ts';
import { AssignedPartitions } from '../fetch/assigned-partitions.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import type { OnWait } from '../fetch/partition-reader.ts';
import { whenLeft, registerLeaving } from '../group/leaving-members.ts';
import type { ConsumerInternals } from './consumer-internals.ts';
import type { PageMember } from '../group/leaving-members.ts';
import { warnOfMissingTopics } from './missing-topics.ts';
import type { BatchRunOptions, RunOptions } from '../run/run-options.ts';
import type { Runner } from '../run/runner.ts';
import { lazyRunner } from '../run/lazy-runner.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { TopicSubscription } from '../fetch/topic-subscription.ts';

/**
 * The implementation behind a `Consumer` (Kafka's `ConsumerDelegate`): the parts of the consumer,
 * and its life from the start until it has left its group.
 */
export class ConsumerDelegate {
  readonly group: string | undefined;
  /** The consumer's name in its group; `undefined` without a group. */
  readonly memberId: string | undefined;
  readonly readers: AssignedPartitions;
  readonly loop: MessageLoop;
  readonly listeners: ConsumerListeners;
  readonly #connection: Connection;
  readonly #subscription: TopicSubscription;
  readonly #decodeErrors: DecodeErrorPolicy;
  readonly #decidesOnDecodeErrors: boolean;
  readonly #fetcher: Fetcher;
  readonly #commitsItself: boolean;
  readonly #closing = new AbortController();
  readonly #onClosed: () => void;
  readonly #ready: Promise<void>;
  /**
   * Resolves when every partition has its position. Unlike `ready`, the promise does not wait for
   * listeners.
   */
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
    checked: CheckedConsumerOptions,
    onClosed: () => void,
  ) {
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
    const subscription = (this.#subscription = new TopicSubscription(checked.topics));
    subscription.checkDeadLetterTopic(deadLetterTopic);
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
    const readers = (this.readers = new AssignedPartitions(
      connection,
      subscription,
      group === undefined,
      onWait,
    ));
    this.#fetcher = new Fetcher(connection, checked, readers.all, () => topicMetadata.checkAge());
    const onError = (error: unknown): void => this.#fetcher.fail(error);
    const { rebalanceTimeoutMs } = checked;
    const member = this.#member && { ...this.#member, rebalanceTimeoutMs };
    const listeners = (this.listeners = new ConsumerListeners((event) =>
      connection.observer?.consumerEvent(member, event),
    ));
    const onChange = (): void => this.#changed();
    this.loop = new MessageLoop({
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
    const position = checkPosition(from);
    const startingOffsets =
      canMove(position) || group === undefined ? this.#lookUp(position) : undefined;
    startingOffsets?.catch(() => {}); // an assignment that needs the offsets reports the error
    const predecessors = this.#member === undefined ? undefined : whenLeft(this.#member);
    const positioned = deferred();
    this.#ready = this.#start(async () => {
      if (deadLetterTopic !== undefined) {
        const { name } = asTopic(deadLetterTopic);
        const { signal } = this.#closing;
        await retry(connection, { signal }, () => topicMetadata.load(name));
      }
      const common = {
        connection,
        topicMetadata,
        selection: subscription,
        readers,
        from,
        listeners,
        onChange,
      };
      if (group === undefined) {
        return new ManualAssignment({ ...common, startingOffsets: startingOffsets!, mustExist });
      }
      const { GroupMember } = await lazyGroupMember.load();
      await Promise.race([predecessors, aborted(this.#closing.signal)]);
      return new GroupMember({
        ...common,
        // Where the look-up failed, the broker looks up the offset when the group assigns the
        // partition to this member.
        startingOffsets: Promise.resolve(startingOffsets).catch(() => undefined),
        group: { ...checked, group, memberId: this.memberId!, assignor: checked.assignor ?? null },
        onRevoking: (reader) => this.#runner?.giveUp(reader),
        onError,
        onPositioned: positioned.resolve,
        onEnd: (error) => this.loop.end(error),
      });
    });
    this.#positioned = Promise.race([positioned.promise, this.#ready]);
    this.#positioned.catch(() => {}); // loops report the error as well
    if (!mustExist) {
      warnOfMissingTopics({
        connection,
        topicMetadata,
        subscription,
        closing: this.#closing.signal,
      });
    }
    if (checked.signal !== undefined) this.#closeWith(checked.signal);
  }

  /**
   * The consumer's `ready`. For a call by a listener the promise does not wait for listeners,
   * because the listener would wait for itself.
   */
  get ready(): Promise<void> {
    return this.listeners.isCalling ? this.#positioned : this.#ready;
  }

  get internals(): ConsumerInternals {
    return {
      connection: this.#connection,
      topicMetadata: this.#decodeErrors.topicMetadata,
      readers: this.readers,
      loop: this.loop,
      commitsItself: this.#commitsItself,
      closing: this.#closing.signal,
      isClosed: this.#isClosed,
    };
  }

  async run(options: RunOptions<TopicFilter> | BatchRunOptions<TopicFilter>): Promise<void> {
    const { startRunner } = await lazyRunner.load();
    const leave = this.loop.enter();
    try {
      const runner = await startRunner(options, {
        subscription: this.#subscription,
        closing: this.#closing.signal,
        readers: this.readers.all,
        loop: this.loop,
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

  async commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    if (this.#isClosed) throw closed('consumer', this.#connection.closed);
    await commitOffsets(this.readers, offsets);
  }

  async seek(to: Position, where: TopicPartition | undefined): Promise<void> {
    const position = checkPosition(to);
    await this.readers.seek(to, where, async () => {
      const startingOffsets = 'at' in position ? this.#lookUp(position) : undefined;
      startingOffsets?.catch(() => {}); // awaited below
      await this.#positioned;
      return startingOffsets;
    });
    this.#changed();
  }

  resume(where: TopicPartition | undefined): void {
    this.readers.setPaused(false, where);
    this.#changed();
  }

  /**
   * Closes the consumer; later calls return the promise of the first. `Consumer.close` documents
   * how long a call within a listener waits.
   */
  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = this.#close();
      this.#closed.catch(() => {}); // a caller that does not await the call loses the error
      if (this.#member !== undefined) registerLeaving(this.#member, this.#closed);
    }
    if (this.listeners.isCalling) return Promise.resolve();
    return this.listeners.isRunning ? this.#closedOrLate(this.#closed) : this.#closed;
  }

  /** Fetches and polls again, after partitions were added, removed or moved by a seek. */
  #changed(): void {
    this.#fetcher.pump();
    this.#fetcher.wake();
  }

  /**
   * Settles as `closed` does, or resolves after `LISTENER_GRACE_MS`: a running listener may await
   * this promise, and `closed` waits for the listener.
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
      this.#isClosed = true; // only now: 'revoked' listeners may commit until here
      this.#onClosed();
    }
  }

  #lookUp(position: PositionSpec): Promise<StartingOffsets> {
    const { subscription } = this.#subscription;
    return lookUpStartingOffsets(this.#connection, subscription, position, this.#closing.signal);
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
      // A consumer that closes during its start reports `CLOSED`. An error of the worker or the
      // storage does not matter any more.
      throw signal.aborted ? closed('consumer', this.#connection.closed) : error;
    }
  }

  #closeWith(signal: AbortSignal): void {
    // No caller awaits this close. Messages whose commit fails are delivered again, here or at
    // another member.
    const close = (): void => void this.close().catch(() => {});
    signal.addEventListener('abort', close, { once: true, signal: this.#closing.signal });
    if (signal.aborted) close();
  }
}

/** Whether later appends can change the offset of the position. */
function canMove(position: PositionSpec): boolean {
  return 'at' in position && position.at !== 'earliest';
}
