import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LOG_CORRUPT, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { deleteLogDatabase, listLogDatabases } from '../../../src/platform/log-databases.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import type { OpenIdbStoreOptions } from '../../../src/store/indexeddb/open-idb-store.ts';
import { META, checkFormat, logRef } from '../../../src/store/schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { passing } from '../../support/waiting.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';

beforeEach(() => stubIndexedDb());
afterEach(() => vi.unstubAllGlobals());

const opened: Store[] = [];
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});

async function open(options: OpenIdbStoreOptions = {}): Promise<Store> {
  const store = await openIdbStore('shop', options);
  opened.push(store);
  return store;
}

const recreate = (options: OpenIdbStoreOptions = {}): Promise<Store> =>
  open({ onUnrecoverable: 'recreate', ...options });

async function idOf(store: Store): Promise<string> {
  const [log] = await store.read([logRef]);
  return log!.logId;
}

async function databases(): Promise<string[]> {
  const names = (await indexedDB.databases()).map(({ name = '' }) => name);
  return names.sort();
}

/** Makes the log, and damages its first row. */
async function damage(row?: unknown): Promise<void> {
  const store = await open();
  await store.update([logRef], (_, write) => {
    if (row === undefined) write.delete(META, 'log');
    else write.put(META, 'log', row);
  });
  store.close();
}

/** The browser refuses to open the database, `times` times. */
function refuse(database: string, times = Infinity): { readonly refused: () => number } {
  let refused = 0;
  const real = indexedDB.open.bind(indexedDB);
  vi.spyOn(indexedDB, 'open').mockImplementation((name, version) => {
    if (name !== database || refused === times) return real(name, version);
    refused++;
    throw new DOMException('Internal error opening backing store', 'UnknownError');
  });
  return { refused: () => refused };
}

describe('a log whose first row is lost or damaged', () => {
  const ROWS = [undefined, 'garbage', {}, { format: 'x', logId: 'y' }];

  test.each(ROWS)('is LOG_CORRUPT with the row %j, and stays as it is', async (row) => {
    await damage(row);
    const error = await errorOf(open());
    expect(error).toMatchObject({ code: LOG_CORRUPT.code, retriable: false });
    expect(error.message).toMatch(/row 'log'.*onUnrecoverable: 'recreate'/);
    expect(await databases()).toEqual(['tablog/shop']);
  });

  test.each(ROWS)('begins anew beside it with the row %j, where that is wanted', async (row) => {
    await damage(row);
    const store = await recreate();
    expect(store.setAside).toBe('tablog/shop');
    expect(await databases()).toEqual(['tablog/shop', 'tablog/shop~1']);
    expect((await store.read([logRef]))[0]).toMatchObject({ logId: expect.any(String) });
  });

  test('is the new log for all from then on, whatever their option', async () => {
    await damage();
    const id = await idOf(await recreate());
    for (const store of [await open(), await recreate(), await open({ mustExist: true })]) {
      expect(await idOf(store)).toBe(id);
      expect(store.setAside).toBeUndefined();
    }
  });

  test('begins anew once, where two brokers find it so at once', async () => {
    await damage();
    const [one, other] = await Promise.all([recreate(), recreate()]);
    expect(await idOf(one)).toBe(await idOf(other));
    expect(await databases()).toEqual(['tablog/shop', 'tablog/shop~1']);
  });

  test('that is damaged again begins anew again', async () => {
    await damage();
    await recreate();
    await damage();
    expect((await recreate()).setAside).toBe('tablog/shop~1');
    expect(await databases()).toEqual(['tablog/shop', 'tablog/shop~1', 'tablog/shop~2']);
  });

  test('is closed for a broker that had it open before, which then has lost the log', async () => {
    const early = await open();
    await early.update([logRef], (_, write) => write.delete(META, 'log'));
    await recreate();
    expect(early.closed.aborted).toBe(true);
    await expect(early.read([logRef])).rejects.toMatchObject({ code: STORAGE_UNAVAILABLE.code });
  });

  test('has no object stores at all: a foreign script made the database', async () => {
    await new Promise<void>((resolve) => {
      const request = indexedDB.open('tablog/shop');
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
    });
    expect(await errorOf(open())).toMatchObject({ code: LOG_CORRUPT.code });
    expect((await recreate()).setAside).toBe('tablog/shop');
  });

  test('stays an error where the browser does not list databases', async () => {
    await damage();
    Object.defineProperty(indexedDB, 'databases', { value: undefined });
    expect(await errorOf(recreate())).toMatchObject({ code: LOG_CORRUPT.code });
  });
});

describe('a database that the browser refuses', () => {
  test('again and again is set aside', async () => {
    (await open()).close();
    const { refused } = refuse('tablog/shop');
    const clock = new ManualClock();
    const store = await passing(clock, recreate({ clock }));
    expect(refused()).toBe(3);
    expect(store.setAside).toBe('tablog/shop');
    expect(await idOf(await open())).toBe(await idOf(store));
  });

  test('for a moment is the log', async () => {
    const store = await open();
    const id = await idOf(store);
    store.close();
    refuse('tablog/shop', 2);
    const clock = new ManualClock();
    expect(await idOf(await passing(clock, recreate({ clock })))).toBe(id);
    expect(await databases()).toEqual(['tablog/shop']);
  });

  test('is an error at once, unless it is to be set aside', async () => {
    (await open()).close();
    const { refused } = refuse('tablog/shop');
    expect(await errorOf(open())).toMatchObject({ code: STORAGE_UNAVAILABLE.code });
    expect(refused()).toBe(1);
  });

  test('as it refuses all others is not set aside', async () => {
    (await open()).close();
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('Internal error', 'UnknownError');
    });
    const clock = new ManualClock();
    const error = await errorOf(passing(clock, recreate({ clock })));
    expect(error).toMatchObject({ code: STORAGE_UNAVAILABLE.code });
    expect(await databases()).toEqual(['tablog/shop']);
  });

  test.each(['QuotaExceededError', 'SecurityError', 'VersionError'])(
    'with %s is not set aside',
    async (name) => {
      (await open()).close();
      const opening = vi.spyOn(indexedDB, 'open').mockImplementation(() => {
        throw new DOMException('no', name);
      });
      await errorOf(recreate());
      expect(opening).toHaveBeenCalledTimes(1);
      expect(await databases()).toEqual(['tablog/shop']);
    },
  );
});

describe('a log of several generations', () => {
  beforeEach(async () => {
    await damage();
    await recreate();
  });

  test('is listed once', async () => {
    (await openIdbStore('shop.2')).close();
    expect(await listLogDatabases()).toEqual(['shop', 'shop.2']);
  });

  test('is deleted with all of them, and begins with the first', async () => {
    await deleteLogDatabase('shop');
    expect(await databases()).toEqual([]);
    await open();
    expect(await databases()).toEqual(['tablog/shop']);
  });

  test('takes no foreign database for one of them', async () => {
    for (const name of ['tablog/shop~', 'tablog/shop~x', 'tablog/shop~02', 'tablog/shop~2~3']) {
      const request = indexedDB.open(name);
      await new Promise((resolve) => request.addEventListener('success', resolve));
      request.result.close();
    }
    const id = await idOf(opened.at(-1)!);
    expect(await idOf(await open())).toBe(id);
    expect(await listLogDatabases()).toEqual(['shop']);
  });
});

test('a first row of a newer format is not damage', () => {
  const newer = { format: 99, logId: 'x', createdAt: 0, maxBytes: null };
  expect(() => checkFormat('shop', newer)).toThrow(/format 99/);
});
