import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { IdbTransactions } from '../../../src/store/indexeddb/idb-transactions.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { TOPICS } from '../../../src/store/schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { StubPage } from '../../support/stub-page.ts';
import { settle } from '../../support/waiting.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';

/** A transaction whose events a test fires. */
class StubTransaction {
  readonly mode: IDBTransactionMode;
  error: DOMException | null = null;
  onerror!: (event: { readonly target: { readonly error: DOMException } }) => void;
  oncomplete!: () => void;
  onabort!: () => void;
  isCommitting = false;
  isAborted = false;

  constructor(mode: IDBTransactionMode) {
    this.mode = mode;
  }

  abort(): void {
    if (this.isCommitting) throw new DOMException('it is committing', 'InvalidStateError');
    this.isAborted = true;
  }
}

function begin(mode: IDBTransactionMode): {
  readonly tx: StubTransaction;
  readonly all: IdbTransactions;
  readonly clock: ManualClock;
  readonly ended: Promise<void>;
} {
  const clock = new ManualClock();
  const all = new IdbTransactions({ name: 'shop', clock, deadlineMs: 1_000, onSilent: () => {} });
  const tx = new StubTransaction(mode);
  const ended = all.run(tx as unknown as IDBTransaction, () => {});
  ended.catch(() => {}).finally(() => expect(clock.timers).toBe(0));
  return { tx, all, clock, ended };
}

const quota = new DOMException('not enough space for domain', 'QuotaExceededError');
const aborted = new DOMException('aborted', 'AbortError');

describe('an abort has the code of its cause', () => {
  test.each([
    ['WebKit at the quota after commit()', 'readwrite', [quota, quota], null, STORAGE_FULL, quota],
    ['WebKit at the quota', 'readwrite', [quota, aborted], quota, STORAGE_FULL, quota],
    ['Firefox at the quota', 'readwrite', [], quota, STORAGE_FULL, quota],
    ['WebKit on a full disk', 'readwrite', [], null, STORAGE_FULL, undefined],
    ['a read without a reason', 'readonly', [], null, STORAGE_UNAVAILABLE, null],
    ['the browser', 'readwrite', [aborted], aborted, STORAGE_UNAVAILABLE, aborted],
  ] as const)('%s', async (_, mode, ofRequests, ofTransaction, rule, cause) => {
    const { tx, ended } = begin(mode);
    for (const error of ofRequests) tx.onerror({ target: { error } });
    tx.error = ofTransaction;
    tx.onabort();
    const error = await errorOf(ended);
    expect(error).toMatchObject(rule);
    expect(error.cause).toBe(cause);
  });
});

describe('all transactions are aborted', () => {
  const reason = new TablogError(STORAGE_UNAVAILABLE, 'the page goes');

  test('at once, whether or not the browser tells', async () => {
    const { all, ended } = begin('readwrite');
    all.abortAll(reason);
    expect(await errorOf(ended)).toBe(reason);
  });

  test('but for those that commit already', async () => {
    const { tx, all, ended } = begin('readwrite');
    tx.isCommitting = true;
    all.abortAll(reason);
    tx.oncomplete();
    await ended;
  });
});

describe('a transaction that does not end in time', () => {
  test.each([
    ['a read', 'readonly', false, STORAGE_TIMEOUT],
    ['a write that is aborted, so that nothing is stored', 'readwrite', false, STORAGE_TIMEOUT],
    ['a write that commits already', 'readwrite', true, OUTCOME_UNKNOWN],
  ] as const)('%s', async (_, mode, isCommitting, rule) => {
    const { tx, clock, ended } = begin(mode);
    tx.isCommitting = isCommitting;
    clock.advance(1_000);
    clock.advance(250); // the grace of a deadline
    expect(await errorOf(ended)).toMatchObject(rule);
    expect(tx.isAborted).toBe(!isCommitting);
  });
});

const TOPIC = { store: TOPICS, key: 'a' };
const put = (store: Store): Promise<void> =>
  store.update([TOPIC], (_, write) => write.put(TOPICS, 'a', 1));

/** A store over a fake IndexedDB, in a page that tests can cache. */
async function openStore(
  name: string,
): Promise<{ readonly store: Store; readonly page: StubPage }> {
  onTestFinished(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
  stubIndexedDb();
  const page = new StubPage();
  const store = await openIdbStore(name);
  onTestFinished(() => store.close());
  return { store, page };
}

describe('a write that IndexedDB refuses', () => {
  test('as Firefox does after an exceeded quota, closes the store', async () => {
    const { store } = await openStore('refused');
    const cause = new DOMException('did not allow mutations', 'InvalidStateError');
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
      throw cause;
    });
    const error = await errorOf(put(store));
    expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE', retriable: true, cause });
    expect(store.closed.reason).toBe(error);
  });

  test('for a bad key is a bug of the caller, and closes nothing', async () => {
    const { store } = await openStore('misused');
    const written = store.update([TOPIC], (_, write) => write.put(TOPICS, NaN, 1));
    await expect(written).rejects.toMatchObject({ name: 'DataError' });
    await put(store);
  });
});

describe('in a page that goes into the back/forward cache', () => {
  /** Deletes the database; resolves with whether a connection blocks that. */
  const isBlocked = (name: string): Promise<boolean> =>
    new Promise((resolve) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = () => resolve(false);
      request.onblocked = () => resolve(true);
    });

  test('transactions and the connection end, and their calls when it is back', async () => {
    const { store, page } = await openStore('cached');
    const settled = vi.fn();
    const written = errorOf(put(store)).finally(settled);
    await Promise.resolve();
    await Promise.resolve();
    page.pagehide(true);
    const later = errorOf(put(store)).finally(settled);
    await settle();
    expect(settled).not.toHaveBeenCalled();
    expect(store.closed.aborted).toBe(false);
    expect(await isBlocked('cached')).toBe(false);

    page.pageshow(true);
    expect(store.closed.reason).toMatchObject({ code: 'STORAGE_UNAVAILABLE', retriable: true });
    for (const error of await Promise.all([written, later])) {
      expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE', retriable: true });
    }
  });

  test('nothing ends where the page is not cached', async () => {
    const { store, page } = await openStore('uncached');
    page.pagehide();
    page.pageshow();
    await put(store);
    expect(await store.readAll(TOPICS)).toEqual([1]);
  });
});
