import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { TablogError } from '../../../src/base/error.ts';
import { openLog, string, topic } from '../../../src/index.ts';
import { inline } from '../../../src/inline.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { sqlite } from '../../../src/sqlite.ts';
import type { SqliteDatabase } from '../../../src/sqlite.ts';
import { META, logRef } from '../../../src/store/schema.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { newDatabaseFile, openDatabase } from '../../support/sqlite-database.ts';
import type { TestDatabase } from '../../support/sqlite-database.ts';
import { passing } from '../../support/waiting.ts';

const orders = topic('orders', { value: string() });
const options = { mustExist: false, clock: systemClock };

let file: string;
let database: TestDatabase;
beforeEach(() => {
  file = newDatabaseFile();
  database = openDatabase(file);
});
afterEach(() => void database.close());

function run(sql: string, on: TestDatabase = database): void {
  (on.prepare(sql) as { run(): unknown }).run();
}

function tables(): unknown[] {
  const statement = database.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`);
  return (statement as { all(): { name: unknown }[] }).all().map(({ name }) => name);
}

/** The connection as most libraries close it; libsql's goes on. */
function closable(connection: TestDatabase): TestDatabase {
  let isClosed = false;
  const open = <T>(value: T): T => {
    if (isClosed) throw new TypeError('The database connection is not open');
    return value;
  };
  return {
    exec: (sql) => open(connection).exec(sql),
    prepare: (sql) => {
      const statement = open(connection).prepare(sql);
      return {
        all: (...values) => open(statement).all(...values),
        run: (...values) => open(statement).run(...values),
      };
    },
    close: () => (isClosed = true),
  };
}

async function refusal(promise: Promise<unknown>): Promise<TablogError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(TablogError);
  return error as TablogError;
}

describe('what sqlite() does not take', () => {
  test.each<[string, unknown, RegExp]>([
    ['a path', 'shop.db', /takes a connection of node:sqlite.*got "shop.db"/],
    ['nothing', undefined, /takes a connection/],
    ['the sql of a Durable Object', { exec: () => {} }, /ctx\.storage.*, and not its sql/],
    [
      'statements that return promises',
      { prepare: () => ({ all: async () => [] }), exec: () => {} },
      /synchronous/,
    ],
    [
      'statements that come by promises, and fail',
      { prepare: () => Promise.reject(new Error('no such thing')), exec: () => {} },
      /synchronous/,
    ],
    [
      'statements whose promises fail',
      {
        prepare: () => ({ all: () => Promise.reject(new Error('no such thing')) }),
        exec: () => {},
      },
      /synchronous/,
    ],
    [
      'an exec() that returns promises',
      { prepare: () => ({ all: () => [{ one: 1 }] }), exec: async () => {} },
      /synchronous/,
    ],
    [
      'rows as arrays',
      { prepare: () => ({ all: () => [[1]] }), exec: () => {} },
      /rows are objects/,
    ],
    [
      'statements that take callbacks',
      { prepare: () => ({ all: () => {} }), exec: () => {} },
      /synchronous/,
    ],
  ])('%s', (_, value, message) => {
    expect(() => sqlite(value as SqliteDatabase)).toThrow(TypeError);
    expect(() => sqlite(value as SqliteDatabase)).toThrow(message);
  });

  test('a connection that is closed', () => {
    const connection = closable(database);
    connection.close();
    expect(() => sqlite(connection)).toThrow(/^CLOSED/);
  });
});

test('a file that is no database is refused, and left as it is', async () => {
  const other = newDatabaseFile();
  writeFileSync(other, 'not a database, and long enough for a header of one: '.repeat(20));
  const broken = openDatabase(other);
  onTestFinished(() => void broken.close());
  // Bun's library looks into the file as soon as `sqlite()` asks for a statement.
  const error = await refusal((async () => sqlite(broken).open('shop', options))());
  expect(error.code).toBe('LOG_CORRUPT');
  expect(error.message).toMatch(/not a database.*Pass a file that SQLite has written/);
});

test('tables of the same names that are not tablog’s are refused, and left as they are', async () => {
  run('CREATE TABLE tablog_row (id INTEGER, what TEXT)');
  run("INSERT INTO tablog_row VALUES (1, 'mine')");
  const error = await refusal(sqlite(database).open('shop', options));
  expect(error.message).toMatch(/^LOG_CORRUPT: the database is no log of tablog\. Give the log/);
  const rows = (database.prepare('SELECT * FROM tablog_row') as { all(): unknown[] }).all();
  expect(rows).toMatchObject([{ id: 1, what: 'mine' }]);
});

test.each(['tablog_log', 'tablog_process', 'tablog_lock', 'tablog_message'])(
  'a table %s that is not tablog’s is refused before anything is written',
  async (name) => {
    run(`CREATE TABLE ${name} (id INTEGER, what TEXT)`);
    const error = await refusal(openLog('shop', { host: inline({ store: sqlite(database) }) }));
    expect(error.code).toBe('LOG_CORRUPT');
    expect(tables()).toEqual([name]);
  },
);

test('to list and to delete changes nothing in a database without logs', async () => {
  run('CREATE TABLE mine (what TEXT)');
  const store = sqlite(database);
  expect(await store.list()).toEqual([]);
  await store.delete('shop');
  expect(tables()).toEqual(['mine']);
  const modes = (database.prepare('PRAGMA journal_mode') as { all(): unknown[] }).all();
  expect(modes).toEqual([{ journal_mode: 'delete' }]);
});

test('other tables of the database stay as they are', async () => {
  run('CREATE TABLE mine (what TEXT)');
  run("INSERT INTO mine VALUES ('kept')");
  const store = sqlite(database);
  (await store.open('shop', options)).close();
  await store.delete('shop');
  const rows = (database.prepare('SELECT * FROM mine') as { all(): unknown[] }).all();
  expect(rows).toMatchObject([{ what: 'kept' }]);
});

test('a log of a newer format is refused', async () => {
  const store = sqlite(database);
  const opened = await store.open('shop', options);
  await opened.update([logRef], ([log], write) => write.put(META, 'log', { ...log, format: 99 }));
  opened.close();
  expect(await refusal(store.open('shop', options))).toMatchObject({
    code: 'FORMAT_TOO_NEW',
    details: { format: 99 },
  });
});

test('a database that was opened for reading is refused', async () => {
  const log = await openLog('shop', { host: inline({ store: sqlite(database) }) });
  await log.admin.createTopics([orders]);
  await log.producer().send(orders, { value: 'first' });
  await log.close();
  run('PRAGMA query_only = 1');
  const error = await refusal(openLog('shop', { host: inline({ store: sqlite(database) }) }));
  expect(error).toMatchObject({ code: 'STORAGE_READ_ONLY', retriable: false });
  expect(error.message).toMatch(/readonly database.*Open the database so that it can be written/);
});

test('a database that another program has locked is waited for, and then refused', async () => {
  const store = sqlite(database);
  (await store.open('shop', options)).close();
  const other = openDatabase(file);
  onTestFinished(() => void other.close());
  const clock = new ManualClock();
  const opened = await store.open('shop', { mustExist: true, clock });

  run('BEGIN EXCLUSIVE', other);
  const put = opened.update([logRef], (_, write) => write.put(META, 'a', 1));
  clock.advance(1_000);
  run('COMMIT', other);
  await passing(clock, put);

  run('BEGIN EXCLUSIVE', other);
  const error = await refusal(
    passing(
      clock,
      opened.update([logRef], (_, write) => write.put(META, 'a', 2)),
    ),
  );
  expect(error).toMatchObject({ code: 'STORAGE_TIMEOUT', outcome: 'passing' });
  expect(error.message).toMatch(/the database is locked\. Another program/);
  run('COMMIT', other);
  expect(await opened.read([{ store: META, key: 'a' }])).toEqual([1]);
});

test('a full disk refuses records with STORAGE_FULL, keeps those that were acked, and takes more when there is room', async () => {
  const log = await openLog('shop', { host: inline({ store: sqlite(database) }) });
  onTestFinished(() => log.close());
  await log.admin.createTopics([orders]);
  const producer = log.producer();
  run('PRAGMA max_page_count = 200');
  const acked: number[] = [];
  const filling = async (): Promise<void> => {
    for (;;) {
      acked.push((await producer.send(orders, { value: 'x'.repeat(50_000) })).offset);
    }
  };
  const error = await refusal(filling());
  expect(error.code).toBe('STORAGE_FULL');
  expect(acked.length).toBeGreaterThan(5);
  run('PRAGMA max_page_count = 100000');
  const { offset } = await producer.send(orders, { value: 'more' });
  expect(offset).toBe(acked.length);
  const [{ partitions }] = await log.admin.describeTopics([orders]);
  expect(partitions).toMatchObject([{ startOffset: 0, endOffset: acked.length + 1 }]);
});

test('a connection that its owner closes ends the log', async () => {
  const owned = closable(database);
  const log = await openLog('shop', { host: inline({ store: sqlite(owned) }) });
  onTestFinished(() => log.close());
  await log.admin.createTopics([orders]);
  owned.close();
  const error = await refusal(log.producer().send(orders, { value: 'late' }));
  expect(error.code).toBe('CLOSED');
  expect(error.message).toMatch(/Close the log before the connection/);
});

test('a log that another process deletes is gone here, and a new one of its name is another', async () => {
  const other = openDatabase(file);
  onTestFinished(() => void other.close());
  const [here, there] = [sqlite(database), sqlite(other)];
  const opened = await here.open('shop', options);
  await there.delete('shop');
  const again = await there.open('shop', options);
  expect(await refusal(opened.read([logRef]))).toMatchObject({
    code: 'CLOSED',
    details: { reason: 'deleted' },
  });
  expect(opened.closed.aborted).toBe(true);
  again.close();
});

test('what a process has left of a log that it was deleting is deleted by the next', async () => {
  const store = sqlite(database);
  const opened = await store.open('shop', options);
  await opened.update([logRef], (_, write) => write.put(META, 'a', 1));
  opened.close();
  run('UPDATE tablog_log SET name = NULL'); // the first step of a deletion
  expect(await store.list()).toEqual([]);
  await store.delete('another');
  const rows = (database.prepare('SELECT * FROM tablog_row') as { all(): unknown[] }).all();
  expect(rows).toEqual([]);
});

test('a log needs its file no more when it is closed', async () => {
  const log = await openLog('shop', { host: inline({ store: sqlite(database) }) });
  await log.close();
  database.close();
  rmSync(file);
  database = openDatabase(file);
});

test('a connection that is closed twice leaves the others of its log known', async () => {
  const store = sqlite(database);
  const first = await store.open('shop', options);
  first.close();
  const second = await store.open('shop', options);
  first.close();
  await store.delete('shop');
  expect(second.closed.reason).toMatchObject({ details: { reason: 'deleted' } });
});
