import { expect, test } from 'vitest';
import { systemClock } from '../../../src/platform/clock.ts';
import { sqlite } from '../../../src/sqlite.ts';
import type { SqliteDatabase } from '../../../src/sqlite.ts';
import { META, logRef } from '../../../src/store/schema.ts';
import { libraries, newDatabaseFile, openDatabase } from '../../support/sqlite-database.ts';
import { testStoreContract, testStoreFactoryContract } from '../store-contract.ts';

test('this runtime has a SQLite', () => {
  expect([...libraries.keys()]).not.toEqual([]);
});

for (const [name, Database] of libraries) {
  const store = sqlite(new Database(newDatabaseFile()));
  let logs = 0;
  testStoreFactoryContract(`SQLite in a file, of ${name},`, store);
  testStoreContract(`SQLite in a file, of ${name},`, () =>
    store.open(`log-${++logs}`, { mustExist: false, clock: systemClock }),
  );

  const inMemory = sqlite(new Database(':memory:'));
  testStoreFactoryContract(`SQLite in memory, of ${name},`, inMemory);
}

test('a library that returns rows of statements with rows alone, as better-sqlite3, can be used', async () => {
  const connection = openDatabase();
  const strict: SqliteDatabase = {
    exec: (sql) => connection.exec(sql),
    prepare: (sql) => {
      const statement = connection.prepare(sql);
      const hasRows = /^(SELECT|PRAGMA [a-z_]+$|PRAGMA (busy_timeout|journal_mode) =)/.test(sql);
      return {
        all: (...values) => {
          if (!hasRows) throw new TypeError('This statement does not return data');
          return statement.all(...values);
        },
        run: (...values) => {
          if (hasRows) throw new TypeError('This statement returns data');
          return statement.run(...values);
        },
      };
    },
  };
  const store = await sqlite(strict).open('shop', { mustExist: false, clock: systemClock });
  for (const durability of ['strict', 'relaxed'] as const) {
    const put = store.update([logRef], (_, write) => write.put(META, 'a', durability), {
      durability,
    });
    await put;
    expect(await store.read([{ store: META, key: 'a' }])).toEqual([durability]);
  }
  store.close();
  connection.close();
});
