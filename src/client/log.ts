import { abortable } from '../base/abortable.ts';
import { checkEach, checkName, checkSignal, mistake, withDefaults } from '../base/argument.ts';
import { Closable, bindFacade } from '../base/handle.ts';
import { systemClock } from '../platform/clock.ts';
import { retry } from '../platform/retry.ts';
import { deferred } from '../base/deferred.ts';
import type { Deferred } from '../base/deferred.ts';
import { MEMBER_EXISTS } from '../base/error-rules.ts';
import { TablogError, isLogDeleted } from '../base/error.ts';
import { Admin } from './admin/admin.ts';
import { checkContext } from './connection/check-context.ts';
import { Connection } from './connection/connection.ts';
import { Consumer } from './consumer/consumer.ts';
import { INTERNALS } from './consumer/consumer-internals.ts';
import type { ConsumerOptions } from './consumer/consumer-options.ts';
import { defaultWorkerKind } from './connection/worker-host.ts';
import type { InlineHost, WorkerKind } from './connection/worker-host.ts';
import { lazyLogStatuses } from './status/lazy-log-statuses.ts';
import type { LogStatus } from './status/log-status.ts';
import type { LogStatuses } from './status/log-statuses.ts';
import { checkLogger } from './status/logger.ts';
import type { Logger } from './status/logger.ts';
import { loadModules } from './load-modules.ts';
import { Producer } from './producer/producer.ts';
import type { ProducerOptions } from './accumulator/producer-options.ts';
import type { TopicFilter } from './message/message.ts';
import { TopicMetadata } from './topics/topic-metadata.ts';
import { checkWorkerUrl } from './connection/worker-url.ts';
import type { WorkerUrl } from './connection/worker-url.ts';

export interface OpenLogOptions {
  /**
   * Where the broker runs. 'shared': one SharedWorker for all tabs; 'dedicated': a worker of this
   * tab's own; `inline()` of 'tablog/inline': this thread, for service workers, edge runtimes and
   * tests. The log is the same, and they may be mixed. Default: 'shared' where there are
   * SharedWorkers, else 'dedicated'.
   */
  readonly host?: WorkerKind | InlineHost;
  /**
   * The address of the worker's file, `tablog/worker` (dist/tablog-worker.js), of the page's
   * origin. For pages whose bundler does not find the file. On a page whose Content-Security-Policy
   * has `require-trusted-types-for 'script'` the address is a `TrustedScriptURL`. Default: the file
   * beside the page's code, which bundlers find by themselves.
   */
  readonly workerUrl?: WorkerUrl;
  /**
   * Ends the opening when it aborts: `openLog` rejects with the signal's reason, and nothing stays
   * open. A log that is open is not closed by it. Default: none. Leave it out where nobody waits
   * for less than the 20 s that opening takes at the most.
   */
  readonly signal?: AbortSignal;
  /**
   * Told each `LogStatus` as one line of text until the log closes: `console`, another object with
   * the methods `debug`, `info`, `warn` and `error`, or a function. What it throws is reported as
   * an uncaught error, and ends nothing. Default: none. Leave it out where `log.status()` is read.
   */
  readonly logger?: Logger;
}

export interface StatusOptions {
  /** Ends the iterator when it aborts. Default: none; leaving the loop ends it as well. */
  readonly signal?: AbortSignal;
}

interface CheckedOpenLogOptions {
  readonly host: WorkerKind | InlineHost;
  readonly workerUrl: WorkerUrl | undefined;
  readonly signal: AbortSignal | undefined;
  readonly logger: Logger | undefined;
}

/**
 * Opens the log `name`, creating it if it is new. Every tab of the origin that opens the same name
 * has the same log.
 *
 * Throws a `TypeError` for a bad name or option, and a `TablogError` where the log cannot be
 * opened: `WORKER_FAILED`, `PROTOCOL_MISMATCH`, `LOCKS_UNAVAILABLE`, `NO_INDEXEDDB`, `NO_WORKER`,
 * `FORMAT_TOO_NEW`, `STORAGE_BLOCKED`, `STORAGE_UNAVAILABLE`; `LOAD_FAILED` where a part of the
 * page's own code cannot be loaded. An open log has all of its code, also offline. The promise
 * settles within 20 s: 5 for each of two workers to answer, and 10 for the store; at once where
 * `signal` aborts.
 */
export async function openLog(name: string, options: OpenLogOptions = {}): Promise<Log> {
  checkName('log name', name);
  const { host, workerUrl, signal, logger } = withDefaults<CheckedOpenLogOptions>(
    'openLog()',
    options,
    {
      host: defaultWorkerKind(),
      workerUrl: undefined,
      signal: undefined,
      logger: undefined,
    },
  );
  if (host !== 'shared' && host !== 'dedicated' && typeof host?.open !== 'function') {
    throw mistake("host must be 'shared', 'dedicated' or inline()", host);
  }
  if (signal !== undefined) checkSignal('signal', signal);
  if (logger !== undefined) checkLogger(logger);
  if (typeof host === 'string') checkContext(host);
  if (workerUrl !== undefined) checkWorkerUrl(workerUrl);
  signal?.throwIfAborted();
  const loading = loadModules(systemClock);
  loading.catch(() => {}); // where the worker does not start either, its error says more
  // The log of that name may be deleted while it is opened: the next attempt creates a new one.
  const policy = { isRetried: isLogDeleted, retries: MORE_LOGS, atOnce: Infinity };
  return retry({ clock: systemClock }, policy, async () => {
    const connection = new Connection({ log: name, host, workerUrl, clock: systemClock });
    // A logger is told by a status.
    const warn = logger && ((): void => {});
    const topicMetadata = new TopicMetadata(name, connection, warn);
    try {
      // With the topics known, the page's first record leaves in the turn of `send`, which may be
      // the page's last.
      topicMetadata.opened(await abortable(signal, connection.open()));
      await abortable(signal, loading);
      return new Log(name, connection, topicMetadata, logger);
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

/** How many more attempts a log gets that is deleted again and again. */
const MORE_LOGS = 2;

type ConsumerHandle = Pick<Consumer, 'close' | 'group' | 'memberId' | typeof INTERNALS>;

/** An open log. Close it when done: that closes its producers and consumers too. */
export class Log extends Closable {
  /**
   * The name that `openLog` was given: logs of one name are one log, in every tab of the origin.
   */
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
   * Makes a consumer of every partition of `topics`, or of those that its group assigns to it.
   * Throws as `producer` does, and `MEMBER_EXISTS` where an open consumer of this log has the same
   * `memberId`. A consumer that has been closed frees its `memberId`: the new one's `ready` waits
   * until the old one has left the group.
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
   * What happens by itself from now on, as this tab notices it: workers and storage that go and
   * come back, records that were lost, rebalances, slow handlers, the end of the log. Nothing that
   * happened before comes again; an iterator begins with what this tab knows to be away now. Call
   * it as often as you like: each iterator gets everything, and costs nothing once it is left.
   *
   * An iterator ends when the log closes or is deleted, when its loop is left, and when `signal`
   * aborts. Where nobody takes its statuses it keeps the newest 100, and `statusesDropped` says how
   * many it dropped.
   *
   * Throws a `TypeError` for a bad option, and `CLOSED` once the log is closed.
   */
  status(options: StatusOptions = {}): AsyncIterableIterator<LogStatus> {
    this.#mustBeOpen();
    const { signal } = checkEach('status()', options, { signal: checkSignal });
    return this.#mustGetStatuses().stream(signal);
  }

  /**
   * Flushes the producers, ends the consumers, and leaves the log. Rejects where something could
   * not be stored; the log is closed all the same. Idempotent. A consumer's listener may await it,
   * as `consumer.close()`.
   */
  override async close(): Promise<void> {
    this.#isClosed = true;
    const consumers = [...this.#consumers];
    const settled = await this.#closeUsers();
    // A consumer whose listener awaits this call leaves after it.
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
   * Closes the producers and consumers, also when the log was deleted, so that every promise
   * settles.
   */
  #closeUsers(): Promise<PromiseSettledResult<void>[]> {
    const users = [...this.#producers, ...this.#consumers.keys()];
    return Promise.allSettled(users.map((user) => user.close()));
  }

  #checkMemberId(options: ConsumerOptions<TopicFilter>): void {
    const { group, memberId } = options ?? {}; // what is no options is refused later
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
