import type { Durability } from '../store.ts';
import { SqliteFault, faulting } from './sqlite-driver.ts';
import type { SqliteDriver, SqliteRow, SqliteValue } from './sqlite-driver.ts';

/** A prepared statement, as all libraries have it. */
export interface PreparedStatement {
  all(...values: readonly never[]): unknown;
  run(...values: readonly never[]): unknown;
}

/**
 * A connection of a library with prepared statements: `DatabaseSync` of `node:sqlite`, `Database` of
 * `bun:sqlite`, of `better-sqlite3` or of `libsql`.
 */
export interface PreparedDatabase {
  prepare(sql: string): PreparedStatement;
  exec(sql: string): unknown;
}

interface Statement {
  all(...values: readonly unknown[]): SqliteRow[];
  run(...values: readonly unknown[]): unknown;
}

/** A driver over a connection with prepared statements. */
export class PreparedDriver implements SqliteDriver {
  readonly #database: PreparedDatabase;
  readonly #statements = new Map<string, Statement>();
  #durability: Durability | undefined;
  #isShared: boolean | undefined;

  constructor(database: PreparedDatabase) {
    this.#database = database;
  }

  /** Whether the database is a file: one in memory has no name. */
  get isShared(): boolean {
    this.#isShared ??= this.all('PRAGMA database_list').some(
      ({ name, file }) => name === 'main' && typeof file === 'string' && file !== '',
    );
    return this.#isShared;
  }

  begin(): void {
    // A wait inside SQLite would block the thread; the store waits itself.
    this.all('PRAGMA busy_timeout = 0');
    // A journal that readers do not wait for. A file system without shared memory refuses it.
    this.all('PRAGMA journal_mode = WAL');
    // macOS flushes to the disk itself only when told to.
    this.#exec('PRAGMA fullfsync = 1');
  }

  all(sql: string, ...values: readonly SqliteValue[]): SqliteRow[] {
    return faulting(() => this.#prepared(sql).all(...values.map(bound)));
  }

  run(sql: string, ...values: readonly SqliteValue[]): void {
    faulting(() => this.#prepared(sql).run(...values.map(bound)));
  }

  snapshot<T>(read: () => T): T {
    this.#exec('BEGIN');
    return this.#ended(read, () => this.#exec('COMMIT'));
  }

  transaction<T>(work: () => T, durability: Durability): T {
    this.#setDurability(durability);
    // 'EXCLUSIVE' keeps readers out where the journal is none that they can read beside, and so no
    // reader can make the COMMIT fail.
    this.#exec('BEGIN EXCLUSIVE');
    return this.#ended(work, () => this.#commit());
  }

  flushed(): undefined {
    return undefined;
  }

  #ended<T>(work: () => T, commit: () => void): T {
    try {
      const result = work();
      commit();
      return result;
    } catch (error) {
      try {
        this.#exec('ROLLBACK');
      } catch {
        // SQLite has rolled back by itself, as after most failures of a disk.
      }
      throw error;
    }
  }

  #commit(): void {
    try {
      this.#exec('COMMIT');
    } catch (error) {
      const { result, cause } = error as SqliteFault;
      // A full disk has refused a page before the end of the transaction was written. After any other
      // failure, as of a flush, that end may be in the file.
      throw new SqliteFault(cause, { isUnknown: result !== 'FULL' && result !== 'BUSY' });
    }
  }

  /** 'relaxed' is what a kill of the process cannot undo; 'strict' is flushed to the disk. */
  #setDurability(durability: Durability): void {
    if (this.#durability === durability) return;
    this.#exec(`PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`);
    this.#durability = durability;
  }

  /**
   * Runs a statement of a transaction. It is not one that was prepared, which libsql would not
   * reset after a failure; a statement that is not reset makes the next COMMIT fail.
   */
  #exec(sql: string): void {
    faulting(() => this.#database.exec(sql));
  }

  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql) as Statement;
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function bound(value: SqliteValue): unknown {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}
