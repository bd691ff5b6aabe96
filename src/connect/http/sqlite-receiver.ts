import { checkEach, checkFunction, checkMethods, mistake } from '../../base/argument.ts';
import { receiver } from './receiver.ts';
import type {
  Position,
  ReceivedBatch,
  ReceivedRecord,
  ReceivedSource,
  ReceiverOptions,
} from './receiver.ts';

/** A connection of `node:sqlite`, `bun:sqlite`, `better-sqlite3` or `libsql`, which nobody else uses amid a call. */
export interface ReceiverDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): {
    get(...values: (string | number)[]): unknown;
    run(...values: (string | number)[]): unknown;
  };
}

export interface SqliteReceiverOptions extends Omit<ReceiverOptions, 'position' | 'store'> {
  readonly database: ReceiverDatabase;
  /**
   * Stores records, by statements of the database, within the transaction that stores their position
   * as well. They are those that the database has not yet, in order. Not async: the transaction ends
   * when it returns; what it throws ends it with nothing stored, as of `receiver()`.
   */
  readonly store: (records: readonly ReceivedRecord[], batch: ReceivedBatch) => void;
  /** The table of the positions, made where it is missing. Default 'tablog_positions'. */
  readonly table?: string;
}

/**
 * `receiver()` over SQLite, with the positions in a table: each record is stored once.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option, and what the database throws.
 */
export function sqliteReceiver(
  options: SqliteReceiverOptions,
): (request: Request) => Promise<Response> {
  const { database, store, table = 'tablog_positions', ...others } = checkSqliteReceiver(options);
  const columns = 'source TEXT PRIMARY KEY, position INTEGER NOT NULL';
  database.exec(`CREATE TABLE IF NOT EXISTS ${table} (${columns})`);
  const get = database.prepare(`SELECT position FROM ${table} WHERE source = ?`);
  const set = database.prepare(`REPLACE INTO ${table} VALUES (?, ?)`);
  const position = ({ id }: ReceivedSource): Position =>
    (get.get(id) as { readonly position: number } | null | undefined)?.position;
  return receiver({
    ...others,
    position,
    store: (batch) => {
      database.exec('BEGIN IMMEDIATE'); // nobody reads the same position meanwhile
      try {
        const { records, position: next } = batch.after(position(batch.source));
        const result: unknown = store(records, batch);
        if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
          throw mistake('store of sqliteReceiver() stores at once, and returns nothing', result);
        }
        set.run(batch.source.id, next);
        database.exec('COMMIT');
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
  });
}

function checkSqliteReceiver(options: SqliteReceiverOptions): SqliteReceiverOptions {
  const checked = checkEach<SqliteReceiverOptions>('sqliteReceiver()', options, {
    database: (name, value) => checkMethods(name, value, ['exec', 'prepare']),
    store: (_, value) => checkFunction('store must be a function', value),
    table: (name, value) => {
      if (typeof value === 'string' && /^\w{1,100}$/.test(value)) return;
      throw mistake(`${name} must be a name of letters, digits and _`, value);
    },
    authorize: () => {}, // receiver() checks it and the others
    origins: () => {},
    maxBytes: () => {},
  });
  for (const name of ['database', 'store'] as const) {
    if (checked[name] === undefined) throw new TypeError(`sqliteReceiver() needs ${name}`);
  }
  return checked;
}
