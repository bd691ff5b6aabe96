import { CLOSED, STORAGE_TIMEOUT } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { logRef } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { LogSession } from './log-session.ts';
import type { LogSessionOptions } from './log-session.ts';
import { MemoryPartitions } from './memory-partitions.ts';
import type { MemoryPartitionsOptions } from './memory-partitions.ts';
import type { TopicCatalog } from './topic-catalog.ts';

export interface LogSessionsOptions
  extends Omit<LogSessionOptions, 'memory'>, Pick<MemoryPartitionsOptions, 'broker'> {
  readonly openStore: () => Promise<Store>;
}

/** A log as a broker has it open: one session after the other, as connections come and go. */
export class LogSessions {
  readonly #options: LogSessionsOptions;
  #session: Promise<LogSession> | undefined;
  #memory: MemoryPartitions | undefined;
  #isClosed = false;

  constructor(options: LogSessionsOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The session, if there is one. */
  get current(): Promise<LogSession | undefined> {
    return this.#session?.catch(() => undefined) ?? Promise.resolve(undefined);
  }

  open(): Promise<LogSession> {
    if (this.#isClosed) return Promise.reject(closedError());
    this.#session ??= this.#connect();
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
      if (!session.store.closed.aborted || !isCutOff(error)) throw error;
      return use(await this.open());
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#memory?.close();
    void this.#session?.then(
      ({ store }) => store.close(),
      () => {},
    );
  }

  async #connect(): Promise<LogSession> {
    try {
      const { store, logId } = await this.#openLog();
      if (this.#isClosed) {
        store.close();
        throw closedError();
      }
      const drop = (): void => void (this.#session = undefined);
      if (store.closed.aborted) drop();
      else store.closed.addEventListener('abort', drop, { once: true });
      return new LogSession(store, { ...this.#options, memory: this.#memoryOf(logId) });
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }

  async #openLog(): Promise<{ readonly store: Store; readonly logId: string }> {
    for (let tries = 1; ; tries++) {
      const store = await this.#options.openStore();
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
