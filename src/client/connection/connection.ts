import type { Clock } from '../../platform/clock.ts';
import { CLOSED, LOCKS_UNAVAILABLE, WORKER_LOST } from '../../base/error-rules.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { TablogError, isLogDeleted, isUnknown } from '../../base/error.ts';
import { isRepeatable } from '../../protocol/broker.ts';
import type { LostRecords, Method, OpenedLog, Request, Response } from '../../protocol/broker.ts';
import type { OnUnrecoverable } from '../../platform/log-databases.ts';
import { readWitness } from '../../platform/witness-storage.ts';
import type { StatusObserver } from '../status/status-observer.ts';
import { LivenessLock, heldInTime } from '../../platform/locks/liveness.ts';
import type { InlineHost, WorkerKind } from './worker-host.ts';
import { connectInline, connectToWorker, unanswered } from './worker-connection.ts';
import type { WorkerConnection } from './worker-connection.ts';
import type { Platform } from '../../platform/platform.ts';
import { PageLifecycle, onPageCache } from '../../platform/page-lifecycle.ts';
import { retry } from '../../platform/retry.ts';
import type { WorkerUrl } from './worker-url.ts';
import type * as witnessWriter from './witness-writer.ts';

export interface ConnectionOptions {
  readonly log: string;
  readonly host: WorkerKind | InlineHost;
  readonly workerUrl: WorkerUrl | undefined;
  readonly clock: Clock;
}

/**
 * The deadline of a call, in milliseconds. With the grace that `deadline` adds, every call settles
 * within 10 s. The store's own deadline is shorter, because its error names the cause.
 */
const CALL_DEADLINE_MS = 9_750;

/** The reason in the error of calls without an answer. */
const CACHED = 'the page went into the back/forward cache';

/** The most workers that one repeatable call is sent to, when each dies before it answers. */
const MAX_WORKERS = 3;

/**
 * A worker that dies in a long poll later than this after the poll began has served the poll. Such
 * a death resets the count towards `MAX_WORKERS`. In milliseconds.
 */
const SERVED_MS = 1_000;

/**
 * A tab's connection to the log. The connection outlives its workers: after the death of a worker,
 * the next call starts or joins another one.
 */
export class Connection {
  readonly page: PageLifecycle;
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  #opened: OpenedLog | undefined;
  readonly #livenessLock: LivenessLock;
  #worker: Promise<WorkerConnection> | undefined;
  /** Resolves when the page comes back from the back/forward cache; else `undefined`. */
  #restored: Deferred | undefined;
  #observer: StatusObserver | undefined;
  #witness: witnessWriter.WitnessWriter | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.page = new PageLifecycle(this.closed);
    this.#livenessLock = new LivenessLock('client', {
      signal: this.closed,
      onLost: () => this.#hangUp("the browser took the tab's liveness lock away"),
      locks: this.platform.locks,
    });
    onPageCache(
      () => this.#suspend(),
      () => this.#restore(),
      this.closed,
    );
  }

  /** The id of the tab's liveness lock. Changes when the lock is lost. */
  get clientId(): string {
    return this.#livenessLock.id;
  }

  /** The log's name. */
  get log(): string {
    return this.#options.log;
  }

  get host(): WorkerKind | InlineHost {
    return this.#options.host;
  }

  /**
   * The platform of an inline broker's host; empty for a worker, so the context's own locks and
   * channels are used.
   */
  get platform(): Platform {
    const { host } = this.#options;
    return (typeof host === 'object' ? host.platform : undefined) ?? {};
  }

  /**
   * Aborts when the connection is closed. The reason is `CLOSED` with `details.reason` 'deleted'
   * where the log was deleted.
   */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /**
   * The observer of the log's statuses; `undefined` while the log has no logger and no status
   * iterator.
   */
  get observer(): StatusObserver | undefined {
    return this.#observer;
  }

  /** Replaces the observer. */
  observe(observer: StatusObserver | undefined): void {
    this.#observer = observer;
  }

  /** The log as it was opened; `undefined` until the log is open. */
  get opened(): OpenedLog | undefined {
    return this.#opened;
  }

  /** Opens the log, creating it if it is new. */
  async open(onUnrecoverable: OnUnrecoverable = 'error'): Promise<OpenedLog> {
    // A host of a broker in this thread may keep a log of the same name elsewhere.
    const witness = typeof this.host === 'string' ? readWitness(this.log) : null;
    const request = { logId: null, witness, onUnrecoverable };
    return (this.#opened = await this.call('openLog', request));
  }

  /** Tells of records that a later worker found lost, or keeps them for who asks for the statuses. */
  #recordsLost(lost: readonly LostRecords[]): void {
    if (this.#observer !== undefined) this.#observer.recordsLost(lost);
    else this.#opened = { ...this.#opened!, lost: [...this.#opened!.lost, ...lost] };
  }

  /** Keeps a witness of the open log from now on, where a worker has the log. */
  keepWitness({ WitnessWriter }: typeof witnessWriter): void {
    if (typeof this.host === 'string') this.#witness = new WitnessWriter(this, this.#opened!);
  }

  /**
   * Handles a hint that the log was deleted. A hint can be wrong, so the connection calls the
   * broker; a `CLOSED` error with reason 'deleted' closes the connection.
   */
  checkDeleted(): void {
    const logId = this.#opened?.logId;
    // An error of this check is dropped, because the next call of the application meets the same
    // error.
    if (logId !== undefined) this.call('openLog', { logId }).catch(() => {});
  }

  /**
   * Calls the broker. The promise settles even when the worker dies or hangs. After the death of a
   * worker, a repeatable call is sent to the next worker, and any other call rejects with
   * `OUTCOME_UNKNOWN`.
   *
   * `extraMs`: the time that the request itself lets the broker wait (a long poll), in
   * milliseconds. The time is added to the deadline.
   */
  async call<M extends Method>(method: M, request: Request<M>, extraMs = 0): Promise<Response<M>> {
    const answer = this.#call(method, request, extraMs);
    this.#observer?.called(method, request, answer);
    this.#witness?.called(method, request, answer);
    try {
      return await answer;
    } finally {
      this.page.livesOn();
    }
  }

  async #call<M extends Method>(
    method: M,
    request: Request<M>,
    extraMs: number,
  ): Promise<Response<M>> {
    let sentAt = 0;
    let deaths = 0;
    const isRetried = (error: unknown): boolean => {
      const isDeath = isUnknown(error)
        ? isRepeatable(method)
        : error instanceof TablogError && error.code === 'WORKER_LOST';
      if (!isDeath || this.closed.aborted) return false;
      const waited = this.clock.now() - sentAt;
      const hasServed = extraMs > 0 && waited > SERVED_MS && waited < CALL_DEADLINE_MS;
      deaths = hasServed ? 0 : deaths + 1;
      return deaths < MAX_WORKERS;
    };
    try {
      return await retry(this, { isRetried, atOnce: Infinity }, async () => {
        const worker = await this.#connect();
        sentAt = this.clock.now();
        return worker.call(method, request, CALL_DEADLINE_MS + extraMs);
      });
    } catch (error) {
      if (isLogDeleted(error)) this.close(error);
      if (deaths < MAX_WORKERS || !isUnknown(error)) throw error;
      const happened = `${deaths} workers died one after the other`;
      throw new TablogError(WORKER_LOST, happened, { cause: error });
    }
  }

  /**
   * Closes the connection. `deletion` is the error of a deleted log; `undefined`: the application
   * closes the log. Idempotent.
   */
  close(deletion?: TablogError): void {
    if (this.closed.aborted) return;
    this.#closing.abort(deletion);
    void this.#worker?.then(
      (worker) => worker.close(deletion),
      () => {},
    );
  }

  /** The error that calls after `close()` reject with. */
  closedError(): TablogError {
    const reason: unknown = this.closed.reason;
    if (isLogDeleted(reason)) return reason;
    return new TablogError(CLOSED, `the log '${this.#options.log}' is closed`);
  }

  #connect(): Promise<WorkerConnection> {
    // A worker or a transaction that began now would stay with the cached page.
    if (this.#restored !== undefined && this.host !== 'shared') {
      return this.#restored.promise.then(() => this.#connect());
    }
    if (this.closed.aborted) return Promise.reject(this.closedError());
    if (this.#worker === undefined) {
      const connecting = this.#connectToWorker();
      connecting.catch((error: unknown) => {
        if (this.#worker === connecting) this.#worker = undefined;
        if (!this.closed.aborted) this.#observer?.workerFailed(error);
      });
      this.#worker = connecting;
    }
    return this.#worker;
  }

  async #connectToWorker(): Promise<WorkerConnection> {
    const { log, host, workerUrl, clock } = this.#options;
    const isInline = typeof host === 'object';
    await this.#holdLivenessLock(isInline);
    if (isInline) return connectInline(host, log);
    const { clientId } = this;
    const worker = await connectToWorker({
      log,
      clientId,
      logId: this.#opened?.logId ?? null,
      witness: this.#witness?.write() ?? null,
      kind: host,
      workerUrl,
      clock,
      onRecordsLost: (lost) => this.#recordsLost(lost),
      onLost: (reason) => {
        this.#worker = undefined;
        this.#observer?.workerLost(reason);
      },
    });
    if (this.closed.aborted) {
      worker.close();
      throw this.closedError();
    }
    this.#observer?.workerConnected();
    return worker;
  }

  /**
   * Ends the connection to the worker, which has taken this tab for dead, or will. The next call
   * says hello anew. An inline broker is part of this tab, and stays.
   */
  #hangUp(why: string): void {
    const worker = this.#worker;
    if (worker === undefined || typeof this.host === 'object') return;
    this.#worker = undefined;
    worker.then(
      (connected) => connected.close(unanswered(why)),
      () => {},
    );
    this.#observer?.workerLost('interrupted');
  }

  /**
   * The page goes into the back/forward cache. Its own worker would be cached with it, amid a
   * transaction for which all tabs wait, so that worker ends.
   */
  #suspend(): void {
    this.#restored ??= deferred();
    if (this.host === 'dedicated') this.#hangUp(CACHED);
  }

  /** The page is back. WebKit has freed its locks, and so the brokers have dropped this tab. */
  #restore(): void {
    this.#livenessLock.renew();
    this.#hangUp(CACHED);
    this.#restored?.resolve();
    this.#restored = undefined;
  }

  /**
   * Holds the tab's liveness lock, by whose release the broker detects the tab's death. `isInline`:
   * the broker runs in this thread and dies with the tab, so a refused lock does no harm.
   */
  async #holdLivenessLock(isInline: boolean): Promise<void> {
    try {
      await heldInTime(this.clock, this.#livenessLock.hold(), this.platform.locks);
    } catch (error) {
      const isMissing =
        error instanceof TablogError && error.code === LOCKS_UNAVAILABLE.code && !error.retriable;
      if (!isInline || !isMissing) throw error;
    }
  }
}
