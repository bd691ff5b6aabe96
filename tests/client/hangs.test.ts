import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { listLogs, openLog } from '../../src/index.ts';
import type { OpenLogOptions } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { lazyCodecs } from '../../src/client/fetch/lazy-codecs.ts';
import { loadInflate } from '../../src/client/fetch/load-inflate.ts';
import type { PartitionReader } from '../../src/client/fetch/partition-reader.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { lazyRunner } from '../../src/client/run/lazy-runner.ts';
import { openIdbStore } from '../../src/store/indexeddb/open-idb-store.ts';
import { stubIndexedDb } from '../store/indexeddb/fake-indexeddb.ts';
import { workers } from '../support/fake-worker.ts';
import { killTransactions, useStoppedWorld } from '../support/hung-world.ts';
import { outcomeOf } from '../support/waiting.ts';
import type { Outcome } from '../support/waiting.ts';

type Host = 'shared' | 'dedicated' | 'inline';
const HOSTS: readonly Host[] = ['shared', 'dedicated', 'inline'];

const never = (): Promise<never> => new Promise(() => {});

useStoppedWorld();

function open(host: Host): Promise<Outcome> {
  const options: OpenLogOptions =
    host === 'inline' ? { host: inline() } : { host, workerUrl: 'https://shop.test/worker.js' };
  const opening = openLog('shop', options);
  opening.then(
    (log) => onTestFinished(() => log.close()),
    () => {},
  );
  return outcomeOf(opening, 60_000);
}

const SILENT = /did not answer within 4500 ms/;
const LOCK = /navigator\.locks has neither granted nor refused a lock in 3000 ms/;
const DATABASE = /the database of the log 'shop' did not open within 5000 ms/;

interface Hang {
  readonly what: string;
  readonly hosts?: readonly Host[];
  readonly begin: () => unknown;
  /** Undefined: the log opens all the same. */
  readonly code?: string;
  readonly text?: RegExp;
}

const HANGS: readonly Hang[] = [
  {
    what: 'the worker says nothing',
    hosts: ['shared', 'dedicated'],
    begin: () => (workers.fate = 'silent'),
    code: 'WORKER_FAILED',
    text: SILENT,
  },
  {
    what: "the worker's file does not load, and its server hangs when it is asked why",
    hosts: ['shared', 'dedicated'],
    begin: () => {
      workers.fate = 'not loaded';
      vi.stubGlobal('fetch', never);
    },
    code: 'WORKER_FAILED',
    text: /https:\/\/shop\.test\/worker\.js could not be fetched \(Error: no answer within 3000 ms\)/,
  },
  {
    what: 'the code that explains why a worker does not load never arrives',
    hosts: ['shared'], // the next import has the module
    begin: () => {
      workers.fate = 'not loaded';
      vi.doMock('../../src/client/connection/worker-fault.ts', never);
      onTestFinished(() => vi.doUnmock('../../src/client/connection/worker-fault.ts'));
    },
    code: 'WORKER_FAILED',
    text: /could not be loaded \(https:\/\/shop\.test\/worker\.js\), nor did the server answer why/,
  },
  {
    what: 'the lock of the tab is neither granted nor refused',
    begin: () => vi.stubGlobal('navigator', { locks: { request: never, query: never } }),
    code: 'LOCKS_UNAVAILABLE',
    text: LOCK,
  },
  {
    what: 'the lock of the worker is neither granted nor refused',
    hosts: ['shared', 'dedicated'],
    begin: () => (workers.platform = { locks: { request: never, query: never } }),
    code: 'LOCKS_UNAVAILABLE',
    text: LOCK,
  },
  {
    // As for the third opener of a database whose upgrade is blocked, in every browser.
    what: 'indexedDB.open fires nothing',
    begin: () => stubIndexedDb(() => new IDBOpenDBRequest()),
    code: 'STORAGE_BLOCKED',
    text: DATABASE,
  },
  {
    what: 'no transaction ends',
    begin: async () => {
      (await openIdbStore('shop')).close(); // an upgrade is a transaction, too
      killTransactions();
    },
    code: 'STORAGE_TIMEOUT',
    text: /a read of the log 'shop' has not ended in 7500 ms/,
  },
  {
    what: "a file of the page's code never arrives",
    begin: () => vi.spyOn(lazyRunner, 'load').mockImplementation(never),
    code: 'LOAD_FAILED',
    text: /the code of run\(\) could not be loaded \(nothing came in 9750 ms\)/,
  },
  {
    what: 'there is no BroadcastChannel',
    begin: () => vi.stubGlobal('BroadcastChannel', undefined),
  },
  { what: 'nothing hangs', begin: () => {} },
];

describe.each(HANGS)('openLog, where $what,', ({ hosts = HOSTS, begin, code, text }) => {
  const settles = code === undefined ? 'opens the log at once' : `ends with ${code} within 10 s`;
  test.each(hosts)(`${settles} (%s)`, async (host) => {
    await begin();
    const { ms, error } = await open(host);
    expect(error?.code).toBe(code);
    if (text !== undefined) expect(error!.message).toMatch(text);
    expect(ms).toBeLessThanOrEqual(code === undefined ? 500 : 10_000);
  });
});

describe('other waits for the browser and for code end as well:', () => {
  test('listLogs, where IndexedDB never lists its databases', async () => {
    indexedDB.databases = never;
    const { ms, error } = await outcomeOf(listLogs(), 10_000);
    expect([ms, error?.code]).toEqual([10_000, 'STORAGE_TIMEOUT']);
  });

  test('describeLog, where navigator.storage says nothing: its facts are left out', async () => {
    const log = await openLog('shop', { host: inline() });
    onTestFinished(() => log.close());
    vi.stubGlobal('navigator', { storage: { estimate: never, persisted: never } });
    const described = log.admin.describeLog();
    const { ms, error } = await outcomeOf(described, 10_000);
    expect([ms, error]).toEqual([3_250, undefined]);
    expect(await described).toMatchObject({ usageBytes: undefined, persisted: false });
  });

  test('a fetch whose codec never arrives', async () => {
    vi.spyOn(lazyCodecs, 'load').mockImplementation(never);
    const reader = { topic: { name: 't' }, partition: 1, fetchOffset: 7 } as PartitionReader;
    const { ms, error } = await outcomeOf(loadInflate(systemClock, reader, []), 10_000);
    expect(ms).toBe(10_000);
    expect(error).toMatchObject({
      code: 'LOAD_FAILED',
      details: { topic: 't', partition: 1, offset: 7 },
    });
  });
});
