import { describe, expect, test } from 'vitest';
import { sqliteReceiver } from '../../src/receiver.ts';
import type { ReceiverDatabase, SqliteReceiverOptions } from '../../src/receiver.ts';
import { logWith } from '../support/log-fixture.ts';
import { libraries, newDatabaseFile } from '../support/sqlite-database.ts';
import { connected, events, send, upTo } from './connector-fixture.ts';
import { httpSink } from '../../src/connect.ts';

/** A database, and the values that it has. */
function open(library: string): readonly [ReceiverDatabase, () => number[]] {
  const database = new (libraries.get(library)!)(newDatabaseFile()) as unknown as ReceiverDatabase;
  database.exec('CREATE TABLE stored (value INTEGER)');
  const select = database.prepare('SELECT value FROM stored ORDER BY rowid') as unknown as {
    all(): { readonly value: number }[];
  };
  return [database, () => select.all().map(({ value }) => value)];
}

function storeIn(database: ReceiverDatabase): SqliteReceiverOptions['store'] {
  const add = database.prepare('INSERT INTO stored VALUES (?)');
  return (records) => {
    for (const { value } of records) add.run(value as number);
  };
}

describe.each([...libraries.keys()])('a receiver over %s', (library) => {
  test('stores each record once, whatever of it fails', async () => {
    const [database, values] = open(library);
    const add = storeIn(database);
    let calls = 0;
    const handle = sqliteReceiver({
      database,
      store: (records, batch) => {
        add(records, batch);
        if (++calls % 2 === 1) throw new Error('after the records were stored');
      },
    });
    const log = await logWith(events);
    await send(log, 0, 30);
    let answers = 0;
    const sink = httpSink({
      url: 'https://server.test/',
      receiver: true,
      fetch: async (url, init) => {
        const answer = await handle(new Request(url, init));
        if (++answers % 3 === 0) throw new TypeError('the answer is lost');
        return answer;
      },
    });
    await connected(log, sink, { maxRecords: 4 })
      .drain()
      .catch(() => {}); // the first failure
    const again = connected(log, sink, { maxRecords: 4 });
    while ((await again.drain().catch(() => 'failed')) === 'failed');
    expect(values()).toEqual(upTo(30));
  });

  test('ends the transaction of a store that is async, with nothing stored', async () => {
    const [database, values] = open(library);
    const add = storeIn(database);
    const handle = sqliteReceiver({
      database,
      store: (async (records: never, batch: never) => add(records, batch)) as never,
    });
    const log = await logWith(events);
    await send(log, 0, 3);
    const sink = httpSink({
      url: 'https://server.test/',
      receiver: true,
      fetch: (url, init) => handle(new Request(url, init)),
    });
    await expect(connected(log, sink).drain()).rejects.toThrow('500');
    expect(values()).toEqual([]);
  });
});

test.each([
  [{ database: undefined }, 'sqliteReceiver() needs database'],
  [{ database: {} }, 'database'],
  [{ store: 1 }, 'store must be a function'],
  [{ table: 'a b' }, 'table must be a name of letters'],
  [{ origin: '*' }, 'did you mean origins?'],
])('a wrong option: %o', (wrong, message) => {
  const [library] = libraries.keys();
  const [database] = open(library!);
  const options = { database, store: () => {}, ...wrong };
  expect(() => sqliteReceiver(options as never)).toThrow(message);
});
