import * as fake from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import {
  STORE_OF_EVERY_WRITE,
  keepsEndedTransactions,
  losesFailedWrites,
} from '../../../src/store/indexeddb/engine-faults.ts';
import { GROUPS, TOPICS, logRef } from '../../../src/store/schema.ts';
import type { RowRef } from '../../../src/store/store.ts';
import { testStoreContract } from '../store-contract.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';

const ENGINE = 'AppleWebKit/605.1.15 (KHTML, like Gecko)';
const AGENTS = {
  safari: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${ENGINE} Version/26.0 Safari/605.1.15`,
  ios: `Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) ${ENGINE} CriOS/142.0.0 Mobile/15E148`,
  gtk: `Mozilla/5.0 (X11; Linux x86_64) ${ENGINE} Version/26.0 Safari/605.1.15`,
  chrome: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36',
  headless: 'Mozilla/5.0 (X11) AppleWebKit/537.36 HeadlessChrome/142.0.0.0 Safari/537.36',
  firefox: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  deno: 'Deno/2.5.0',
};

function stubContext(userAgent: string, isWorker = true): void {
  vi.stubGlobal('navigator', { userAgent });
  if (isWorker) vi.stubGlobal('WorkerGlobalScope', {});
}

beforeEach(() => stubIndexedDb());
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe('an engine is told by its name', () => {
  test.each([
    ['safari', 'webkit'],
    ['ios', 'webkit'],
    ['gtk', 'webkit'],
    ['chrome', undefined],
    ['headless', undefined],
    ['firefox', 'firefox'],
    ['deno', undefined],
  ] as const)('%s: %s', (agent, expected) => {
    stubContext(AGENTS[agent]);
    expect(keepsEndedTransactions()).toBe(expected === 'webkit');
    expect(losesFailedWrites()).toBe(expected === 'firefox');
  });

  test('a page of WebKit has no such fault', () => {
    stubContext(AGENTS.safari, false);
    expect(keepsEndedTransactions()).toBe(false);
  });

  test.each([undefined, {}])('a context may have no name: %j', (navigator) => {
    vi.stubGlobal('navigator', navigator);
    expect(keepsEndedTransactions()).toBe(false);
    expect(losesFailedWrites()).toBe(false);
  });
});

describe('the transactions of a store', () => {
  /** Reads and writes at once; returns how many transactions were under way together at most. */
  async function transact(): Promise<{ most: number; commits: number }> {
    const { prototype } = fake.IDBDatabase;
    const begin: IDBDatabase['transaction'] = Reflect.get(prototype, 'transaction');
    let open = 0;
    let most = 0;
    vi.spyOn(prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
      const tx = begin.apply(this, args);
      most = Math.max(most, ++open);
      for (const end of ['complete', 'abort']) tx.addEventListener(end, () => open--);
      return tx;
    });
    const commit = vi.spyOn(fake.IDBTransaction.prototype, 'commit');
    const store = await openIdbStore(crypto.randomUUID());
    await Promise.all([
      store.read([logRef]),
      store.update([logRef], () => 1),
      store.read([logRef]),
      store.update([logRef], () => 2),
    ]);
    store.close();
    return { most, commits: commit.mock.calls.length };
  }

  test('are one at a time in a worker of WebKit, and commit by themselves', async () => {
    stubContext(AGENTS.safari);
    expect(await transact()).toEqual({ most: 1, commits: 0 });
  });

  test('are under way together in Firefox, and commit by themselves', async () => {
    stubContext(AGENTS.firefox);
    const { most, commits } = await transact();
    expect(most).toBeGreaterThan(1);
    expect(commits).toBe(0);
  });

  test('are under way together elsewhere, and commit at once', async () => {
    stubContext(AGENTS.chrome);
    const { most, commits } = await transact();
    expect(most).toBeGreaterThan(1);
    expect(commits).toBe(2);
  });
});

test('every write has a store in its scope, so that no two are under way at once', async () => {
  const transaction = vi.spyOn(fake.IDBDatabase.prototype, 'transaction');
  const store = await openIdbStore(crypto.randomUUID());
  await store.update([], () => {});
  for (const name of [TOPICS, GROUPS]) {
    const row = { store: name, key: 'row' } as RowRef<unknown>;
    await store.update([row], (_, write) => write.put(name, 'row', 1));
    await store.read([row]);
  }
  await store.updatePartitions([], (_, write) => write.takePartitions(100));
  store.close();
  const writes = transaction.mock.calls.filter(([, mode]) => mode === 'readwrite');
  expect(writes.length).toBeGreaterThanOrEqual(4);
  for (const [stores] of writes) expect([stores].flat()).toContain(STORE_OF_EVERY_WRITE);
  const reads = transaction.mock.calls.filter(([, mode]) => mode === 'readonly');
  for (const [stores] of reads) expect([stores].flat()).not.toContain(STORE_OF_EVERY_WRITE);
});

testStoreContract('fake IndexedDB, as in a worker of WebKit', () => {
  stubContext(AGENTS.safari);
  return openIdbStore(crypto.randomUUID());
});
