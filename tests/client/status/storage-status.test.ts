import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { STORAGE_TIMEOUT, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { databaseOf } from '../../../src/base/log-database.ts';
import { TablogError, deleteLog, openLog, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { inline } from '../../../src/inline.ts';
import type { InlineHost } from '../../../src/inline.ts';
import { partitionStore } from '../../../src/store/schema.ts';
import { storageError } from '../../../src/store/indexeddb/storage-error.ts';
import { stubIndexedDb } from '../../store/indexeddb/fake-indexeddb.ts';
import { FakeLocks } from '../../support/fake-locks.ts';
import { AN_HOUR_MS, memoryHost, openTab, take } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import { faultyHost, listen, toldWhile } from './status-fixture.ts';
import type { FaultyHost } from './status-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';

const busy = new TablogError(STORAGE_UNAVAILABLE, 'the disk is busy');
const silent = new TablogError(STORAGE_TIMEOUT, 'the database does not answer');

/** As a browser says it. */
const full = storageError(new DOMException('the quota is used up', 'QuotaExceededError'));

const asReader = { topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;

let host: FaultyHost;
let log: Log;
beforeEach(async () => {
  host = faultyHost();
  log = await openTab(host);
  await log.admin.createTopics(['t', topic('m', { storage: 'memory' })]);
});

/** Sends one record, whatever becomes of it. */
async function send(to = 't'): Promise<void> {
  await log
    .producer({ idempotent: false })
    .send(to, { value: 'v' })
    .catch(() => {});
}

describe('a storage without room', () => {
  test('is told once, and again when there is room', async () => {
    const { told } = listen(log);
    host.connection.failNext({ error: full }, { error: full });
    await send();
    await send();
    await settle();
    expect(told).toEqual([{ type: 'storageFull', error: expect.any(TablogError) }]);
    expect(told[0]!['error']).toMatchObject({ code: 'STORAGE_FULL' });
    await send();
    await settle();
    expect(told.slice(1)).toEqual([{ type: 'storageAvailable' }]);
    await send();
    host.connection.failNext({ error: full });
    await send();
    await settle();
    expect(told.slice(2)).toMatchObject([{ type: 'storageFull' }]);
  });

  test('of a transaction is told too', async () => {
    const { told } = listen(log);
    const producer = log.producer();
    host.connection.failNext({ error: full });
    const refused = producer.transaction((tx) => tx.send('t', { value: 'v' }));
    await expect(refused).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await producer.transaction((tx) => tx.send('t', { value: 'v' }));
    await settle();
    expect(told.map(({ type }) => type)).toEqual(['storageFull', 'storageAvailable']);
  });

  test('does not have room because something can be read, or kept in memory', async () => {
    await send();
    const { told } = listen(log);
    host.connection.failNext({ error: full });
    await send();
    await send('m');
    const consumer = log.consumer(asReader);
    await take(consumer, 1);
    await log.admin.describeTopics(['t']);
    await settle();
    expect(told).toMatchObject([{ type: 'storageFull' }]);
  });
});

describe('a storage that was away, and is full', () => {
  test('is full until records are stored, whatever can be read again', async () => {
    await send();
    log = await openTab(host, log.name); // whose broker has nothing in memory
    const { told } = listen(log);
    const consumer = log.consumer(asReader);
    await consumer.ready;
    host.connection.failNextRead({ error: busy });
    const reading = take(consumer, 1);
    await eventually(() => expect(told).toMatchObject([{ type: 'storageUnavailable' }]));
    host.connection.failNext({ error: full });
    await send();
    await reading;
    await settle();
    expect(told.slice(1)).toMatchObject([{ type: 'storageFull' }]);
    await send();
    await settle();
    expect(told.slice(2)).toEqual([{ type: 'storageAvailable' }]);
  });

  test('is full though a transaction without records commits offsets', async () => {
    await send();
    const { told } = listen(log);
    const consumer = log.consumer({ ...asReader, group: 'g', commit: 'manual' });
    await take(consumer, 1);
    host.connection.failNext({ error: full });
    await send();
    await log.producer().transaction((tx) => tx.commitOffsets(consumer));
    await settle();
    expect(told.filter(({ type }) => type.startsWith('storage'))).toMatchObject([
      { type: 'storageFull' },
    ]);
  });
});

describe('a storage that is away', () => {
  test('is told by a write, and back by a write', async () => {
    const { told } = listen(log);
    host.connection.failNext({ error: busy });
    await send();
    await send();
    await settle();
    expect(told).toEqual([
      { type: 'storageUnavailable', error: expect.objectContaining({ code: busy.code }) },
      { type: 'storageAvailable' },
    ]);
  });

  test('is told while an idempotent producer goes on, which nobody else hears of', async () => {
    const { told } = listen(log);
    host.connection.failNext({ error: busy }, { error: busy });
    await log.producer().send('t', { value: 'v' });
    await settle();
    expect(told.map(({ type }) => type)).toEqual(['storageUnavailable', 'storageAvailable']);
  });

  test('is told anew where it is away for another reason', async () => {
    const { told } = listen(log);
    host.connection.failNext({ error: busy }, { error: silent });
    await send();
    await send();
    await settle();
    expect(told).toMatchObject([
      { type: 'storageUnavailable', error: { code: 'STORAGE_UNAVAILABLE' } },
      { type: 'storageUnavailable', error: { code: 'STORAGE_TIMEOUT' } },
    ]);
  });

  test('is told by a consumer that cannot read, and back when it can', async () => {
    await send();
    const tab = await openTab(host, log.name); // whose broker has nothing in memory
    const { told } = listen(tab);
    const consumer = tab.consumer(asReader);
    await consumer.ready;
    host.connection.failNextRead({ error: busy });
    await take(consumer, 1);
    await settle();
    expect(told.map(({ type }) => type)).toEqual(['storageUnavailable', 'storageAvailable']);
  });

  test('is not back by what a worker answers from memory', async () => {
    await send();
    const { told } = listen(log);
    const consumer = log.consumer(asReader);
    await take(consumer, 1);
    await settle();
    host.connection.failNext({ error: busy });
    await send();
    await consumer.seek(0);
    await take(consumer, 1);
    await log.admin.listTopics();
    await settle();
    expect(told).toMatchObject([{ type: 'storageUnavailable' }]);
  });

  test('is not back by a call that was made before it went', async () => {
    const stub = stubHost(host);
    log = await openTab(stub, log.name);
    const { told } = listen(log);
    let answer!: () => void;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    stub.answer('produce', async (request, real) => {
      const results = await real(request);
      await answered;
      return results;
    });
    const sent = send();
    await settle();
    host.connection.failNext({ error: busy });
    await expect(log.admin.createTopics(['u'])).rejects.toMatchObject({ code: busy.code });
    answer();
    await sent;
    await settle();
    expect(told).toMatchObject([{ type: 'storageUnavailable' }]);
    await log.admin.createTopics(['u']);
    await settle();
    expect(told.map(({ type }) => type)).toEqual(['storageUnavailable', 'storageAvailable']);
  });

  test('is what an iterator that comes later begins with, until it is back', async () => {
    listen(log);
    host.connection.failNext({ error: busy });
    await send();
    await settle();
    const later = listen(log);
    await settle();
    expect(later.told).toMatchObject([{ type: 'storageUnavailable' }]);
    await send();
    await settle();
    expect(later.types).toEqual(['storageUnavailable', 'storageAvailable']);
    expect(await toldWhile(log, settle)).toEqual([]);
  });
});

describe('records that the browser lost', () => {
  test.each([undefined, 'g'])('are told where a consumer stops (group %s)', async (group) => {
    const producer = log.producer();
    await producer.send('t', { value: '0' });
    await producer.send('t', { value: '1' });
    const store = partitionStore(0);
    await host.store.update([{ store, key: 0 }], (_, write) => write.delete(store, 0));
    const tab = await openTab(host, log.name); // whose broker has nothing in memory
    const { told } = listen(tab);
    const consumer = tab.consumer({ ...asReader, ...(group !== undefined && { group }) });
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
    await settle();
    const lost = told.filter(({ type }) => type === 'recordsLost');
    expect(lost).toEqual([
      {
        type: 'recordsLost',
        topic: 't',
        partition: 0,
        offset: 0,
        error: expect.objectContaining({ code: 'LOG_CORRUPT' }),
      },
    ]);
    expect(lost[0]!['error']).toMatchObject({ details: { partition: 0, from: 0, to: 1 } });
    await consumer.seek(1);
    expect(await take(consumer, 1)).toHaveLength(1);
  });
});

describe('a log that is gone', () => {
  const withLocks = (): InlineHost => inline({ platform: { locks: new FakeLocks() } });

  beforeEach(() => {
    stubIndexedDb();
    onTestFinished(() => void vi.unstubAllGlobals());
  });

  const deleted = {
    type: 'logDeleted',
    error: expect.objectContaining({ code: 'CLOSED' }),
  };

  test('by deleteLog() is told last', async () => {
    const tab = await openLog('shop', { host: withLocks() });
    const { told, over } = listen(tab);
    await deleteLog('shop');
    await over;
    expect(told).toEqual([deleted]);
    expect(told[0]!['error']).toMatchObject({ details: { reason: 'deleted' } });
  });

  test('in memory too', async () => {
    const memory = memoryHost();
    const tab = await openLog('shop', { host: memory });
    const { told, over } = listen(tab);
    await deleteLog('shop', { host: memory });
    await over;
    expect(told).toEqual([deleted]);
  });

  test('because the browser removed its database is told with the next call', async () => {
    const tab = await openLog('shop', { host: withLocks() });
    await tab.admin.createTopics(['t']);
    const { told, over } = listen(tab);
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.deleteDatabase(databaseOf('shop'));
      request.addEventListener('success', () => resolve());
      request.addEventListener('error', () => reject(request.error!));
    });
    const sent = tab.producer().send('t', { value: 'v' });
    await expect(sent).rejects.toMatchObject({ code: 'CLOSED' });
    await over;
    expect(told).toEqual([deleted]);
  });
});
