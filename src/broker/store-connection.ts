import { CLOSED, STORAGE_TIMEOUT } from '../base/error-rules.ts';
import { TablogError, isLogDeleted, logDeleted, toTablogError } from '../base/error.ts';
import { logOf, logRef } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { failureOf } from './diagnostics/diagnostics.ts';
import { ObservedStore } from './diagnostics/observed-store.ts';
import type { OpenStoreOptions } from '../store/store-factory.ts';
import type { CommitRequest } from '../protocol/group.ts';
import type { OnUnrecoverable } from '../platform/log-databases.ts';
import { CommitsInProgress } from './groups/commits-in-progress.ts';
import { StoreSession } from './store-session.ts';
import type { StoreSessionOptions } from './store-session.ts';
import { MemoryPartitions } from './memory/memory-partitions.ts';
import type { MemoryPartitionsOptions } from './memory/memory-partitions.ts';
import { explainMissing } from './topics/missing-head.ts';
import type { TopicCatalog } from './topics/topic-catalog.ts';

export interface StoreConnectionOptions
  extends Omit<StoreSessionOptions, 'memory' | 'commits'>, Pick<MemoryPartitionsOptions, 'broker'> {
  /** The log's name. */
  readonly name: string;
  /**
   * With `mustExist`, rejects with `CLOSED` where the log does not exist, instead of creating it.
   */
  readonly openStore: (
    options: Pick<OpenStoreOptions, 'mustExist' | 'onUnrecoverable'>,
  ) => Promise<Store>;
  /** Called once, when the log was deleted: every later call rejects. */
  readonly onDeleted: () => void;
}

/**
 * The sessions of one log in a broker, one after the other: a session lasts as long as its
 * connection to the store. Every session has the log id of the first session. When that log was
 * deleted, or another log has its name, the broker closes, and later openers get a new broker.
 *
 * Only a client that opens the log for the first time may create the log. Calls of other clients
 * can reach a broker without a session, after the previous worker died. The log may have been
 * deleted meanwhile, and must not be created again.
 */
export class StoreConnection {
  readonly #options: StoreConnectionOptions;
  readonly #commits = new CommitsInProgress();
  #session: Promise<StoreSession> | undefined;
  #memory: MemoryPartitions | undefined;
  /** The id of the broker's log, which never changes; `undefined` before the first session. */
  #logId: string | undefined;
  /** The store of the last session. */
  #store: ObservedStore | undefined;
  /** The error that calls after `close()` reject with; `undefined` until then. */
  #closed: TablogError | undefined;

  constructor(options: StoreConnectionOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** The error that calls after the log's deletion reject with; `undefined` until then. */
  get deletion(): TablogError | undefined {
    return isLogDeleted(this.#closed) ? this.#closed : undefined;
  }

  /** The transactions of the present connection to the store. */
  get counts(): ObservedStore['counts'] {
    return this.#store?.counts ?? { transactionsInFlight: 0, transactions: 0 };
  }

  /** The open session; `undefined` without one. */
  get current(): Promise<StoreSession | undefined> {
    return this.#session?.catch(() => undefined) ?? Promise.resolve(undefined);
  }

  /** The session, opened when there is none. Throws `CLOSED` where the log does not exist. */
  open(): Promise<StoreSession> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    this.#session ??= this.#connect(true);
    return this.#session;
  }

  /**
   * As `open`, but creates a missing log unless this broker has had a session of a log before. With
   * 'recreate', replaces a log that can never be opened again.
   */
  async openOrCreate(onUnrecoverable: OnUnrecoverable = 'error'): Promise<StoreSession> {
    for (;;) {
      const isJoined = this.#session !== undefined || this.#closed !== undefined;
      if (!isJoined) this.#session = this.#connect(this.#logId !== undefined, onUnrecoverable);
      try {
        return await this.open();
      } catch (error) {
        // The attempt that this call joined began without the right to create or replace the log.
        const hasRight = isLogDeleted(error) || onUnrecoverable === 'recreate';
        const mayRetry = isJoined && this.#closed === undefined && hasRight;
        if (!mayRetry) throw error;
      }
    }
  }

  /**
   * Runs `use` on the open log. After the browser has closed the connection, `use` runs once more
   * on a new connection, provided that the error says that nothing was stored.
   */
  async run<T>(
    use: (session: StoreSession) => Promise<T>,
    opening: Promise<StoreSession> = this.open(),
  ): Promise<T> {
    const session = await opening;
    try {
      return await use(session);
    } catch (error) {
      if (this.deletion !== undefined) throw this.deletion;
      if (!session.store.closed.aborted || !isCutOff(error)) {
        throw await explainMissing(session.topics, error);
      }
      return use(await this.open());
    }
  }

  /** As `run`, for `use` that stores these commits: until then their members stay in their groups. */
  commit<T>(
    commits: readonly CommitRequest[],
    use: (session: StoreSession) => Promise<T>,
  ): Promise<T> {
    const committing = this.run(use);
    this.#commits.add(commits, committing);
    return committing;
  }

  /** The session of the log `logId`. Throws `CLOSED` when that log was deleted. */
  async openOf(logId: string): Promise<StoreSession> {
    const session = await this.open();
    if (this.#logId !== logId) throw logDeleted(this.#options.name);
    return session;
  }

  close(why: TablogError = closedError()): void {
    this.#closed ??= why;
    this.#memory?.close();
    void this.#session?.then(
      ({ store }) => store.close(),
      () => {},
    );
  }

  async #connect(
    mustExist: boolean,
    onUnrecoverable: OnUnrecoverable = 'error',
  ): Promise<StoreSession> {
    const { clock, diagnostics } = this.#options;
    const began = clock.now();
    try {
      const { store, logId } = await this.#openLog({ mustExist, onUnrecoverable });
      diagnostics.record('storeOpened', { ms: clock.now() - began });
      // Another log id means that the log of this broker's clients was deleted and created again.
      const isOther = this.#logId !== undefined && this.#logId !== logId;
      if (isOther) this.#end(logDeleted(this.#options.name));
      if (this.#closed !== undefined) {
        store.close();
        throw this.#closed;
      }
      this.#logId = logId;
      if (store.closed.aborted) this.#disconnected(store);
      else store.closed.addEventListener('abort', () => this.#disconnected(store), { once: true });
      const [memory, commits] = [this.#memoryOf(logId), this.#commits];
      return new StoreSession(store, { ...this.#options, memory, commits });
    } catch (error) {
      const details = { ms: clock.now() - began, ...failureOf(toTablogError(error)) };
      diagnostics.record('storeFailed', details);
      this.#session = undefined;
      if (isLogDeleted(error) && this.#logId !== undefined) this.#end(error);
      throw error;
    }
  }

  #disconnected({ closed }: Store): void {
    this.#session = undefined;
    this.#options.diagnostics.record('storeClosed', failureOf(toTablogError(closed.reason)));
    if (isLogDeleted(closed.reason)) this.#end(closed.reason);
  }

  #end(why: TablogError): void {
    if (this.#closed !== undefined) return;
    this.close(why);
    this.#options.onDeleted();
  }

  async #openLog(
    opening: Parameters<StoreConnectionOptions['openStore']>[0],
  ): Promise<{ readonly store: ObservedStore; readonly logId: string }> {
    const { clock, diagnostics } = this.#options;
    // A browser can close a connection that it has just opened. The second connection opens at
    // once, without back-off.
    for (let tries = 1; ; tries++) {
      const opened = await this.#options.openStore(opening);
      const store = (this.#store = new ObservedStore(opened, clock, diagnostics));
      try {
        const [log] = await store.read([logRef]);
        return { store, logId: logOf(log).logId };
      } catch (error) {
        store.close();
        if (tries === 2 || !isCutOff(error)) throw error;
      }
    }
  }

  /** The partitions of topics in memory, which outlive a connection to the store. */
  #memoryOf(logId: string): MemoryPartitions {
    if (this.#memory !== undefined) {
      this.#memory.topicsChanged(); // without a session this broker ignored the hints of changes
      return this.#memory;
    }
    const catalog = async (): Promise<TopicCatalog> => (await this.open()).topics;
    this.#memory = new MemoryPartitions({ ...this.#options, logId, catalog });
    return this.#memory;
  }
}

function closedError(): TablogError {
  return new TablogError(CLOSED, 'the broker is closed');
}

/**
 * Whether the connection was lost before anything was stored. False for `STORAGE_TIMEOUT`: the
 * caller has already waited for one deadline, and a second attempt could take as long.
 */
export function isCutOff(error: unknown): boolean {
  return error instanceof TablogError && error.retriable && error.code !== STORAGE_TIMEOUT.code;
}
