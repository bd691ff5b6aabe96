import type { Clock } from '../../platform/clock.ts';
import { isLogDeleted } from '../../base/error.ts';
import { reportCallbackError } from '../../platform/report-callback-error.ts';
import type { Platform } from '../../platform/platform.ts';
import type { OpenedLog } from '../../protocol/broker.ts';
import type { LogStatus } from './log-status.ts';
import { lossesOf } from './log-losses.ts';
import type { Logger } from './logger.ts';
import { Observation } from './observation.ts';
import { limitsOf } from './platform-limits.ts';
import type { ObservedHost } from './platform-limits.ts';
import { lineOf } from './status-line.ts';
import type { StatusObserver } from './status-observer.ts';
import { StatusStream } from './status-stream.ts';

export { lineOf };

/** The part of a log's connection that its statuses use. */
export interface ObservedConnection {
  readonly log: string;
  readonly clock: Clock;
  readonly host: ObservedHost;
  readonly platform: Platform;
  /**
   * Aborts when the connection is closed. The reason is `CLOSED` with `details.reason` 'deleted'
   * where the log was deleted.
   */
  readonly closed: AbortSignal;
  /** The log as it was opened. */
  readonly opened?: OpenedLog | undefined;
  /** Replaces the observer; `undefined`: the connection has no observer. */
  observe(observer: StatusObserver | undefined): void;
}

interface Listener {
  push(status: LogStatus): void;
  /** Called when no more statuses follow. */
  end(): void;
}

/**
 * The statuses of a log, for the log's iterators and logger. The connection is observed while at
 * least one iterator or logger listens.
 */
export class LogStatuses {
  readonly #connection: ObservedConnection;
  readonly #listeners = new Set<Listener>();
  readonly #since: number;
  #observation: Observation | undefined;

  constructor(connection: ObservedConnection) {
    this.#connection = connection;
    this.#since = connection.clock.now();
    const { closed } = connection;
    closed.addEventListener('abort', () => this.#close(closed.reason), { once: true });
  }

  /**
   * An iterator of the statuses from now on. The iterator begins with what `openLog` found lost, and
   * the statuses of a worker or a storage that is away now, and ends when the log closes or `signal` aborts.
   */
  stream(signal: AbortSignal | undefined): StatusStream {
    const listening = new AbortController();
    const stream = new StatusStream(() => {
      this.#remove(stream);
      listening.abort();
    });
    this.#add(stream);
    for (const status of [...this.#found(), ...this.#observation!.away]) stream.push(status);
    const end = (): void => void stream.return();
    signal?.addEventListener('abort', end, { once: true, signal: listening.signal });
    if (signal?.aborted === true) end();
    return stream;
  }

  /** Passes each status to a logger until the log closes. */
  logTo(logger: Logger): void {
    const log = (status: LogStatus): unknown => {
      const [level, line] = lineOf(this.#connection.log, status);
      return typeof logger === 'function' ? logger(level, line, status) : logger[level](line);
    };
    const report = (error: unknown): void => reportCallbackError('the logger of a log', error);
    // A logger may be asynchronous although its type returns void, so rejections are reported as
    // well.
    const push = (status: LogStatus): void => void (async () => log(status))().catch(report);
    this.#add({ push, end: () => {} });
    for (const status of this.#found()) push(status);
  }

  /** The limits of this context, and the losses that `openLog` found or that nobody listened to. */
  #found(): LogStatus[] {
    const { host, platform, opened } = this.#connection;
    const found = opened === undefined ? [] : lossesOf(opened);
    return [...limitsOf(host, platform), ...found].map((status): LogStatus => ({
      ...status,
      timestamp: this.#since,
    }));
  }

  #add(listener: Listener): void {
    this.#listeners.add(listener);
    if (this.#observation !== undefined) return;
    this.#observation = new Observation(this.#connection.clock, (status) => this.#push(status));
    this.#connection.observe(this.#observation);
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#connection.observe(undefined);
    this.#observation?.end();
    this.#observation = undefined;
  }

  #push(status: LogStatus): void {
    for (const listener of this.#listeners) listener.push(status);
  }

  #close(reason: unknown): void {
    if (isLogDeleted(reason)) this.#observation?.emit({ type: 'logDeleted', error: reason });
    for (const listener of this.#listeners) {
      listener.end();
      this.#remove(listener);
    }
  }
}
