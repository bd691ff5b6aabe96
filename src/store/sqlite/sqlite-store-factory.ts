import { mistake } from '../../base/argument.ts';
import { logDeleted } from '../../base/error.ts';
import { sleep, systemClock } from '../../platform/clock.ts';
import { checkFormat, logRef } from '../schema.ts';
import type { StoreFactory } from '../store-factory.ts';
import { DurableObjectDriver } from './durable-object-driver.ts';
import type { DurableObjectStorage } from './durable-object-driver.ts';
import { PreparedDriver } from './prepared-driver.ts';
import type { PreparedDatabase, PreparedStatement } from './prepared-driver.ts';
import type { SqliteDriver } from './sqlite-driver.ts';
import { SqliteChannels } from './sqlite-channels.ts';
import { SqliteFault } from './sqlite-driver.ts';
import { sqliteError } from './sqlite-errors.ts';
import { SqliteLocks } from './sqlite-locks.ts';
import { SqliteProcesses } from './sqlite-processes.ts';
import { SqliteStore } from './sqlite-store.ts';
import {
  createLog,
  dropLog,
  findLog,
  hasTables,
  listLogs,
  prepareDatabase,
  sweepDropped,
} from './sqlite-tables.ts';
import { whenUnlocked } from './when-unlocked.ts';

/** What `sqlite()` takes: a connection to a database, of a library whose calls are synchronous. */
export type SqliteDatabase = PreparedDatabase | DurableObjectStorage;

/** One for each connection: SQLite tells a connection nothing of what it has written itself. */
const factories = new WeakMap<SqliteDatabase, StoreFactory>();

/**
 * Logs in a SQLite database: `openLog('shop', { host: inline({ store: sqlite(database) }) })`. The
 * database is chosen by what it is:
 *
 * - `new DatabaseSync('shop.db')` of `node:sqlite`, in Node 22.13 and later, and in Deno
 * - `new Database('shop.db')` of `bun:sqlite`, of `better-sqlite3` and of `libsql`
 * - `ctx.storage` of a Durable Object with SQLite storage
 *
 * A database has any number of logs, in tables whose names begin with `tablog_`, and may have other
 * tables. Give tablog a connection of its own: it sets `journal_mode = WAL`, `synchronous` by the
 * `durability` of each write, and `busy_timeout = 0`, because it waits without blocking the thread.
 * Several connections, of one or several processes of one machine, can share a file. Close the log
 * before the connection. Leave it out in browsers, where the logs are in IndexedDB.
 *
 * Throws a `TypeError` for anything else, such as a library whose calls return promises.
 */
export function sqlite(database: SqliteDatabase): StoreFactory {
  const there = factories.get(database);
  if (there !== undefined) return there;
  const factory = newFactory(driverOf(database));
  factories.set(database, factory);
  return factory;
}

function newFactory(driver: SqliteDriver): StoreFactory {
  /** The open connections, each with the number of its log. */
  const connections = new Map<SqliteStore, number>();
  let isReady = false;
  const ready = (): void => {
    if (isReady) return;
    prepareDatabase(driver);
    isReady = true;
  };
  const perform = <T>(work: () => T): Promise<T> =>
    whenUnlocked(systemClock, () => {
      ready();
      return work();
    });
  const processes = new SqliteProcesses(driver, systemClock, ready);
  const { openChannel } = new SqliteChannels(processes);
  return {
    platform: { locks: new SqliteLocks(processes), openChannel },
    async open(name, { mustExist, clock, crypto }) {
      const log = await perform(() => {
        const there = findLog(driver, name);
        if (there !== undefined) return there;
        if (mustExist) throw logDeleted(name);
        return createLog(driver, name, clock.now(), crypto);
      });
      const store = new SqliteStore({
        driver,
        clock,
        name,
        log,
        onClosed: (closed) => connections.delete(closed),
      });
      connections.set(store, log);
      try {
        const [row] = await store.read([logRef]);
        checkFormat(name, row);
        return store;
      } catch (error) {
        store.close();
        throw error;
      }
    },
    // What others made of a database stays so until a log is opened in it.
    list: () => whenUnlocked(systemClock, () => (hasTables(driver) ? listLogs(driver) : [])),
    async delete(name) {
      if (!(await whenUnlocked(systemClock, () => hasTables(driver)))) return;
      const deleted = await perform(() => dropLog(driver, name));
      for (const [store, log] of connections) if (log === deleted) store.close(logDeleted(name));
      // A pause after each transaction, so that others have their turn.
      while (await perform(() => sweepDropped(driver))) await sleep(systemClock, 0);
    },
  };
}

function driverOf(database: SqliteDatabase): SqliteDriver {
  if (isDurableObjectStorage(database)) return new DurableObjectDriver(database);
  const { prepare, exec } = (database ?? {}) as Partial<PreparedDatabase>;
  if (typeof prepare !== 'function' || typeof exec !== 'function') {
    throw mistake(isSqlStorage(database) ? `${RULE}, and not its sql` : RULE, database);
  }
  checkSynchronous(database);
  return new PreparedDriver(database);
}

/** Throws a `TypeError` for a library that returns promises, or rows that are no objects. */
function checkSynchronous(database: PreparedDatabase): void {
  const [rows, executed] = look(database);
  if (!Array.isArray(rows) || isPromise(executed)) {
    throw mistake('sqlite() takes a SQLite library whose calls are synchronous', database);
  }
  const isObject = typeof rows[0] === 'object' && !Array.isArray(rows[0]);
  if (!isObject) throw mistake('sqlite() takes a SQLite library whose rows are objects', rows[0]);
}

/** What the library returns: rows, and whatever `exec` does. */
function look(database: PreparedDatabase): readonly [rows: unknown, executed: unknown] {
  const sql = 'SELECT 1 AS one';
  try {
    const statement: Partial<PreparedStatement> = database.prepare(sql);
    if (isPromise(statement) || statement.all === undefined) return [undefined, undefined];
    const rows = statement.all();
    return isPromise(rows) ? [undefined, undefined] : [rows, database.exec(sql)];
  } catch (error) {
    const fault = new SqliteFault(error);
    // Deno's reads the schema of the file, which another process may have locked. It has thrown in
    // this turn, and so it is synchronous.
    if (fault.result === 'BUSY') return [[{ one: 1 }], undefined];
    throw sqliteError(fault);
  }
}

function isPromise(value: unknown): boolean {
  const { then } = (value ?? {}) as Partial<PromiseLike<unknown>>;
  if (typeof then !== 'function') return false;
  then.call(value, null, () => {}); // nobody else looks at what it rejects with
  return true;
}

const RULE =
  'sqlite() takes a connection of node:sqlite, bun:sqlite, better-sqlite3 or libsql, or the ' +
  'ctx.storage of a Durable Object';

function isDurableObjectStorage(database: unknown): database is DurableObjectStorage {
  const { sql, transactionSync } = (database ?? {}) as Partial<DurableObjectStorage>;
  return typeof transactionSync === 'function' && typeof sql?.exec === 'function';
}

/** Whether it is the `sql` of a Durable Object's storage, which has no transactions. */
function isSqlStorage(database: unknown): boolean {
  const { exec, prepare } = (database ?? {}) as Readonly<Record<string, unknown>>;
  return typeof exec === 'function' && prepare === undefined;
}
