import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLog, topic } from '../../../src/index.ts';
import type { DiagnosticEntry, Log } from '../../../src/index.ts';
import { inline } from '../../../src/inline.ts';
import { serveWorker } from '../../../src/broker.ts';
import { memoryStore } from '../../../src/store/memory-store-factory.ts';
import { FakeLocks } from '../../support/fake-locks.ts';
import { stubWorkers, workers } from '../../support/fake-worker.ts';
import { openTab } from '../../support/log-fixture.ts';
import { eventually } from '../../support/waiting.ts';
import { stubIndexedDb } from '../../store/indexeddb/fake-indexeddb.ts';

const t = topic('t');

afterEach(() => vi.unstubAllGlobals());

/** The kinds and the details of the entries. */
async function entriesOf(
  log: Log,
): Promise<readonly (readonly [string, DiagnosticEntry['details']])[]> {
  const { entries } = await log.diagnostics();
  return entries.map(({ kind, details }) => [kind, details] as const);
}

describe('log.diagnostics() of a worker', () => {
  beforeEach(() => {
    stubWorkers();
    stubIndexedDb();
    vi.stubGlobal('BroadcastChannel', undefined);
  });

  async function open(): Promise<Log> {
    const log = await openLog('shop', { host: 'shared', workerUrl: 'https://shop.test/worker.js' });
    onTestFinished(() => log.close().catch(() => {}));
    return log;
  }

  test('tells what the broker is, who came, and what was opened', async () => {
    const log = await open();
    const { clientId, broker, entries, droppedEntries } = await log.diagnostics();
    expect(broker).toMatchObject({ host: 'dedicated', clients: 1, waitingFetches: 0 });
    expect(broker.brokerId).toMatch(/^[0-9a-f-]{36}$/);
    expect(broker.uptimeMs).toBeGreaterThanOrEqual(0);
    expect(broker.transactions).toBeGreaterThan(0);
    expect(broker.transactionsInFlight).toBe(0);
    expect(entries.map(({ kind }) => kind)).toEqual([
      'brokerStarted',
      'clientConnected',
      'storeOpened',
    ]);
    expect(entries[1]!.details).toEqual({ clientId });
    expect(droppedEntries).toBe(0);
    expect(structuredClone(entries)).toEqual(entries);
  });

  test('tells which calls were refused, and why', async () => {
    const log = await open();
    await expect(log.admin.describeTopics(['none'])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    const refused = {
      method: 'describeTopics',
      code: 'UNKNOWN_TOPIC',
      message: "there is no topic 'none'",
    };
    expect(await entriesOf(log)).toContainEqual(['callFailed', refused]);
  });

  test('tells of rebalances', async () => {
    const log = await open();
    await log.admin.createTopics([t]);
    const consumer = log.consumer({ topics: [t], group: 'g' });
    await consumer.ready;
    const joined = { group: 'g', generation: 1, members: 1, event: 'join' };
    expect(await entriesOf(log)).toContainEqual(['rebalanced', joined]);
    await consumer.close();
    const events = (await entriesOf(log)).filter(([kind]) => kind === 'rebalanced');
    expect(events.at(-1)![1]).toMatchObject({ group: 'g', members: 0, event: 'leave' });
  });

  test('tells why the database was closed, and resolves while it hangs', async () => {
    const log = await open();
    const { version } = (await indexedDB.databases())[0]!;
    const upgrade = indexedDB.open('tablog/shop', version! + 1); // as a later release does
    await new Promise((done) => upgrade.addEventListener('success', done));
    upgrade.result.close();
    await eventually(async () =>
      expect(await entriesOf(log)).toContainEqual([
        'storeClosed',
        { code: 'STORAGE_UNAVAILABLE', message: 'another tab changes the database' },
      ]),
    );
    indexedDB.open = () => new IDBOpenDBRequest();
    const listing = log.admin.listTopics();
    listing.catch(() => {});
    const { entries } = await log.diagnostics();
    expect(entries.at(-1)!.kind).toBe('storeClosed');
  });

  test('tells of a tab that has died', async () => {
    const { store, platform } = workers;
    const scope = Object.assign(new EventTarget(), { onconnect: null, postMessage() {} });
    serveWorker(scope, { store, platform });
    const connect = (): MessagePort => {
      const { port1, port2 } = new MessageChannel();
      onTestFinished(() => port1.close());
      scope.dispatchEvent(Object.assign(new Event('connect'), { ports: [port2] }));
      return port1;
    };
    class OneSharedWorker extends EventTarget {
      readonly port = connect();
    }
    vi.stubGlobal('SharedWorker', OneSharedWorker);
    const [first, second] = [await open(), await open()];
    const { clientId, broker } = await second.diagnostics();
    expect(broker).toMatchObject({ host: 'shared', clients: 2 });
    await second.close(); // frees its lock, as death does
    await eventually(async () =>
      expect(await entriesOf(first)).toContainEqual(['clientDied', { clientId }]),
    );
    expect((await first.diagnostics()).broker.clients).toBe(1);
  });
});

describe('log.diagnostics()', () => {
  test('of a broker in the thread of the tab', async () => {
    const log = await openTab(
      inline({ store: memoryStore(), platform: { locks: new FakeLocks() } }),
    );
    const { broker, entries } = await log.diagnostics();
    expect(broker).toMatchObject({ host: 'inline', clients: 1 });
    expect(entries.map(({ kind }) => kind)).toEqual(['brokerStarted', 'storeOpened']);
  });

  test('counts the fetches that wait', async () => {
    const log = await openTab();
    await log.admin.createTopics([t]);
    const consumer = log.consumer({ topics: [t] });
    void consumer[Symbol.asyncIterator]().next();
    await eventually(async () => expect((await log.diagnostics()).broker.waitingFetches).toBe(1));
  });

  test('has produced batches that were refused', async () => {
    const log = await openTab();
    await log.admin.createTopics([t]);
    const producer = log.producer();
    await producer.send(t, { value: 'v' });
    const taken = producer.send(t, { value: 'v', expectedOffset: 0, partition: 0 });
    await expect(taken).rejects.toMatchObject({ code: 'CONFLICT' });
    const [kind, details] = (await entriesOf(log)).at(-1)!;
    expect([kind, details['method'], details['code']]).toEqual([
      'callFailed',
      'produce',
      'CONFLICT',
    ]);
  });

  test('takes a signal, and nothing else', async () => {
    const log = await openTab();
    const reason = new Error('enough');
    await expect(log.diagnostics({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(log.diagnostics({ now: true } as never)).rejects.toThrow(TypeError);
    await log.close();
    await expect(log.diagnostics()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('log.persist()', () => {
  test.each([
    ['true where the browser keeps the data', { persist: async () => true }, true],
    ['false where it does not', { persist: async () => false }, false],
    ['false in an old browser', {}, false],
    ['false without navigator.storage', undefined, false],
    [
      'false where the frame has no storage',
      { persist: () => Promise.reject(new TypeError('no')) },
      false,
    ],
  ])('is %s', async (_, storage, keeps) => {
    const log = await openTab();
    vi.stubGlobal('navigator', { storage });
    expect(await log.persist()).toBe(keeps);
  });

  test('asks nothing of a closed log', async () => {
    const log = await openTab();
    await log.close();
    await expect(log.persist()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
