import { abortable } from '../base/abortable.ts';
import { checkEach, checkName, checkSignal } from '../base/argument.ts';
import { Closable, bindFacade } from '../base/handle.ts';
import { systemClock } from '../platform/clock.ts';
import { retry } from '../platform/retry.ts';
import { deferred } from '../base/deferred.ts';
import type { Deferred } from '../base/deferred.ts';
import { MEMBER_EXISTS } from '../base/error-rules.ts';
import { TablogError, isLogDeleted } from '../base/error.ts';
import { Admin } from './admin/admin.ts';
import type { AdminOptions } from './admin/admin-options.ts';
import { lazyLogCalls } from './admin/lazy-log-calls.ts';
import type { LogDiagnostics } from './admin/log-calls.ts';
import { Connection } from './connection/connection.ts';
import { lazyWitnessWriter } from './connection/lazy-witness-writer.ts';
import { Consumer } from './consumer/consumer.ts';
import { INTERNALS } from './consumer/consumer-internals.ts';
import type { ConsumerOptions } from './consumer/consumer-options.ts';
import { lazyLogStatuses } from './status/lazy-log-statuses.ts';
import type { LogStatus } from './status/log-status.ts';
import type { LogStatuses } from './status/log-statuses.ts';
import type { Logger } from './status/logger.ts';
import { loadModules } from './load-modules.ts';
import { checkOpenLogOptions } from './open-log-options.ts';
import type { OpenLogOptions } from './open-log-options.ts';
import { Producer } from './producer/producer.ts';
import type { ProducerOptions } from './accumulator/producer-options.ts';
import type { TopicFilter } from './message/message.ts';
import { TopicMetadata } from './topics/topic-metadata.ts';

export interface StatusOptions {
  /**
   * Ends the iterator when the signal aborts. Default: none. Leaving the loop ends the iterator as
   * well.
   */
  readonly signal?: AbortSignal;
}

/**
 * Opens the log `name`, and creates the log if it is new. Every tab of the origin that opens the
 * same name has the same log.
 *
 * Throws a `TypeError` for a bad name or option, and a `TablogError` where the log cannot be
 * opened: `WORKER_FAILED`, `PROTOCOL_MISMATCH`, `LOCKS_UNAVAILABLE`, `NO_INDEXEDDB`, `NO_WORKER`,
 * `FORMAT_TOO_NEW`, `LOG_CORRUPT`, `STORAGE_BLOCKED`, `STORAGE_UNAVAILABLE`; `LOAD_FAILED` where a part of the
 * page's own code cannot be loaded. An open log has all of its code, so it works offline. The
 * promise settles within 20 s: 10 s for two workers to answer, one after the other, and 10 s for the
 * store. A single thing that hangs ends it within 10 s, and the error names that thing. The promise
 * settles at once where `signal` aborts.
 */
export async function openLog(name: string, options: OpenLogOptions = {}): Promise<Log> {
  checkName('log name', name);
  const { host, workerUrl, signal, logger, onUnrecoverable } = checkOpenLogOptions(options);
  signal?.throwIfAborted();
  const loading = loadModules(systemClock);
  // Where the worker fails as well, its error is thrown, because it names the cause.
  loading.catch(() => {});
  // The log may be deleted during the opening: the next attempt creates a new log of the same name.
  const policy = { isRetried: isLogDeleted, retries: DELETION_RETRIES, atOnce: Infinity };
  return retry({ clock: systemClock }, policy, async () => {
    const connection = new Connection({ log: name, host, workerUrl, clock: systemClock });
    // With a logger the status replaces the warning on the console.
    const warn = logger && ((): void => {});
    const topicMetadata = new TopicMetadata(name, connection, warn);
    try {
      // Known topics let `send` post the page's first record in the turn of the call, which may be
      // the page's last turn.
      const { topics } = await abortable(signal, connection.open(onUnrecoverable));
      topicMetadata.opened(topics);
      await abortable(signal, loading);
      connection.keepWitness(lazyWitnessWriter.mustGet());
      return new Log(name, connection, topicMetadata, logger);
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

/** The number of further attempts to open a log that is deleted during each attempt. */
const DELETION_RETRIES = 2;

type ConsumerHandle = Pick<Consumer, 'close' | 'group' | 'memberId' | typeof INTERNALS>;

/** An open log. Close the log when done; `close()` closes its producers and consumers as well. */
export class Log extends Closable {
  /** The name that was passed to `openLog`. Within an origin, the same name is the same log. */
  readonly name: string;
  /** Creates, changes and describes the log's topics and groups (Kafka's `Admin`). */
  readonly admin: Admin;
  readonly #connection: Connection;
  readonly #topicMetadata: TopicMetadata;
  readonly #producers = new Set<Producer>();
  #statuses: LogStatuses | undefined;
  #isClosed = false;
  /** The open consumers; each promise resolves when its consumer has left the group. */
  readonly #consumers = new Map<ConsumerHandle, Deferred>();

  constructor(
    name: string,
    connection: Connection,
    topicMetadata: TopicMetadata = new TopicMetadata(name, connection),
    logger?: Logger,
  ) {
    super();
    bindFacade(this);
    this.name = name;
    this.#connection = connection;
    this.#topicMetadata = topicMetadata;
    this.admin = new Admin(connection, this.#topicMetadata);
    const deleted = (): void => void this.#closeUsers();
    connection.closed.addEventListener('abort', deleted, { once: true });
    if (logger !== undefined) this.#mustGetStatuses().logTo(logger);
  }

  /**
   * Makes a producer. Throws a `TypeError` or `RangeError` for an option that breaks a rule, and
   * `CLOSED` once the log is closed.
   */
  producer(options: ProducerOptions = {}): Producer {
    this.#mustBeOpen();
    const onClosed = (): void => void this.#producers.delete(producer);
    const producer = new Producer(this.#connection, this.#topicMetadata, options, onClosed);
    this.#producers.add(producer);
    return producer;
  }

  /**
   * Makes a consumer of every partition of `topics` or, with a group, of the partitions that the
   * group assigns to the consumer. Throws as `producer` does, and `MEMBER_EXISTS` where an open
   * consumer of this log has the same `memberId`. The `memberId` of a closed consumer is free: the
   * `ready` of the new consumer waits until the old consumer has left the group.
   */
  consumer<const T extends TopicFilter>(options: ConsumerOptions<T>): Consumer<T> {
    this.#mustBeOpen();
    this.#checkMemberId(options);
    const left = deferred();
    const onClosed = (): void => {
      left.resolve();
      this.#consumers.delete(consumer);
    };
    const consumer = new Consumer(this.#connection, this.#topicMetadata, options, onClosed);
    this.#consumers.set(consumer, left);
    return consumer;
  }

  /**
   * An iterator of the events of the log from now on, as this tab notices them: workers and storage
   * that become unavailable and available, lost records, rebalances, slow handlers, the end of the
   * log. Earlier events are not repeated, but the iterator begins with what `openLog` found lost,
   * and with the statuses of a worker or a storage that is away now. Each call makes an independent iterator, which gets every status
   * and costs nothing after its end.
   *
   * An iterator ends when the log closes or is deleted, when its loop is left, and when `signal`
   * aborts. An iterator that is not read keeps the newest 100 statuses, and the status
   * `statusesDropped` has the number of dropped ones.
   *
   * Throws a `TypeError` for a bad option, and `CLOSED` once the log is closed.
   */
  status(options: StatusOptions = {}): AsyncIterableIterator<LogStatus> {
    this.#mustBeOpen();
    const { signal } = checkEach('status()', options, { signal: checkSignal });
    return this.#mustGetStatuses().stream(signal);
  }

  /**
   * What has happened in the broker that serves this tab, as far as it remembers: the tabs that came
   * and died, the database opened and closed, transactions that failed or took a second, calls that
   * were refused or fenced, rebalances, passes of the log cleaner; and what the broker is. For a bug
   * report, and for a page that shows how the log is. Tabs of one SharedWorker read the same; the
   * broker keeps the newest 500 entries, at most 128 KiB, in memory alone.
   *
   * The entries are plain data, and may have names of topics and groups, and no record. The call
   * reads no storage, so it resolves while the storage hangs. It rejects with a `TypeError` for a
   * bad option, the reason of `signal`, `CLOSED` once the log is closed, and the errors of a worker
   * that is away: see `log.admin`.
   */
  async diagnostics(options?: AdminOptions): Promise<LogDiagnostics> {
    this.#mustBeOpen();
    return (await lazyLogCalls.load()).readDiagnostics(this.#connection, options);
  }

  /**
   * Asks the browser to keep the data of this origin, all logs included, when it runs short of room
   * (https://storage.spec.whatwg.org/#persistence). Resolves to whether the browser keeps it;
   * `false` also where the context has no `navigator.storage`. `log.admin.describeLog()` tells the
   * state without asking.
   *
   * Chrome and Edge decide by themselves, by how much the site is used, and may decide otherwise
   * later. Firefox asks the user, and the promise waits for the answer, without a deadline. Safari
   * decides by itself. Call it from a user's gesture, when there is something to keep. Workers can
   * not ask. Rejects with `CLOSED` once the log is closed.
   */
  async persist(): Promise<boolean> {
    this.#mustBeOpen();
    return (await lazyLogCalls.load()).persistOrigin();
  }

  /**
   * Flushes the producers, closes the consumers, and disconnects from the broker. Rejects where
   * records or commits could not be stored; the log is closed nevertheless. Idempotent. A
   * consumer's listener may await this call, as it may await `consumer.close()`.
   */
  override async close(): Promise<void> {
    this.#isClosed = true;
    const consumers = [...this.#consumers];
    const settled = await this.#closeUsers();
    // A consumer whose listener awaits this call leaves its group after this call has settled.
    const leaving = consumers.filter(([consumer]) => this.#consumers.has(consumer));
    const left = leaving.map(([, { promise }]) => promise);
    if (left.length === 0) this.#connection.close();
    else void Promise.all(left).then(() => this.#connection.close());
    for (const result of settled) if (result.status === 'rejected') throw result.reason;
  }

  #mustGetStatuses(): LogStatuses {
    return (this.#statuses ??= new (lazyLogStatuses.mustGet().LogStatuses)(this.#connection));
  }

  #mustBeOpen(): void {
    const { closed } = this.#connection;
    if (this.#isClosed || closed.aborted) throw this.#connection.closedError();
  }

  /**
   * Closes the producers and consumers. The call runs also after a deletion of the log, so that
   * every promise settles.
   */
  #closeUsers(): Promise<PromiseSettledResult<void>[]> {
    const users = [...this.#producers, ...this.#consumers.keys()];
    return Promise.allSettled(users.map((user) => user.close()));
  }

  #checkMemberId(options: ConsumerOptions<TopicFilter>): void {
    const { group, memberId } = options ?? {}; // `Consumer` refuses a value that is no object
    if (memberId === undefined) return;
    for (const other of this.#consumers.keys()) {
      const isSame = other.group === group && other.memberId === memberId;
      if (!isSame || other[INTERNALS]().closing.aborted) continue;
      throw new TablogError(
        MEMBER_EXISTS,
        `a consumer of this log is the member '${memberId}' of '${group}' already`,
        { details: { group: String(group), member: memberId } },
      );
    }
  }
}
