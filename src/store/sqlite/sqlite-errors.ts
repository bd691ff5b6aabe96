import {
  CLOSED,
  LOG_CORRUPT,
  OUTCOME_UNKNOWN,
  RECORD_TOO_LARGE,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../../base/error-rules.ts';
import type { ErrorRule } from '../../base/error-rule.ts';
import { TablogError } from '../../base/error.ts';
import type { SqliteFault } from './sqlite-driver.ts';

/** The rule of a database that can be read alone. */
export const STORAGE_READ_ONLY: ErrorRule = {
  code: 'STORAGE_READ_ONLY',
  outcome: 'refused',
  retriable: false,
  next: 'Open the database so that it can be written to, and see to the rights of its file and folder.',
};

const DAMAGED: ErrorRule = {
  ...LOG_CORRUPT,
  next: 'Take a copy of the file, and see what the .recover command of the sqlite3 program finds.',
};

const FILE: ErrorRule = {
  ...STORAGE_UNAVAILABLE,
  next: 'See whether the file and its folder are there, can be written to, and have room; then try again.',
};

const UNAVAILABLE: ErrorRule = {
  ...STORAGE_UNAVAILABLE,
  next: 'Give the log a connection of its own, which nothing else has a transaction on; then try again.',
};

/** The rules of the result codes. For any other code the storage is away, and is asked again. */
const RULES: Readonly<Record<string, ErrorRule>> = {
  BUSY: {
    ...STORAGE_TIMEOUT,
    next: 'Another program is amid a transaction, or stands still in one: end it.',
  },
  CLOSED: { ...CLOSED, next: 'Close the log before the connection to its database.' },
  CANTOPEN: FILE,
  CORRUPT: DAMAGED,
  FULL: {
    ...STORAGE_FULL,
    next: 'Make room on the disk, then try again: SQLite needs some even to delete.',
  },
  IOERR: FILE,
  NOTADB: {
    ...LOG_CORRUPT,
    next: 'Pass a file that SQLite has written, or one that is not there yet.',
  },
  READONLY: STORAGE_READ_ONLY,
  TOOBIG: {
    ...RECORD_TOO_LARGE,
    next: 'Send less in one batch: the rows of this SQLite cannot be as large.',
  },
};

/** The error of a log for a failure of SQLite. */
export function sqliteError(fault: SqliteFault): TablogError {
  const { result, message, isUnknown, cause } = fault;
  const rule = isUnknown ? OUTCOME_UNKNOWN : (RULES[result] ?? UNAVAILABLE);
  const happened = result === 'BUSY' ? 'the database is locked' : `SQLite failed (${message})`;
  return new TablogError(rule, happened, { cause, details: { result } });
}

/** The error of tables that have the names of tablog's, and are not tablog's. */
export function foreignTables(cause: unknown): TablogError {
  const next = 'Give the log another database: this one has tables of the same name.';
  return new TablogError({ ...LOG_CORRUPT, next }, 'the database is no log of tablog', { cause });
}
