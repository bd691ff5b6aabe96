import { IDBDatabase, IDBOpenDBRequest } from 'fake-indexeddb';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  FORMAT_TOO_NEW,
  NO_INDEXEDDB,
  OUTCOME_UNKNOWN,
  STORAGE_BLOCKED,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { TOPICS } from '../../../src/store/schema.ts';
import { storageError } from '../../../src/store/indexeddb/storage-error.ts';
import type { Store } from '../../../src/store/store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';

afterEach(() => vi.unstubAllGlobals());

const TOPIC = { store: TOPICS, key: 'a' };
const put = (store: Store): Promise<void> =>
  store.update([TOPIC], (_, write) => write.put(TOPICS, 'a', 1));

describe('opening', () => {
  test('says NO_INDEXEDDB where there is none', async () => {
    await expect(openIdbStore('none')).rejects.toMatchObject({ code: NO_INDEXEDDB.code });
  });

  test('gives up at the deadline when the browser never answers', async () => {
    stubIndexedDb(() => new IDBOpenDBRequest());
    const clock = new ManualClock();
    const opened = openIdbStore('silent', { clock, openDeadlineMs: 5_000 });
    const settled = vi.fn();
    opened.catch(settled);
    clock.advance(4_999);
    await Promise.resolve();
    expect(settled).not.toHaveBeenCalled();
    clock.advance(1);
    clock.advance(250); // for what is due at the same time
    await expect(opened).rejects.toMatchObject({ code: STORAGE_BLOCKED.code });
    expect(clock.timers).toBe(0);
  });

  const forbidden = new DOMException('access is denied', 'SecurityError');
  const refuse = (): never => {
    throw forbidden;
  };

  test.each([
    ['to open a database', () => stubIndexedDb(refuse)],
    [
      'even a look at it',
      () => {
        Object.defineProperty(globalThis, 'indexedDB', { get: refuse, configurable: true });
        onTestFinished(() => void Reflect.deleteProperty(globalThis, 'indexedDB'));
      },
    ],
  ])('says NO_INDEXEDDB, for good, where the browser refuses %s', async (_, stub) => {
    stub();
    const error = await openIdbStore('forbidden').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TablogError);
    expect(error).toMatchObject({ code: NO_INDEXEDDB.code, retriable: false, cause: forbidden });
  });

  test('says NO_INDEXEDDB where it is null', async () => {
    vi.stubGlobal('indexedDB', null);
    await expect(openIdbStore('none')).rejects.toMatchObject({ code: NO_INDEXEDDB.code });
  });
});

describe('a transaction that never ends', () => {
  /** A store whose transactions start, and of which the browser says nothing more. */
  async function silentStore(clock: ManualClock): Promise<Store> {
    stubIndexedDb();
    const store = await openIdbStore('hung', { clock, transactionDeadlineMs: 7_500 });
    const objectStore = () => ({ get: () => ({}), getAll: () => ({}) });
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(
      (_stores, mode) => ({ mode, objectStore }) as never,
    );
    return store;
  }

  afterEach(() => vi.restoreAllMocks());

  test('is OUTCOME_UNKNOWN for a write, STORAGE_TIMEOUT for a read, and closes the store', async () => {
    const clock = new ManualClock();
    const store = await silentStore(clock);
    const written = put(store).catch((error: unknown) => error);
    const read = store.readAll(TOPICS).catch((error: unknown) => error);
    await Promise.resolve();
    await Promise.resolve();
    clock.advance(7_500);
    clock.advance(250); // the grace of a deadline
    expect(await written).toMatchObject({ code: OUTCOME_UNKNOWN.code, retriable: false });
    expect(await read).toMatchObject({ code: STORAGE_TIMEOUT.code, retriable: true });
    expect(store.closed.reason).toMatchObject({ code: STORAGE_TIMEOUT.code });
    await expect(put(store)).rejects.toBe(store.closed.reason);
    expect(clock.timers).toBe(0);
  });
});

test('a transaction that ended while the machine slept is not late', async () => {
  const clock = new ManualClock();
  stubIndexedDb();
  const store = await openIdbStore('slept', { clock, transactionDeadlineMs: 7_500 });
  const written = put(store);
  await Promise.resolve();
  await Promise.resolve();
  clock.sleep(10_500);
  clock.advance(0); // the timer is due at once, and the browser tells of the transaction after it
  await written;
  expect(store.closed.aborted).toBe(false);
  expect(clock.timers).toBe(0);
  store.close();
});

describe('what IndexedDB says', () => {
  test.each([
    ['QuotaExceededError', '', STORAGE_FULL],
    ['UnknownError', 'Internal error: FILE_ERROR_NO_SPACE', STORAGE_FULL],
    ['UnknownError', 'The database or disk is full: disk full', STORAGE_FULL],
    ['VersionError', '', FORMAT_TOO_NEW],
    ['AbortError', 'aborted', STORAGE_UNAVAILABLE],
    ['UnknownError', 'Internal error.', STORAGE_UNAVAILABLE],
  ])('%s (%s) is told as its code', (name, message, rule) => {
    const cause = new DOMException(message, name);
    expect(storageError(cause)).toMatchObject({ ...rule, cause });
  });

  test.each([null, undefined, 'a string', {}])('even %s becomes a TablogError', (thrown) => {
    expect(storageError(thrown)).toMatchObject({ code: STORAGE_UNAVAILABLE.code });
  });

  test('a TablogError stays as it is', () => {
    const error = new TablogError(STORAGE_FULL, 'said before');
    expect(storageError(error)).toBe(error);
  });
});
