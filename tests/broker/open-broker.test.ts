import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { idbStore, memoryStore, openBroker, serveWorker, storeError } from '../../src/broker.ts';
import type { Channel, Platform, StoreFactory } from '../../src/broker.ts';
import { deleteLog, listLogs, openLog, string, topic } from '../../src/index.ts';
import type { InlineHost, Log } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { BrokerPort } from '../../src/protocol/port/broker-port.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { stubIndexedDb } from '../store/indexeddb/fake-indexeddb.ts';
import { errorOf } from '../support/broker-fixture.ts';
import { FakeLocks } from '../support/fake-locks.ts';
import { take } from '../support/log-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { settle } from '../support/waiting.ts';

stubIndexedDb();

const orders = topic('orders', { key: string(), value: string() });

async function open(host: InlineHost, name = 'shop'): Promise<Log> {
  const log = await openLog(name, { host });
  onTestFinished(() => log.close());
  return log;
}

async function useLog(log: Log): Promise<void> {
  await log.admin.createTopics([orders]);
  const { offset } = await log.producer().send(orders, { key: 'k', value: 'v' });
  const consumer = log.consumer({ topics: [orders], from: offset });
  expect((await take(consumer, 1)).map(({ value }) => value)).toEqual(['v']);
}

const hostOf = (store: StoreFactory): InlineHost => ({
  open: (log) => openBroker({ log, store }),
});

describe('openBroker', () => {
  test.each([
    ['memory', memoryStore],
    ['IndexedDB', idbStore],
  ])('makes a host of %s, whose brokers share the log', async (_, newStore) => {
    const host = hostOf(newStore());
    const [one, other] = [await open(host), await open(host)];
    await useLog(one);
    const read = other.consumer({ topics: [orders], from: 'earliest' });
    expect(await take(read, 1)).toHaveLength(1);
    await useLog(other);
  });

  test('closes its store, and refuses calls from then on', async () => {
    const opened = openMemoryStore();
    const store = { ...memoryStore(), open: async () => opened };
    const { broker, close } = openBroker({ log: 'shop', store });
    await broker.openLog({ logId: null });
    close();
    close();
    await settle();
    expect(opened.closed.aborted).toBe(true);
    expect(await errorOf(broker.listTopics(null))).toMatchObject({ code: 'CLOSED' });
  });

  test('tells what the store says that cannot be opened', async () => {
    const full = storeError('STORAGE_FULL', 'the disk is full', { details: { bytes: 7 } });
    const store = { ...memoryStore(), open: () => Promise.reject(full) };
    const error = await errorOf(openLog('shop', { host: hostOf(store) }));
    expect(error).toMatchObject({ code: 'STORAGE_FULL', details: { bytes: 7 } });
  });

  const valid = { log: 'shop', store: memoryStore() };
  test.each([
    ['no log', { store: valid.store }, 'a log name must be'],
    ['a log name that is none', { ...valid, log: 'a/b' }, 'got "a/b"'],
    ['no store', { log: 'shop' }, 'store must have the methods open, got undefined'],
    ['a store that is open', { ...valid, store: openMemoryStore() }, 'store must have the methods'],
    ['an option that there is not', { ...valid, openStore: () => {} }, '"openStore"'],
    ['a platform that is a word', { ...valid, platform: 'node' }, 'platform takes an object'],
    ['a platform with more', { ...valid, platform: { cpu: 1 } }, '"cpu"'],
    ['a clock that is none', { ...valid, platform: { clock: Date } }, 'platform.clock must have'],
    ['locks that are none', { ...valid, platform: { locks: {} } }, 'platform.locks must have'],
    ['no random values', { ...valid, platform: { crypto: Math } }, 'platform.crypto must have'],
    ['a channel', { ...valid, platform: { openChannel: {} } }, 'platform.openChannel must be'],
  ])('refuses %s at once', (_, options, text) => {
    expect(() => openBroker(options as never)).toThrow(TypeError);
    expect(() => openBroker(options as never)).toThrow(text);
  });
});

describe('inline({ store })', () => {
  test('has the logs of the store, which listLogs and deleteLog ask', async () => {
    const host = inline({ store: memoryStore() });
    const log = await open(host);
    await useLog(log);
    expect(await listLogs({ host })).toEqual(['shop']);
    await deleteLog('shop', { host });
    expect(await listLogs({ host })).toEqual([]);
    expect(await errorOf(log.admin.listTopics())).toMatchObject({
      code: 'CLOSED',
      details: { reason: 'deleted' },
    });
  });

  test('is told whether the log must exist, and gets the clock and the ids', async () => {
    const inner = memoryStore();
    const opened = vi.fn<StoreFactory['open']>((...args) => inner.open(...args));
    const clock = new ManualClock(1_000);
    const host = inline({ store: { ...inner, open: opened }, platform: { clock, crypto } });
    await open(host);
    const how = { mustExist: false, onUnrecoverable: 'error', clock, crypto };
    expect(opened).toHaveBeenCalledExactlyOnceWith('shop', how);
  });

  test.each([
    ['a store that is open', { store: openMemoryStore() }, 'store must have the methods'],
    ['a database', { store: {} }, 'store must have the methods open, list, delete, got {}'],
    ['a store and a storage', { store: memoryStore(), storage: 'memory' }, 'storage or store'],
    ['a bad platform', { platform: { locks: 1 } }, 'platform.locks must have the methods'],
    ['false for null', { platform: { locks: false } }, 'platform.locks must have the methods'],
  ])('refuses %s at once', (_, options, text) => {
    expect(() => inline(options as never)).toThrow(TypeError);
    expect(() => inline(options as never)).toThrow(text);
  });
});

describe('a platform', () => {
  test('has the time and the ids from where it is told', async () => {
    const clock = new ManualClock(5_000);
    let next = 0;
    const counted: NonNullable<Platform['crypto']> = {
      getRandomValues: (into) => ((into as unknown as Uint8Array).fill(++next), into),
    };
    const store = memoryStore();
    const { broker, close } = openBroker({ log: 'l', store, platform: { clock, crypto: counted } });
    onTestFinished(close);
    const { logId } = await broker.openLog({ logId: null });
    const [info] = await broker.createTopics([{ name: 't' }]);
    expect(info!.createdAt).toBe(5_000);
    const { brokerId } = (await broker.describeBroker(null)).broker;
    expect([brokerId, logId, info!.id]).toEqual([
      '01010101-0101-4101-8101-010101010101',
      '02020202-0202-4202-8202-020202020202',
      '03030303-0303-4303-8303-030303030303',
    ]);
    const request = { transactionalId: 'tx', holder: 'me', seen: null };
    expect((await broker.initProducer(request)).id).toBe(4 * 2 ** 32 + 4);
  });

  test('without locks and channels has everything in one thread', async () => {
    const host = inline({ store: memoryStore(), platform: { locks: null, openChannel: null } });
    const log = await open(host);
    await useLog(log);
    const memory = topic('memory', { storage: 'memory', value: string() });
    await log.admin.createTopics([memory]);
    await log.producer().send(memory, { value: 'm' });
    const group = log.consumer({ group: 'g', topics: [memory], from: 'earliest' });
    expect(await take(group, 1)).toHaveLength(1);
  });

  test('tells of records by its channels, and of nothing by others', async () => {
    const heard = new Map<string, Set<(event: MessageEvent) => void>>();
    const openChannel = (name: string): Channel => {
      const all = heard.get(name) ?? new Set();
      heard.set(name, all);
      const own = new Set<(event: MessageEvent) => void>();
      return {
        postMessage: (data) => {
          const others = [...all].filter((listener) => !own.has(listener));
          for (const listener of others) listener(new MessageEvent('message', { data }));
        },
        addEventListener: (_, listener) => {
          all.add(listener);
          own.add(listener);
        },
        close: () => own.forEach((listener) => all.delete(listener)),
      };
    };
    const global = vi.fn();
    vi.stubGlobal('BroadcastChannel', global);
    onTestFinished(() => void vi.unstubAllGlobals());
    const host = inline({ store: memoryStore(), platform: { openChannel, locks: null } });
    const [one, other] = [await open(host), await open(host)];
    const memory = topic('memory', { storage: 'memory', value: string() });
    await one.admin.createTopics([orders, memory]);
    const reader = other.consumer({ topics: [orders, memory], from: 'earliest' });
    const reading = take(reader, 2);
    await settle();
    await one.producer().send(orders, { key: 'k', value: 'disk' });
    await one.producer().send(memory, { value: 'memory' });
    const values = (await reading).map(({ value }) => value);
    expect(new Set(values)).toEqual(new Set(['disk', 'memory']));
    expect(global).not.toHaveBeenCalled();
  });

  test('learns of deaths by its locks, which tab and broker both use', async () => {
    const locks = new FakeLocks();
    const host = inline({ store: memoryStore(), platform: { locks } });
    const [log, other] = [await open(host), await open(host)];
    await log.admin.createTopics([topic('work', { partitions: 2 })]);
    const dying = log.consumer({ group: 'g', topics: ['work'] });
    await dying.ready;
    const staying = other.consumer({ group: 'g', topics: ['work'] });
    await staying.ready;
    const clients = locks.held.filter((name) => name.startsWith('tablog/client/'));
    expect(clients).toHaveLength(2);
    const waited = locks.asked.filter((name) => name === clients[0]);
    expect(waited.length).toBeGreaterThan(1); // the tab's own, and those of who waits for its death
  });
});

describe('serveWorker', () => {
  test('serves logs of a store of its own to whoever greets it', async () => {
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => port1.close());
    const locks = new FakeLocks();
    serveWorker(port2, { store: memoryStore(), platform: { locks } });
    port2.start();
    const port = new BrokerPort(port1);
    const hello = { protocol: PROTOCOL_VERSION, log: 'shop', clientId: 'c', logId: null };
    const { brokerId } = await port.hello(hello);
    expect(locks.held).toContain(`tablog/broker/${brokerId}`);
    await port.call('openLog', { logId: null });
    const [info] = await port.call('createTopics', [{ name: 'orders' }]);
    expect(await port.call('listTopics', null)).toEqual([info]);
  });

  const scope = { postMessage() {}, addEventListener() {} };
  test.each([
    ['no scope', undefined, { store: memoryStore() }, "serveWorker()'s scope must have"],
    ['no store', scope, {}, 'store must have the methods'],
    ['no options', scope, undefined, 'serveWorker() takes an object'],
    ['an option that there is not', scope, { store: memoryStore(), log: 'a' }, '"log"'],
  ])('refuses %s at once', (_, scope, options, text) => {
    expect(() => serveWorker(scope as never, options as never)).toThrow(TypeError);
    expect(() => serveWorker(scope as never, options as never)).toThrow(text);
  });
});

describe('storeError', () => {
  test('carries the code, its rule, and the cause', () => {
    const cause = new Error('SQLITE_BUSY');
    const error = storeError('STORAGE_UNAVAILABLE', 'the file is locked', { cause });
    expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE', outcome: 'passing', cause });
    expect(error.message).toContain('the file is locked');
  });

  test('refuses a code that is no store error', () => {
    expect(() => storeError('UNKNOWN_TOPIC' as never, 'no')).toThrow(TypeError);
  });
});
