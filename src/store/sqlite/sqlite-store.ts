import { CLOSED } from '../../base/error-rules.ts';
import { TablogError, logDeleted } from '../../base/error.ts';
import type { Clock } from '../../platform/clock.ts';
import { numberedPartitions } from '../numbered-partitions.ts';
import { topicsVersionRef } from '../schema.ts';
import type {
  PartitionWriter,
  RowRef,
  RowsOf,
  SegmentsRead,
  SegmentsRequest,
  Store,
  Synchronous,
  UpdateOptions,
  Writer,
} from '../store.ts';
import type { SqliteDriver } from './sqlite-driver.ts';
import { SqliteRows } from './sqlite-rows.ts';
import { existsLog } from './sqlite-tables.ts';
import { whenUnlocked } from './when-unlocked.ts';

interface SqliteStoreOptions {
  readonly driver: SqliteDriver;
  readonly clock: Clock;
  readonly name: string;
  /** The log's number in the database. */
  readonly log: number;
  readonly onClosed?: (store: SqliteStore) => unknown;
}

/** A connection to one log of a SQLite database. Each call is one transaction, in one turn. */
export class SqliteStore implements Store {
  readonly #options: SqliteStoreOptions;
  readonly #rows: SqliteRows;
  readonly #closing = new AbortController();

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.#rows = new SqliteRows(options.driver, options.log);
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  close(reason: TablogError = new TablogError(CLOSED, 'the log is closed')): void {
    this.#closing.abort(reason);
    this.#options.onClosed?.(this);
  }

  read<const Refs extends readonly RowRef<unknown>[]>(refs: Refs): Promise<RowsOf<Refs>> {
    return this.#read(() => this.#rows.get(refs));
  }

  readAll<T>(store: string): Promise<T[]> {
    return this.#read(() => this.#rows.all(store) as T[]);
  }

  readSegments(requests: readonly SegmentsRequest[]): Promise<SegmentsRead[]> {
    return this.#read(() => requests.map((request) => this.#rows.segments(request)));
  }

  update<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: Writer) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#write(options, () => {
      const scope = new Set(refs.map(({ store }) => store));
      return decide(this.#rows.get(refs), this.#rows.writer(scope));
    });
  }

  updatePartitions<const Refs extends readonly RowRef<unknown>[], Result>(
    refs: Refs,
    decide: (rows: RowsOf<Refs>, write: PartitionWriter) => Synchronous<Result>,
    options?: UpdateOptions,
  ): Promise<Result> {
    return this.#write(options, () => {
      const scope = new Set([topicsVersionRef, ...refs].map(({ store }) => store));
      const write = this.#rows.writer(scope);
      const [partitions] = this.#rows.get([topicsVersionRef]);
      const take = numberedPartitions(partitions, write, (store) => scope.add(store));
      return decide(this.#rows.get(refs), take);
    });
  }

  #read<T>(read: () => T): Promise<T> {
    const { driver } = this.#options;
    return this.#perform(() => driver.snapshot(() => this.#there(read)));
  }

  async #write<T>(options: UpdateOptions | undefined, work: () => T): Promise<T> {
    const { driver } = this.#options;
    const durability = options?.durability ?? 'relaxed';
    const result = await this.#perform(() =>
      driver.transaction(() => this.#there(work), durability),
    );
    await driver.flushed(durability);
    return result;
  }

  /** Runs `work` of a transaction, unless another process has deleted the log. */
  #there<T>(work: () => T): T {
    const { driver, log, name } = this.#options;
    if (!existsLog(driver, log)) throw logDeleted(name);
    return work();
  }

  async #perform<T>(work: () => T): Promise<T> {
    try {
      return await whenUnlocked(this.#options.clock, () => {
        this.closed.throwIfAborted();
        return work();
      });
    } catch (error) {
      // A log that was deleted, or a database that its owner has closed, is so for good.
      const isEnd = error instanceof TablogError && error.code === CLOSED.code;
      if (isEnd && !this.closed.aborted) this.close(error);
      throw error;
    }
  }
}
