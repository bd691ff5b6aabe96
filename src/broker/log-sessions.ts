import { CLOSED, STORAGE_TIMEOUT } from '../base/error-rules.ts';
import { TablogError, isLogDeleted, logDeleted } from '../base/error.ts';
import { logRef } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { LogSession } from './log-session.ts';
import type { LogSessionOptions } from './log-session.ts';
import { MemoryPartitions } from './memory-partitions.ts';
import type { MemoryPartitionsOptions } from './memory-partitions.ts';
import type { TopicCatalog } from './topic-catalog.ts';

export interface LogSessionsOptions
  extends Omit<LogSessionOptions, 'memory'>, Pick<MemoryPartitionsOptions, 'broker'> {
  /** The log's name. */
  readonly name: string;
  /**
   * With `mustExist`, rejects with `CLOSED` where the log does not exist, instead of creating it.
   */
  readonly openStore: (options: { readonly mustExist: boolean }) => Promise<Store>;
  /** Called once the log was deleted: this broker serves nobody any more. */
  readonly onDeleted: () => void;
}

/**
 * The sessions of one log in a broker, one after the other: a session lasts as long as its
 * connection to the store. A deleted log ends the broker, because opening the log again would
 * create it. Later openers get a new broker.
 */
export class LogSessions {
  readonly #options: LogSessionsOptions;
  #session: Promise<LogSession> | undefined;
  #memory: MemoryPartitions | undefined;
  /** The id of the log that was open last; `undefined` before the first session. */
  #logId: string | undefined;
  /**
   * The log may have been deleted while no connection was there to hear of it. The next connection
   * must not create the log.
   */
  #isDoubted = false;
  #isConnected = false;
  /** The error of calls after the end; `undefined` until then. */
  #closed: TablogError | undefined;

  constructor(options: LogSessionsOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** The error of calls after the log was deleted; `undefined` until then. */
  get deletion(): TablogError | undefined {
    return isLogDeleted(this.#closed) ? this.#closed : undefined;
  }

  /** The session, if there is one. */
  get current(): Promise<LogSession | undefined> {
    return this.#session?.catch(() => undefined) ?? Promise.resolve(undefined);
  }

  open(): Promise<LogSession> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    this.#session ??= this.#connect(this.#isDoubted);
    return this.#session;
  }

  /**
   * Runs `use` on the open log. A connection that the browser closed is opened anew, once, where
   * that is safe: the error says that nothing was stored.
   */
  async run<T>(use: (session: LogSession) => Promise<T>): Promise<T> {
    const session = await this.open();
    try {
      return await use(session);
    } catch (error) {
      if (this.deletion !== undefined) throw this.deletion;
      if (!session.store.closed.aborted || !isCutOff(error)) throw error;
      return use(await this.open());
    }
  }

  /**
   * Handles a hint that the log was deleted. A broker with a connection ignores it: the store's
   * `versionchange` event is certain, and sooner.
   */
  doubt(): void {
    if (this.#logId !== undefined) this.#isDoubted ||= !this.#isConnected;
  }

  /**
   * Checks that the log `logId` still exists, without creating another. Throws `CLOSED` where it
   * was deleted.
   */
  async check(logId: string): Promise<void> {
    this.#isDoubted ||= !this.#isConnected;
    await this.open();
    if (this.#logId !== logId) throw logDeleted(this.#options.name);
  }

  close(why: TablogError = closedError()): void {
    this.#closed ??= why;
    this.#memory?.close();
    void this.#session?.then(
      ({ store }) => store.close(),
      () => {},
    );
  }

  async #connect(mustExist: boolean): Promise<LogSession> {
    try {
      const { store, logId } = await this.#openLog(mustExist);
      // A log with another id was created since: this broker's clients had the deleted one.
      const isOther = this.#logId !== undefined && this.#logId !== logId && this.#isDoubted;
      if (isOther) this.#end(logDeleted(this.#options.name));
      if (this.#closed !== undefined) {
        store.close();
        throw this.#closed;
      }
      this.#logId = logId;
      this.#isDoubted = false;
      this.#isConnected = true;
      if (store.closed.aborted) this.#disconnected(store);
      else store.closed.addEventListener('abort', () => this.#disconnected(store), { once: true });
      return new LogSession(store, { ...this.#options, memory: this.#memoryOf(logId) });
    } catch (error) {
      this.#session = undefined;
      if (isLogDeleted(error)) this.#missed(error);
      throw error;
    }
  }

  #disconnected({ closed }: Store): void {
    this.#session = undefined;
    this.#isConnected = false;
    if (isLogDeleted(closed.reason)) this.#end(closed.reason);
  }

  /** The log to open does not exist. */
  #missed(error: TablogError): void {
    this.#isDoubted = false; // the doubt is settled
    if (this.#logId !== undefined) this.#end(error);
  }

  #end(why: TablogError): void {
    if (this.#closed !== undefined) return;
    this.close(why);
    this.#options.onDeleted();
  }

  async #openLog(mustExist: boolean): Promise<{ readonly store: Store; readonly logId: string }> {
    for (let tries = 1; ; tries++) {
      const store = await this.#options.openStore({ mustExist });
      try {
        const [log] = await store.read([logRef]);
        return { store, logId: log!.logId };
      } catch (error) {
        store.close();
        if (tries === 2 || !isCutOff(error)) throw error;
      }
    }
  }

  /** What is in memory stays when the connection is made anew; not when the log is another one. */
  #memoryOf(logId: string): MemoryPartitions {
    if (this.#memory?.logId === logId) {
      this.#memory.topicsChanged(); // no hint of that was heard without a connection
      return this.#memory;
    }
    this.#memory?.close();
    const catalog = async (): Promise<TopicCatalog> => (await this.open()).topics;
    this.#memory = new MemoryPartitions({ ...this.#options, logId, catalog });
    return this.#memory;
  }
}

function closedError(): TablogError {
  return new TablogError(CLOSED, 'the broker is closed');
}

/**
 * Whether the connection was lost before anything was stored. Not where the database did not answer
 * in time: whoever called cannot wait for as long again.
 */
export function isCutOff(error: unknown): boolean {
  return error instanceof TablogError && error.retriable && error.code !== STORAGE_TIMEOUT.code;
}
