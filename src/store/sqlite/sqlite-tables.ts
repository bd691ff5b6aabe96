import type { RandomSource } from '../../platform/random-id.ts';
import { newLogRows } from '../numbered-partitions.ts';
import type { Key } from '../store.ts';
import { encodeRow } from './row-value.ts';
import { SqliteFault } from './sqlite-driver.ts';
import type { SqliteDriver } from './sqlite-driver.ts';
import { foreignTables } from './sqlite-errors.ts';

interface Table {
  /** The columns, each with its type. */
  readonly columns: Readonly<Record<string, string>>;
  readonly constraint?: string;
}

const NUMBERED = 'INTEGER PRIMARY KEY AUTOINCREMENT';

/**
 * The tables of all logs of one database, beside whatever else is in it, and those by which processes
 * know of each other (sqlite-processes.ts).
 *
 *     tablog_log      log     its number, which no later log gets
 *                     name    NULL: the log was deleted, and its rows are about to be
 *     tablog_row      log
 *                     store   'meta', 'topics', 'partition-000': see store/schema.ts
 *                     key     a number, and any other key as JSON; numbers come first in SQLite
 *                     value   see row-value.ts
 *     tablog_process  beat    rises while the process lives
 *     tablog_lock     held    0: waits for those of the name that came before
 *     tablog_message  body    see row-value.ts
 */
const TABLES: Readonly<Record<string, Table>> = {
  tablog_log: { columns: { log: NUMBERED, name: 'TEXT UNIQUE' } },
  tablog_row: {
    columns: {
      log: 'INTEGER NOT NULL',
      store: 'TEXT NOT NULL',
      key: 'NUMERIC NOT NULL',
      value: 'NOT NULL',
    },
    constraint: 'PRIMARY KEY (log, store, key)',
  },
  tablog_process: { columns: { process: NUMBERED, beat: 'INTEGER NOT NULL' } },
  tablog_lock: {
    columns: {
      request: NUMBERED,
      name: 'TEXT NOT NULL',
      mode: 'TEXT NOT NULL',
      process: 'INTEGER NOT NULL',
      held: 'INTEGER NOT NULL',
    },
  },
  tablog_message: {
    columns: {
      message: NUMBERED,
      process: 'INTEGER NOT NULL',
      channel: 'TEXT NOT NULL',
      body: 'TEXT NOT NULL',
      at: 'INTEGER NOT NULL',
    },
  },
};

export const PUT_ROW = `INSERT INTO tablog_row (log, store, key, value) VALUES (?, ?, ?, ?)
  ON CONFLICT (log, store, key) DO UPDATE SET value = excluded.value`;

/** The rows of a deleted log that go in one transaction: about 100 MiB of segments. */
const ROWS_A_SWEEP = 100;

/** Whether there may be logs. */
export function hasTables(driver: SqliteDriver): boolean {
  return driver.all(`SELECT 1 FROM sqlite_master WHERE name = 'tablog_log'`).length > 0;
}

/**
 * Prepares the database for logs, and creates the tables that are missing. Throws `LOG_CORRUPT`, and
 * leaves everything as it is, where other tables have their names.
 */
export function prepareDatabase(driver: SqliteDriver): void {
  const there = new Set(driver.all('SELECT name FROM sqlite_master').map(({ name }) => name));
  const missing = Object.entries(TABLES).filter(([name, { columns }]) => {
    if (there.has(name)) checkTable(driver, name, columns);
    return !there.has(name);
  });
  driver.begin();
  if (missing.length === 0) return;
  driver.transaction(() => {
    for (const [name, { columns, constraint = [] }] of missing) {
      const parts = Object.entries(columns).map(([column, type]) => `${column} ${type}`);
      driver.run(`CREATE TABLE IF NOT EXISTS ${name} (${parts.concat(constraint).join(', ')})`);
    }
  }, 'relaxed');
}

function checkTable(driver: SqliteDriver, name: string, columns: Table['columns']): void {
  try {
    driver.all(`SELECT ${Object.keys(columns).join(', ')} FROM ${name} LIMIT 0`);
  } catch (error) {
    if (error instanceof SqliteFault && error.result === 'ERROR') throw foreignTables(error.cause);
    throw error;
  }
}

/** The number of the log; `undefined` where there is none of the name. */
export function findLog(driver: SqliteDriver, name: string): number | undefined {
  return driver.all('SELECT log FROM tablog_log WHERE name = ?', name)[0]?.['log'] as
    | number
    | undefined;
}

/** The number of the log, which is created at `now` where it is missing. */
export function createLog(
  driver: SqliteDriver,
  name: string,
  now: number,
  random: RandomSource | undefined,
): number {
  return driver.transaction(() => {
    // Another process may have created it meanwhile.
    const there = findLog(driver, name);
    if (there !== undefined) return there;
    driver.run('INSERT INTO tablog_log (name) VALUES (?)', name);
    const log = findLog(driver, name)!;
    for (const { store, key, value } of newLogRows(now, random)) {
      driver.run(PUT_ROW, log, store, columnKey(key), encodeRow(value));
    }
    return log;
  }, 'strict');
}

export function listLogs(driver: SqliteDriver): string[] {
  return driver
    .all('SELECT name FROM tablog_log WHERE name IS NOT NULL')
    .map(({ name }) => name as string);
}

export function existsLog(driver: SqliteDriver, log: number): boolean {
  const sql = 'SELECT 1 FROM tablog_log WHERE log = ? AND name IS NOT NULL';
  return driver.all(sql, log).length > 0;
}

/** Takes the log's name, so that it is gone; returns its number. */
export function dropLog(driver: SqliteDriver, name: string): number | undefined {
  return driver.transaction(() => {
    const log = findLog(driver, name);
    if (log !== undefined) driver.run('UPDATE tablog_log SET name = NULL WHERE log = ?', log);
    return log;
  }, 'strict');
}

/**
 * Deletes some rows of logs that were deleted; returns whether there are more. A process that dies
 * meanwhile leaves the rest to the next one.
 */
export function sweepDropped(driver: SqliteDriver): boolean {
  const dropped = driver.all('SELECT log FROM tablog_log WHERE name IS NULL LIMIT 1')[0];
  if (dropped === undefined) return false;
  const log = dropped['log'] as number;
  driver.transaction(() => {
    const some = `SELECT rowid FROM tablog_row WHERE log = ? LIMIT ${ROWS_A_SWEEP}`;
    driver.run(`DELETE FROM tablog_row WHERE rowid IN (${some})`, log);
    const isEmpty = driver.all('SELECT 1 FROM tablog_row WHERE log = ? LIMIT 1', log).length === 0;
    if (isEmpty) driver.run('DELETE FROM tablog_log WHERE log = ?', log);
  }, 'relaxed');
  return true;
}

export function columnKey(key: Key): number | string {
  return typeof key === 'number' ? key : JSON.stringify(key);
}
