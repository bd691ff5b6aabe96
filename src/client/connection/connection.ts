import type { Clock } from '../../platform/clock.ts';
import { CLOSED, LOCKS_UNAVAILABLE, WORKER_LOST } from '../../base/error-rules.ts';
import { TablogError, isLogDeleted, isUnknown } from '../../base/error.ts';
import { randomId } from '../../platform/random-id.ts';
import { isRepeatable } from '../../protocol/broker.ts';
import type { Method, Request, Response } from '../../protocol/broker.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { StatusObserver } from '../status/status-observer.ts';
import { holdLivenessLock } from '../../platform/liveness.ts';
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
 * With a deadline's grace every call settles within 10 s; the store gives up before, and says more.
 */
const CALL_DEADLINE_MS = 9_750;

/**
 * A call that is safe to repeat is sent to this many workers, should they die one after the other.
 */
const MAX_WORKERS = 3;

/**
 * A worker that died in a long poll this long after the poll began has served: its death does not
 * count as one of them.
 */
const SERVED_MS = 1_000;

/**
 * A tab's connection to the log, across the deaths of workers: the next call starts or joins
 * another worker.
 */
export class Connection {
  readonly clientId: string = randomId();
  readonly page: PageLifecycle;
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  /** The id of the log; `undefined` until the log is open. */
  #logId: string | undefined;
  #alive: Promise<void> | undefined;
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

  /** The locks and channels of a broker in this thread; of any other, those of this context. */
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

  /** Who is told what happens by itself; `undefined` while nobody listens. */
  get observer(): StatusObserver | undefined {
    return this.#observer;
  }

  /** Has `observer` told from now on. */
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
   * Handles a hint that the log was deleted: asks the broker, whose answer closes the connection if
   * so.
   */
  heardOfDeletion(): void {
    const logId = this.#logId;
    // A failed check is dropped: the next call learns the same.
    if (logId !== undefined) this.call('openLog', { logId }).catch(() => {});
  }

  /**
   * Calls the broker; settles whatever becomes of the worker. When it dies, a call that can be
   * repeated is, and any other rejects with `OUTCOME_UNKNOWN`. `extraMs`: how long the broker may
   * wait by request, on top of the deadline.
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
    let asked = 0;
    let deaths = 0;
    const isRetried = (error: unknown): boolean => {
      if (isLogDeleted(error)) this.close(error);
      const isDeath = isUnknown(error)
        ? isRepeatable(method)
        : error instanceof TablogError && error.code === 'WORKER_LOST';
      if (!isDeath || this.closed.aborted) return false;
      const waited = this.clock.now() - asked;
      const hasServed = extraMs > 0 && waited > SERVED_MS && waited < CALL_DEADLINE_MS;
      deaths = hasServed ? 0 : deaths + 1;
      return deaths < MAX_WORKERS;
    };
    try {
      return await retry(this, { isRetried, atOnce: Infinity }, async () => {
        const worker = await this.#connect();
        asked = this.clock.now();
        return worker.call(method, request, CALL_DEADLINE_MS + extraMs);
      });
    } catch (error) {
      if (deaths < MAX_WORKERS || !isUnknown(error)) throw error;
      const happened = `${deaths} workers died one after the other`;
      throw new TablogError(WORKER_LOST, happened, { cause: error });
    }
  }

  /** Closes the connection, for the application or because of `deletion`. Idempotent. */
  close(deletion?: TablogError): void {
    if (this.closed.aborted) return;
    this.#closing.abort(deletion);
    void this.#worker?.then(
      (worker) => worker.close(deletion),
      () => {},
    );
  }

  /** The error of calls after `close()`. */
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
    const inThread = typeof host === 'object';
    await this.#holdLife(inThread);
    if (inThread) return connectInline(host, log);
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
   * Holds the lock whose release tells the broker of the tab's death. `alone`: the broker runs in
   * this thread and dies with the tab, so a refused lock does no harm.
   */
  async #holdLife(alone: boolean): Promise<void> {
    this.#alive ??= holdLivenessLock('client', this.clientId, this.closed, this.platform.locks);
    try {
      await this.#alive;
    } catch (error) {
      this.#alive = undefined;
      const isRefused = error instanceof TablogError && error.code === LOCKS_UNAVAILABLE.code;
      if (!alone || !isRefused) throw error;
    }
  }
}
