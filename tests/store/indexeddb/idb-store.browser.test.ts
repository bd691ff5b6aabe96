import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  CLOSED,
  FORMAT_TOO_NEW,
  LOG_CORRUPT,
  STORAGE_UNAVAILABLE,
} from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import {
  GROUPS,
  META,
  OFFSETS,
  PRODUCERS,
  TOPICS,
  logRef,
  partitionStore,
} from '../../../src/store/schema.ts';
import { poolRef } from '../../../src/store/indexeddb/idb-pool.ts';
import type { LogRow } from '../../../src/store/schema.ts';
import type { Durability, RowRef, Store } from '../../../src/store/store.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import {
  databaseOf,
  deleteDatabase,
  done,
  freshLog,
  openRaw,
  openStore,
} from './fresh-database.ts';

const topicRef: RowRef<string> = { store: TOPICS, key: 'a' };

const put = (store: Store, value: string, durability?: Durability): Promise<void> =>
  store.update(
    [topicRef],
    (_, write) => write.put(TOPICS, 'a', value),
    durability === undefined ? {} : { durability },
  );

describe('the database', () => {
  test('has five system stores and 64 partition stores, keyed from outside, without indexes', async () => {
    const log = freshLog();
    (await openStore(log)).close();
    const db = await openRaw(log);
    const names = [...db.objectStoreNames];
    const partitions = Array.from({ length: 64 }, (_, i) => partitionStore(i));
    expect(names).toEqual([META, TOPICS, GROUPS, OFFSETS, PRODUCERS, ...partitions].sort());
    const tx = db.transaction(names);
    for (const name of names) {
      const { keyPath, autoIncrement, indexNames } = tx.objectStore(name);
      expect([name, keyPath, autoIncrement, ...indexNames]).toEqual([name, null, false]);
    }
    expect(db.version).toBe(1);
  });

  test('keeps its rows and its log id from one opening to the next', async () => {
    const log = freshLog();
    const first = await openStore(log);
    const [row] = await first.read([logRef]);
    await put(first, 'kept');
    first.close();
    const second = await openStore(log);
    expect(await second.read([logRef, topicRef])).toEqual([row, 'kept']);
  });

  test('is the same one for two connections', async () => {
    const log = freshLog();
    const [one, other] = await Promise.all([openStore(log), openStore(log)]);
    await put(one, 'from one');
    expect(await other.read([topicRef])).toEqual(['from one']);
    await put(other, 'from the other');
    expect(await one.read([topicRef])).toEqual(['from the other']);
  });

  test('counts right when two connections increment at once', async () => {
    const log = freshLog();
    const stores = await Promise.all([openStore(log), openStore(log)]);
    const ref: RowRef<number> = { store: TOPICS, key: 'n' };
    const increments = Array.from({ length: 40 }, (_, i) =>
      stores[i % 2]!.update([ref], ([n = 0], write) => {
        write.put(TOPICS, 'n', n + 1);
        return n;
      }),
    );
    const seen = await Promise.all(increments);
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test('gets the durability asked for, and relaxed by default', async () => {
    const store = await openStore(freshLog());
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction');
    onTestFinished(() => transaction.mockRestore());
    await put(store, 'a');
    await put(store, 'b', 'strict');
    await put(store, 'c', 'relaxed');
    const made = transaction.mock.results.map(({ value }) => (value as IDBTransaction).durability);
    expect(made).toEqual(['relaxed', 'strict', 'relaxed']);
  });
});

describe('a database of another time', () => {
  const withLogRow = async (
    change: (row: LogRow, key: string, rows: IDBObjectStore) => void,
  ): Promise<string> => {
    const log = freshLog();
    (await openStore(log)).close();
    const db = await openRaw(log);
    const key = logRef.key as string;
    const rows = db.transaction(META, 'readwrite').objectStore(META);
    change((await done(rows.get(key))) as LogRow, key, rows);
    await new Promise((resolve) => rows.transaction.addEventListener('complete', resolve));
    db.close();
    return log;
  };

  test('is FORMAT_TOO_NEW where its format is newer, and is let go of', async () => {
    const log = await withLogRow((row, key, rows) => rows.put({ ...row, format: 2 }, key));
    await expect(openStore(log)).rejects.toMatchObject({
      code: FORMAT_TOO_NEW.code,
      details: { format: 2, reads: 1 },
    });
    await deleteDatabase(log);
  });

  test('is LOG_CORRUPT where its first row is gone', async () => {
    const log = await withLogRow((_, key, rows) => rows.delete(key));
    await expect(openStore(log)).rejects.toMatchObject({ code: LOG_CORRUPT.code });
  });
});

describe('a store whose database is deleted or upgraded elsewhere', () => {
  test('closes at once, so that a deletion is not blocked', async () => {
    const log = freshLog();
    const store = await openStore(log);
    await deleteDatabase(log);
    expect(store.closed.reason).toBeInstanceOf(TablogError);
    const details = { log, reason: 'deleted' };
    expect(store.closed.reason).toMatchObject({ code: CLOSED.code, retriable: false, details });
    await expect(put(store, 'a')).rejects.toBe(store.closed.reason);
    await expect(openIdbStore(log, { mustExist: true })).rejects.toMatchObject({ details });
    const databases = await indexedDB.databases();
    expect(databases.flatMap(({ name, version }) => (version === 0 ? [] : name))).not.toContain(
      databaseOf(log),
    );
  });

  test('settles what was in flight', async () => {
    const log = freshLog();
    const store = await openStore(log);
    const writes = Promise.all(Array.from({ length: 20 }, (_, i) => put(store, String(i))));
    await Promise.all([deleteDatabase(log), writes]);
  });

  test('gives way when another connection extends the pool, which both see after', async () => {
    const log = freshLog();
    const one = await openStore(log);
    const other = await openStore(log);
    await one.updatePartitions([], (_, write) => write.takePartitions(65));
    expect(other.closed.reason).toMatchObject({ code: STORAGE_UNAVAILABLE.code });
    expect(one.closed.aborted).toBe(false);
    const [pool] = await (await openStore(log)).read([poolRef]);
    expect(pool?.size).toBe(128);
  });

  test('is a new log with a new id afterwards', async () => {
    const log = freshLog();
    const [before] = await (await openStore(log)).read([logRef]);
    await deleteDatabase(log);
    const [after] = await (await openStore(log)).read([logRef]);
    expect(after!.logId).not.toBe(before!.logId);
  });
});
