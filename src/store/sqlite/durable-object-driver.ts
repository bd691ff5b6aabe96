import type { Durability } from '../store.ts';
import { faulting } from './sqlite-driver.ts';
import type { SqliteDriver, SqliteRow, SqliteValue } from './sqlite-driver.ts';

/**
 * What is used of the storage of a Durable Object, `ctx.storage`:
 * https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
 */
export interface DurableObjectStorage {
  readonly sql: {
    exec(query: string, ...bindings: unknown[]): { toArray(): Record<string, unknown>[] };
  };
  transactionSync<T>(closure: () => T): T;
  sync(): Promise<void>;
}

/**
 * A driver over the storage of a Durable Object. Whatever is written in one turn is one transaction
 * there, and the answers of the object leave when it is stored.
 */
export class DurableObjectDriver implements SqliteDriver {
  readonly isShared = false;
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  begin(): void {}

  all(sql: string, ...values: readonly SqliteValue[]): SqliteRow[] {
    return faulting(() => this.#storage.sql.exec(sql, ...values).toArray());
  }

  run(sql: string, ...values: readonly SqliteValue[]): void {
    this.all(sql, ...values);
  }

  /** Nothing else writes during a turn. */
  snapshot<T>(read: () => T): T {
    return read();
  }

  transaction<T>(work: () => T): T {
    return this.#storage.transactionSync(work);
  }

  flushed(durability: Durability): Promise<void> | undefined {
    return durability === 'strict' ? this.#storage.sync() : undefined;
  }
}
