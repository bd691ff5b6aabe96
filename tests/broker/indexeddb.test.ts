import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { STORAGE_UNAVAILABLE } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import { openIdbStore } from '../../src/store/indexeddb/open-idb-store.ts';
import { poolRef } from '../../src/store/indexeddb/idb-pool.ts';
import type { Store } from '../../src/store/store.ts';
import { openHintChannel } from '../../src/protocol/hint.ts';
import { stubIndexedDb } from '../store/indexeddb/fake-indexeddb.ts';
import { batch, baseOffset, errorOf } from '../support/broker-fixture.ts';
import type { TestBroker } from '../support/broker-fixture.ts';
import { StubPage } from '../support/stub-page.ts';
import { settle } from '../support/waiting.ts';
import { World } from '../support/world.ts';

stubIndexedDb();

// Each broker with a connection of its own to one database, as the workers of several tabs have.
let log: World;
let one: TestBroker;
let other: TestBroker;
beforeEach(async () => {
  log = new World();
  const openStore = (options: { readonly mustExist: boolean }): Promise<Store> =>
    openIdbStore(log.name, options);
  [one, other] = [log.broker({ openStore }), log.broker({ openStore })];
  await one.broker.openLog({ logId: null });
});

const poolSize = async (): Promise<number> => (await one.connection.read([poolRef]))[0]!.size;

describe('brokers over one database', () => {
  test('share what they append', async () => {
    const topic = await one.create('orders', 2);
    const appends = Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? one : other).produce(topic, batch(String(i)), {
        partition: i % 3 === 0 ? 1 : 0,
      }),
    );
    const offsets = (await Promise.all(appends)).map(baseOffset);
    for (const partition of [0, 1]) {
      const mine = offsets.filter((_, i) => (i % 3 === 0 ? 1 : 0) === partition);
      expect(mine.toSorted((a, b) => a - b)).toEqual(mine.map((_, i) => i));
      const values = await one.readAll(topic, { partition });
      expect(values).toHaveLength(mine.length);
      expect(await other.readAll(topic, { partition })).toEqual(values);
    }
  });

  test('go on when one of them extends the pool', async () => {
    const topic = await other.create('orders');
    await other.append(topic, 'a');
    const many = await one.create('many', 100);
    expect(await poolSize()).toBe(128);
    expect(await other.append(topic, 'b')).toBe(1);
    await other.produce(many, batch('x'), { partition: 99 });
    expect(await one.readAll(many, { partition: 99 })).toEqual(['x']);
    expect(await one.readAll(topic)).toEqual(['a', 'b']);
  });

  test('go on when the same broker extends the pool and appends', async () => {
    const topic = await one.create('orders');
    const values = Array.from({ length: 20 }, (_, i) => String(i));
    await Promise.all([
      one.create('many', 100),
      ...values.map((value) => one.append(topic, value)),
    ]);
    expect(await one.readAll(topic)).toEqual(values);
    expect(one.connections).toHaveLength(1);
  });

  test('extend the pool for two topics at once', async () => {
    const [a, b] = await Promise.all([one.create('a', 60), one.create('b', 60)]);
    await one.produce(a, batch('a'), { partition: 59 });
    await one.produce(b, batch('b'), { partition: 59 });
    expect(await other.readAll(a, { partition: 59 })).toEqual(['a']);
    expect(await other.readAll(b, { partition: 59 })).toEqual(['b']);
  });
});

describe('brokers whose database is deleted', () => {
  const DELETED = { code: 'CLOSED', details: { log: expect.any(String), reason: 'deleted' } };

  const databases = async (): Promise<(string | undefined)[]> =>
    (await indexedDB.databases()).map(({ name }) => name);

  async function deleteDatabase(): Promise<void> {
    await new Promise((resolve) => {
      indexedDB.deleteDatabase(`tablog/${log.name}`).addEventListener('success', resolve);
    });
    expect(await databases()).not.toContain(`tablog/${log.name}`);
  }

  async function tellOfDeletion(): Promise<void> {
    const hints = openHintChannel(log.name, () => {});
    hints.post({ kind: 'deleted' });
    hints.close();
    const heard = new Promise<void>((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port2.addEventListener('message', () => resolve(port1.close()));
      port2.start();
      port1.postMessage(null);
    });
    await heard;
    await new Promise((resolve) => setTimeout(resolve)); // channels of one thread take turns
  }

  test('are closed for good, and do not make it anew', async () => {
    const topic = await one.create('orders');
    await other.append(topic, 'a');
    const fetching = other.fetch(topic, { offset: 1, maxWaitMs: 60_000 });
    const ended = expect(errorOf(fetching)).resolves.toMatchObject(DELETED);
    await deleteDatabase();
    await ended;
    for (const { broker } of [one, other]) {
      expect(await errorOf(broker.describeLog())).toMatchObject(DELETED);
      expect(broker.isClosed).toBe(true);
    }
    expect(await errorOf(one.append(topic, 'b'))).toMatchObject(DELETED);
    expect(await errorOf(one.readAll(topic))).toMatchObject(DELETED);
    expect(await databases()).not.toContain(`tablog/${log.name}`);
  });

  test('leave it to a broker that comes later to make it anew', async () => {
    const topic = await one.create('orders');
    await one.append(topic, 'a');
    const { logId } = await one.broker.describeLog();
    await deleteDatabase();
    const later = log.broker({ openStore: (options) => openIdbStore(log.name, options) });
    expect((await later.broker.openLog({ logId: null })).logId).not.toBe(logId);
    expect(await later.broker.listTopics()).toEqual([]);
    expect(await errorOf(one.broker.listTopics())).toMatchObject(DELETED);
  });

  test('while one has no connection: that one is told by a hint, and looks', async () => {
    await one.create('orders');
    one.connection.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
    await deleteDatabase();
    await tellOfDeletion();
    expect(await errorOf(one.broker.listTopics())).toMatchObject(DELETED);
    expect(one.broker.isClosed).toBe(true);
    expect(await databases()).not.toContain(`tablog/${log.name}`);
  });

  test('and made anew, while one has no connection: that one does not take it for its own', async () => {
    await one.create('orders');
    one.connection.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
    await deleteDatabase();
    await tellOfDeletion();
    await other.broker.openLog({ logId: null });
    await other.create('orders');
    expect(await errorOf(one.broker.listTopics())).toMatchObject(DELETED);
    expect(await other.broker.listTopics()).toHaveLength(1);
  });

  test('a hint that is not true changes nothing, with a connection and without', async () => {
    const topic = await one.create('orders');
    await tellOfDeletion();
    expect(await one.append(topic, 'a')).toBe(0);
    one.connection.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
    await tellOfDeletion();
    expect(await one.append(topic, 'b')).toBe(1);
  });

  test('while one extends the pool: it is not made anew by that', async () => {
    await one.create('orders');
    const [extended] = await Promise.allSettled([one.create('many', 100), deleteDatabase()]);
    if (extended.status === 'rejected') expect(extended.reason).toMatchObject(DELETED);
    expect(await errorOf(one.broker.listTopics())).toMatchObject(DELETED);
    expect(await databases()).not.toContain(`tablog/${log.name}`);
  });

  test('a client of another worker asks for its log by the id that it had', async () => {
    const { logId } = await one.broker.describeLog();
    expect((await other.broker.openLog({ logId })).logId).toBe(logId);
    await deleteDatabase();
    const later = log.broker({ openStore: (options) => openIdbStore(log.name, options) });
    expect(await errorOf(later.broker.openLog({ logId }))).toMatchObject(DELETED);
    expect(await databases()).not.toContain(`tablog/${log.name}`);
    const made = await later.broker.openLog({ logId: null }); // for somebody who opens it now
    expect(made.logId).not.toBe(logId);
    expect(await errorOf(later.broker.openLog({ logId }))).toMatchObject(DELETED);
    expect(await later.broker.listTopics()).toEqual([]);
  });

  test('while one has no connection and hears nothing: it does not make it anew', async () => {
    await one.create('orders');
    one.connection.close(new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database'));
    await deleteDatabase();
    expect(await errorOf(one.broker.describeLog())).toMatchObject(DELETED);
    expect(one.broker.isClosed).toBe(true);
    expect(await databases()).not.toContain(`tablog/${log.name}`);
  });

  test('only who opens it for the first time makes it anew', async () => {
    const topic = await one.create('orders');
    await deleteDatabase();
    const later = log.broker({ openStore: (options) => openIdbStore(log.name, options) });
    const calls: (() => Promise<unknown>)[] = [
      () => later.broker.listTopics(),
      () => later.append(topic, 'a'),
      () => later.fetch(topic),
      () => later.create('other'),
    ];
    for (const call of calls) expect(await errorOf(call())).toMatchObject(DELETED);
    expect(await databases()).not.toContain(`tablog/${log.name}`);

    const asked = later.broker.listTopics(); // under way as somebody opens the log as new
    const [refused, made] = await Promise.all([
      errorOf(asked),
      later.broker.openLog({ logId: null }),
    ]);
    expect(refused).toMatchObject(DELETED);
    expect(made.topics).toEqual([]);
  });
});

describe('a broker in a page', () => {
  test('goes on when the page comes back from the back/forward cache', async () => {
    const page = new StubPage();
    onTestFinished(() => {
      vi.unstubAllGlobals();
      stubIndexedDb();
    });
    const broker = log.broker({ openStore: (options) => openIdbStore(log.name, options) });
    const topic = await broker.create('orders');
    const written = broker.append(topic, 'a');
    await Promise.resolve();
    page.pagehide(true);
    const later = broker.append(topic, 'b');
    await settle();
    page.pageshow(true);
    expect(await Promise.all([written, later])).toEqual([0, 1]);
    expect(await broker.readAll(topic)).toEqual(['a', 'b']);
    expect(broker.connections).toHaveLength(2);
  });
});

test('a write that the connection refuses is stored over another one', async () => {
  const topic = await one.create('orders');
  await one.append(topic, 'a');
  const refusal = new DOMException('did not allow mutations', 'InvalidStateError');
  const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
    throw refusal;
  });
  onTestFinished(() => put.mockRestore());
  expect(await one.append(topic, 'b')).toBe(1);
  expect(await one.readAll(topic)).toEqual(['a', 'b']);
  expect(one.connections).toHaveLength(2);
});

describe('a browser that has deleted damaged databases', () => {
  /** Has the first database that is missing be told as lost, as Chromium does. */
  function loseDatabases(): void {
    let isTold = false;
    const open = indexedDB.open.bind(indexedDB);
    vi.spyOn(indexedDB, 'open').mockImplementation((...args) => {
      const request = open(...args);
      request.addEventListener('upgradeneeded', (event) => {
        if (!isTold) Object.defineProperty(event, 'dataLoss', { value: 'total' });
        isTold = true;
      });
      return request;
    });
    onTestFinished(() => void vi.restoreAllMocks());
  }

  const opening = { logId: null, witness: null };

  test('is told to the first opener of the log, once', async () => {
    loseDatabases();
    const { broker } = log.broker({ openStore: (options) => openIdbStore('new', options) });
    expect(await broker.openLog(opening)).toMatchObject({ isAfterLoss: true });
    expect(await broker.openLog(opening)).toMatchObject({ isAfterLoss: false });
  });

  test('is told although another broker makes the database anew', async () => {
    loseDatabases();
    const brokers = [1, 2].map(
      () => log.broker({ openStore: (options) => openIdbStore('new at once', options) }).broker,
    );
    const opened = await Promise.all(brokers.map((broker) => broker.openLog(opening)));
    expect(opened.filter(({ isAfterLoss }) => isAfterLoss)).toHaveLength(1);
  });
});
