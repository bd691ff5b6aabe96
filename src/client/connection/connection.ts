import type { Clock } from '../../platform/clock.ts';
import { CLOSED, LOCKS_UNAVAILABLE, WORKER_LOST } from '../../base/error-rules.ts';
import { TablogError, isLogDeleted, isUnknown } from '../../base/error.ts';
import { randomId } from '../../platform/random-id.ts';
import { isRepeatable } from '../../protocol/broker.ts';
import type { Method, Request, Response } from '../../protocol/broker.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { StatusObserver } from '../status/status-observer.ts';
import { heldInTime, holdLivenessLock } from '../../platform/liveness.ts';
import type { InlineHost, WorkerKind } from './worker-host.ts';
import { connectInline, connectToWorker } from './worker-connection.ts';
import type { WorkerConnection } from './worker-connection.ts';
import type { Platform } from '../../platform/platform.ts';
import { PageLifecycle } from '../../platform/page-lifecycle.ts';
import { retry } from '../../platform/retry.ts';
import type { WorkerUrl } from './worker-url.ts';

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
  readonly clientId: string = randomId();
  readonly page: PageLifecycle;
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  /** The id of the log; `undefined` until the log is open. */
  #logId: string | undefined;
  #livenessLock: Promise<void> | undefined;
  #worker: Promise<WorkerConnection> | undefined;
  #observer: StatusObserver | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.page = new PageLifecycle(this.closed);
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

  /** Opens the log, creating it if it is new; returns its topics. */
  async open(): Promise<readonly TopicInfo[]> {
    const { logId, topics } = await this.call('openLog', { logId: null });
    this.#logId = logId;
    return topics;
  }

  /**
   * Handles a hint that the log was deleted. A hint can be wrong, so the connection calls the
   * broker; a `CLOSED` error with reason 'deleted' closes the connection.
   */
  checkDeleted(): void {
    const logId = this.#logId;
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
      logId: this.#logId ?? null,
      kind: host,
      workerUrl,
      clock,
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
   * Holds the tab's liveness lock, by whose release the broker detects the tab's death. `isInline`:
   * the broker runs in this thread and dies with the tab, so a refused lock does no harm.
   */
  async #holdLivenessLock(isInline: boolean): Promise<void> {
    this.#livenessLock ??= holdLivenessLock(
      'client',
      this.clientId,
      this.closed,
      this.platform.locks,
    );
    const held = this.#livenessLock;
    held.catch(() => (this.#livenessLock = undefined));
    try {
      await heldInTime(this.clock, held);
    } catch (error) {
      const isMissing =
        error instanceof TablogError && error.code === LOCKS_UNAVAILABLE.code && !error.retriable;
      if (!isInline || !isMissing) throw error;
    }
  }
}
