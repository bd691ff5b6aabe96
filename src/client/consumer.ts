import { checkArray, checkInteger, checkMs, mistake, withDefaults } from '../base/argument.ts';
import { closed, isLogDeleted } from '../base/error.ts';
import { randomId } from '../base/random-id.ts';
import { WholeTopics } from './assignment.ts';
import type { Assignment } from './assignment.ts';
import type { Connection } from './connection.ts';
import { ConsumerListeners } from './consumer-events.ts';
import type { AssignedPartition, ConsumerEvents, ConsumerListener } from './consumer-events.ts';
import { checkConsumerOptions, checkPosition } from './consumer-options.ts';
import type { ConsumerOptions, Position } from './consumer-options.ts';
import { Fetcher } from './fetcher.ts';
import type { Hold } from './hold.ts';
import type { MessageBatch, MessageOf, TopicFilter } from './message.ts';
import { lost } from './hold.ts';
import { Reading, TURN_MESSAGES } from './reading.ts';
import { ReaderSet } from './reader-set.ts';
import type { TopicPartition } from './reader-set.ts';
import type { RunOptions } from './run-options.ts';
import { loaded } from './loaded.ts';
import { tellMissingTopics } from './missing-topics.ts';
import type { Runner } from './runner.ts';
import type { TopicLike } from './topic.ts';
import type { TopicRegistry } from './topic-registry.ts';
import { TopicSelection } from './topic-selection.ts';

export interface BatchesOptions {
  /** The most messages in one batch. Default 500. */
  readonly max?: number;
  /** How long a batch that is not full waits for more messages, in milliseconds. Default 0. */
  readonly maxWaitMs?: number;
}

/** An offset to be committed: the next one to be read. */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number;
  /** Kept with it, and told by `admin.fetchOffsets`. Default ''. */
  readonly metadata?: string;
}

export interface ConsumerInternals {
  readonly connection: Connection;
  readonly registry: TopicRegistry;
  readonly readers: ReaderSet;
  readonly reading: Reading;
  /** Aborts when the consumer closes; its reason says so where the log was deleted. */
  readonly closing: AbortSignal;
}

const NO_COMMIT = {
  topic: undefined,
  partition: undefined,
  offset: undefined,
  metadata: '',
} as unknown as Required<OffsetToCommit>;

/**
 * Reads topics: every partition of them, or, with a group, those that the group assigns to it. Made
 * by `log.consumer()`; close it, or the log, when done.
 *
 * It fetches only while somebody reads: leaving a loop stops it, and another loop goes on with the
 * next message. In a group that commits by itself, the message that was in hand when a loop was left,
 * by `break` or by an error, is not committed and comes again, unless its `commit()` was called.
 */
export class Consumer<T extends TopicFilter = TopicLike> implements AsyncIterable<MessageOf<T>> {
  /**
   * Resolves when every partition has its place: what is sent from now on will be read. In a group:
   * when it has joined, and has every partition that it is to have. Rejects with `UNKNOWN_TOPIC`
   * (`mustExist`), `MEMBER_EXISTS`, `INCONSISTENT_GROUP_PROTOCOL`, and what else prevents it.
   */
  readonly ready: Promise<void>;
  /** The group's name of this consumer; `undefined` without a group. */
  readonly memberId: string | undefined;
  readonly group: string | undefined;
  readonly #connection: Connection;
  readonly #registry: TopicRegistry;
  readonly #readers: ReaderSet;
  readonly #fetcher: Fetcher;
  readonly #reading: Reading;
  readonly #listeners: ConsumerListeners;
  /** Whether what is processed is committed without a word of the application. */
  readonly #commitsItself: boolean;
  readonly #closing = new AbortController();
  readonly #onClosed: () => void;
  #assignment: Assignment | undefined;
  #runner: Runner | undefined;
  #closed: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    connection: Connection,
    registry: TopicRegistry,
    options: ConsumerOptions<T>,
    onClosed: () => void = () => {},
  ) {
    const checked = checkConsumerOptions(options);
    const { from, group, mustExist } = checked;
    this.group = group;
    this.memberId = group === undefined ? undefined : (checked.memberId ?? randomId());
    this.#connection = connection;
    this.#registry = registry;
    this.#onClosed = onClosed;
    this.#commitsItself = group !== undefined && checked.commit !== 'manual';
    const selection = new TopicSelection(checked.topics);
    const readers = (this.#readers = new ReaderSet(connection, selection, group === undefined));
    this.#fetcher = new Fetcher(connection, checked, readers.all, () => registry.checkAge());
    const onError = (error: unknown): void => this.#fetcher.fail(error);
    const listeners = (this.#listeners = new ConsumerListeners(onError));
    const onChange = (): void => {
      this.#fetcher.pump();
      this.#fetcher.wake();
    };
    this.#reading = new Reading({
      readers,
      fetcher: this.#fetcher,
      clock: connection.clock,
      closing: this.#closing.signal,
      ready: () => this.ready,
      mayDeliver: () => this.#assignment?.mayDeliver() ?? false,
      commitsItself: this.#commitsItself,
    });
    this.ready = this.#start(async () => {
      const common = { registry, selection, readers, from, listeners, onChange };
      if (group === undefined) return new WholeTopics({ ...common, mustExist });
      // A tab that only produces does without it.
      const { GroupMember } = await loaded(import('./group-member.ts'));
      return new GroupMember({
        ...common,
        connection,
        group: { ...checked, group, memberId: this.memberId!, assignor: checked.assignor ?? null },
        onRevoking: (reader) => this.#runner?.giveUp(reader),
        onError,
        onEnd: (error) => this.#reading.end(error),
      });
    });
    this.ready.catch(() => {}); // whoever reads gets it too
    if (!mustExist) {
      tellMissingTopics({ connection, registry, selection, closing: this.#closing.signal });
    }
    this.#closeWith(connection.closed);
    if (checked.signal !== undefined) this.#closeWith(checked.signal);
  }

  /** The partitions that it reads now. */
  get assignment(): readonly AssignedPartition[] {
    return this.#readers.all.map(({ topic, partition }) => ({ topic: topic.name, partition }));
  }

  /**
   * Calls `listener` when partitions come and go, in a group; returns how to stop. What a listener
   * throws, whoever reads gets.
   */
  on<E extends keyof ConsumerEvents>(event: E, listener: ConsumerListener<E>): () => void {
    return this.#listeners.add(event, listener);
  }

  /**
   * One message after the other, from all partitions in turn. Ends when the consumer is closed;
   * throws `CLOSED` when the log was deleted, and `OFFSET_OUT_OF_RANGE`, `UNKNOWN_TOPIC`, `LOG_CORRUPT`, `BATCH_CORRUPT` and what else
   * stops a partition, until somebody seeks.
   */
  [Symbol.asyncIterator](): AsyncIterator<MessageOf<T>, undefined, undefined> {
    return this.#reading.messages() as AsyncIterator<MessageOf<T>, undefined, undefined>;
  }

  /** Batches of up to `max` messages, each of one partition. Ends and throws as the messages do. */
  batches(options: BatchesOptions = {}): AsyncGenerator<MessageBatch<T>, void, undefined> {
    const defaults = { max: TURN_MESSAGES, maxWaitMs: 0 };
    const { max, maxWaitMs } = withDefaults<Required<BatchesOptions>>(
      'batches()',
      options,
      defaults,
    );
    checkInteger('max', max, 1);
    checkMs('maxWaitMs', maxWaitMs);
    const batches = this.#reading.batches(max, maxWaitMs);
    return batches as AsyncGenerator<MessageBatch<T>, void, undefined>;
  }

  /**
   * Calls a handler for each message, until the consumer is closed. What becomes of a message whose
   * handler throws is up to `onError`; by default `run` rejects with the error, and the message is
   * the next to be read.
   */
  async run(options: RunOptions<T>): Promise<void> {
    const { startRunner } = await loaded(import('./runner.ts'));
    const leave = this.#reading.enter();
    try {
      const runner = await startRunner(options, {
        connection: this.#connection,
        registry: this.#registry,
        closing: this.#closing.signal,
        readers: this.#readers.all,
        reading: this.#reading,
      });
      this.#runner = runner;
      await runner.run();
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
    const commits = offsets.map((each) => {
      const { offset, metadata, ...where } = withDefaults<Required<OffsetToCommit>>(
        'commit()',
        each,
        NO_COMMIT,
      );
      checkInteger('an offset', offset, 0);
      if (typeof metadata !== 'string') {
        throw mistake('the metadata of a commit is a string', metadata);
      }
      const hold = this.#readers.mustGet(where).hold!;
      return () => hold.committer.commitExactly(hold, offset, metadata);
    });
    await Promise.all(commits.map((commit) => commit())); // when all of them are checked
  }

  /**
   * What it holds, for transactions; `undefined`: it is closed. Throws `FENCED` where what is to be
   * committed is of a partition that was taken away, and a `TypeError` where it reads another log than
   * `log`, or several messages are in hand: some of them may not be meant.
   * @internal
   */
  static holdsOf<T extends TopicFilter>(consumer: Consumer<T>, log: string): Hold[] | undefined {
    const own = consumer.#connection.log;
    if (own !== log) {
      throw new TypeError(`commitOffsets() needs a consumer of the log '${log}', not '${own}'`);
    }
    if (consumer.#isClosed) return undefined;
    const readers = consumer.#readers;
    const isMeant = (hold: Hold): boolean => !hold.isIdle || !consumer.#commitsItself;
    const taken = readers.lost.find(isMeant);
    // What is still in hand may be tried again; the rest is told once.
    readers.lost = readers.lost.filter((hold) => !hold.isIdle);
    if (taken !== undefined) throw lost(taken);
    const holds = readers.all.flatMap(({ hold }) => hold ?? []);
    if (holds.reduce((sum, { inHand }) => sum + inHand, 0) <= 1) return holds;
    throw new TypeError(
      'commitOffsets() with several messages in hand: use run() with a concurrency of 1',
    );
  }

  /**
   * The parts of a consumer that a table reads, to know when nothing more is at hand.
   * @internal
   */
  static internalsOf<T extends TopicFilter>(consumer: Consumer<T>): ConsumerInternals {
    return {
      connection: consumer.#connection,
      registry: consumer.#registry,
      readers: consumer.#readers,
      reading: consumer.#reading,
      closing: consumer.#closing.signal,
    };
  }

  /** The offset of the next message of a partition. Throws `NOT_ASSIGNED`. */
  position(where: TopicPartition): number {
    return this.#readers.mustGet(where).position;
  }

  /**
   * Moves a partition, or all of them, to another place. What was fetched before is dropped; no
   * message from there is delivered any more.
   */
  async seek(to: Position, where?: TopicPartition): Promise<void> {
    checkPosition(to);
    const call = this.#readers.nextSeek();
    if (this.#readers.all.length === 0) await this.ready;
    await this.#readers.seek(call, to, where);
    this.#fetcher.interrupt(); // polls that wait at the old place
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
   * Ends the loops that read it. In a group, commits what is processed and leaves, so that others go
   * on at once; it does not wait for messages that are in hand, which come again there. Rejects where
   * the commit could not be stored. Idempotent.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#closing.abort(this.#connection.closed.reason);
    this.#fetcher.stop();
    this.#fetcher.wake();
    try {
      await this.#assignment?.close();
    } catch (error) {
      if (!isLogDeleted(error)) throw error; // nothing is left to be committed
    } finally {
      this.#isClosed = true; // and not before: a 'revoked' listener may commit
      this.#onClosed();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(assign: () => Promise<Assignment>): Promise<void> {
    const assignment = await assign();
    if (this.#closing.signal.aborted) throw closed('consumer', this.#connection.closed);
    this.#assignment = assignment;
    await assignment.start();
  }

  #closeWith(signal: AbortSignal): void {
    // Nobody waits for it; what it could not commit comes again.
    const close = (): void => void this.close().catch(() => {});
    signal.addEventListener('abort', close, { once: true, signal: this.#closing.signal });
    if (signal.aborted) close();
  }
}
