import { checkName, mistake, withDefaults } from '../base/argument.ts';
import { systemClock } from '../base/clock.ts';
import { MEMBER_EXISTS } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { Admin } from './admin.ts';
import { Connection } from './connection.ts';
import { Consumer } from './consumer.ts';
import type { ConsumerOptions } from './consumer-options.ts';
import { defaultWorkerKind } from './host.ts';
import type { InlineHost, WorkerKind } from './host.ts';
import { Producer } from './producer.ts';
import type { ProducerOptions } from './producer-options.ts';
import type { TopicFilter } from './message.ts';
import { TopicRegistry } from './topic-registry.ts';
import { checkWorkerUrl } from './worker-url.ts';
import type { WorkerUrl } from './worker-url.ts';

export interface OpenLogOptions {
  /**
   * Where the broker runs. 'shared': one SharedWorker for all tabs; 'dedicated': a worker of this
   * tab's own; `inline()` of 'tablog/inline': this thread, for service workers, edge runtimes and
   * tests. The log is the same, and they may be mixed. Default: 'shared' where there are
   * SharedWorkers, else 'dedicated'.
   */
  readonly host?: WorkerKind | InlineHost;
  /**
   * The address of the worker's file, `tablog/worker` (dist/tablog-worker.js), for pages whose
   * bundler does not find it. Of the page's origin. On a page whose Content-Security-Policy has
   * `require-trusted-types-for 'script'` it is a `TrustedScriptURL`. Default: beside the page's code.
   */
  readonly workerUrl?: WorkerUrl;
}

interface CheckedOpenLogOptions {
  readonly host: WorkerKind | InlineHost;
  readonly workerUrl: WorkerUrl | undefined;
}

/**
 * Opens the log `name`, and makes it if it is new. Every tab of the origin that opens the same name
 * has the same log.
 *
 * Throws a `TypeError` for a bad name or option, and a `TablogError` where the log cannot be
 * opened: `WORKER_FAILED`, `PROTOCOL_MISMATCH`, `LOCKS_UNAVAILABLE`, `NO_INDEXEDDB`,
 * `FORMAT_TOO_NEW`, `STORAGE_BLOCKED`, `STORAGE_UNAVAILABLE`. It settles within 20 s: 5 for each
 * of two workers to answer, and 10 for the store.
 */
export async function openLog(name: string, options: OpenLogOptions = {}): Promise<Log> {
  checkName('log name', name);
  const { host, workerUrl } = withDefaults<CheckedOpenLogOptions>('openLog()', options, {
    host: defaultWorkerKind(),
    workerUrl: undefined,
  });
  if (host !== 'shared' && host !== 'dedicated' && typeof host?.open !== 'function') {
    throw mistake("host must be 'shared', 'dedicated' or inline()", host);
  }
  if (workerUrl !== undefined) checkWorkerUrl(workerUrl);
  const connection = new Connection({ log: name, host, workerUrl, clock: systemClock });
  try {
    await connection.call('describeLog', null);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new Log(name, connection);
}

/** An open log. Close it when done: that closes its producers and consumers too. */
export class Log {
  readonly name: string;
  readonly admin: Admin;
  readonly #connection: Connection;
  readonly #registry: TopicRegistry;
  readonly #producers = new Set<Producer>();
  readonly #consumers = new Set<Pick<Consumer, 'close' | 'group' | 'memberId'>>();

  constructor(name: string, connection: Connection) {
    this.name = name;
    this.#connection = connection;
    this.#registry = new TopicRegistry(name, connection);
    this.admin = new Admin(connection, this.#registry);
  }

  /** Makes a producer. Throws a `TypeError` or `RangeError` for an option that breaks a rule. */
  producer(options: ProducerOptions = {}): Producer {
    const onClosed = (): void => void this.#producers.delete(producer);
    const producer = new Producer(this.#connection, this.#registry, options, onClosed);
    this.#producers.add(producer);
    return producer;
  }

  /**
   * Makes a consumer of every partition of `topics`, or of those that its group assigns to it. Throws
   * as `producer` does, and `MEMBER_EXISTS` where a consumer of this log has the `memberId`.
   */
  consumer<const T extends TopicFilter>(options: ConsumerOptions<T>): Consumer<T> {
    this.#checkMemberId(options);
    const onClosed = (): void => void this.#consumers.delete(consumer);
    const consumer = new Consumer(this.#connection, this.#registry, options, onClosed);
    this.#consumers.add(consumer);
    return consumer;
  }

  /**
   * Flushes the producers, ends the consumers, and leaves the log. Rejects where something could not
   * be stored, and has closed all the same. Idempotent.
   */
  async close(): Promise<void> {
    const closing = [...this.#producers, ...this.#consumers].map((user) => user.close());
    const settled = await Promise.allSettled(closing);
    this.#connection.close();
    for (const result of settled) if (result.status === 'rejected') throw result.reason;
  }

  #checkMemberId(options: ConsumerOptions<TopicFilter>): void {
    const { group, memberId } = options ?? {}; // what is no options is refused later
    if (memberId === undefined) return;
    for (const other of this.#consumers) {
      if (other.group !== group || other.memberId !== memberId) continue;
      throw new TablogError(
        MEMBER_EXISTS,
        `a consumer of this log is the member '${memberId}' of '${group}' already`,
        { details: { group: String(group), member: memberId } },
      );
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
