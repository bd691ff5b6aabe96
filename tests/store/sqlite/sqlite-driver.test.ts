import { expect, test } from 'vitest';
import { SqliteFault } from '../../../src/store/sqlite/sqlite-driver.ts';

/** What the libraries throw, as each was seen to. */
test.each([
  [{ code: 'ERR_SQLITE_ERROR', errcode: 5, message: 'database is locked' }, 'BUSY'],
  [{ code: 'ERR_SQLITE_ERROR', message: 'database is locked' }, 'BUSY'], // Deno
  [{ code: 'ERR_SQLITE_ERROR', errcode: 517, message: 'database is locked' }, 'BUSY'],
  [{ code: 'SQLITE_BUSY', errno: 5, message: 'database is locked' }, 'BUSY'], // Bun
  [{ code: 'SQLITE_IOERR_FSYNC', message: 'disk I/O error' }, 'IOERR'], // better-sqlite3
  [{ code: 'SQLITE_FULL', rawCode: 13, message: 'database or disk is full' }, 'FULL'], // libsql
  [{ message: 'string or blob too big: SQLITE_TOOBIG' }, 'TOOBIG'], // a Durable Object
  [{ code: 'ERR_SQLITE_ERROR', message: 'attempt to write a readonly database' }, 'READONLY'],
  [{ code: 'ERR_SQLITE_ERROR', message: 'file is not a database' }, 'NOTADB'],
  [{ code: 'ERR_SQLITE_ERROR', message: 'database disk image is malformed' }, 'CORRUPT'],
  [{ code: 'ERR_INVALID_STATE', message: 'database is not open' }, 'CLOSED'],
  [{ message: 'Cannot use a closed database' }, 'CLOSED'],
  [{ code: 'ERR_SQLITE_ERROR', errcode: 1, message: 'no such table: a' }, 'ERROR'],
  ['thrown text', 'ERROR'],
])('%o is %s', (cause, result) => {
  expect(new SqliteFault(cause)).toMatchObject({ result, cause });
});
