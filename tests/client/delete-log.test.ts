import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { TablogError, deleteLog, listLogs, openLog, string, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import type { InlineHost } from '../../src/inline.ts';
import { stubIndexedDb } from '../store/indexeddb/fake-indexeddb.ts';
import { AN_HOUR_MS, countOf, memoryHost } from '../support/log-fixture.ts';
import { eventually, settle } from '../support/waiting.ts';

/** The error of everything that a deleted log had open. */
const DELETED = {
  name: 'TablogError',
  code: 'CLOSED',
  happened: "the log 'shop' was deleted",
  details: { log: 'shop', reason: 'deleted' },
};

interface Place {
  readonly host: () => InlineHost;
  /** The options of `deleteLog` and `listLogs`. */
  readonly options: () => { readonly host?: InlineHost };
}

const shared: { memory: InlineHost } = { memory: memoryHost() };

const PLACES: readonly (readonly [string, Place])[] = [
  ['in memory', { host: () => shared.memory, options: () => ({ host: shared.memory }) }],
  ['in IndexedDB', { host: () => inline(), options: () => ({}) }],
];

beforeEach(() => {
  stubIndexedDb();
  shared.memory = memoryHost();
});

afterEach(() => vi.unstubAllGlobals());

describe.each(PLACES)('a log %s', (_, place) => {
  async function open(name = 'shop'): Promise<Log> {
    const log = await openLog(name, { host: place.host() });
    onTestFinished(() => log.close());
    return log;
  }
  const remove = (name = 'shop'): Promise<void> => deleteLog(name, place.options());
  const list = (): Promise<string[]> => listLogs(place.options());

  test('is listed by its name until it is deleted', async () => {
    expect(await list()).toEqual([]);
    await open('b');
    await (await open('a')).close();
    expect(await list()).toEqual(['a', 'b']);
    await remove('a');
    expect(await list()).toEqual(['b']);
    await remove('b');
    expect(await list()).toEqual([]);
  });

  test('that does not exist is deleted all the same, twice at once too', async () => {
    await remove('nobody');
    await open();
    await Promise.all([remove(), remove()]);
    expect(await list()).toEqual([]);
  });

  test('that is made again is empty, begins at offset 0, and has another id', async () => {
    const before = await open();
    await before.admin.createTopics(['t']);
    await before.producer().send('t', { value: 'v' });
    const { logId } = await before.admin.describeLog();
    await remove();
    const after = await open();
    expect(await after.admin.listTopics()).toEqual([]);
    expect((await after.admin.describeLog()).logId).not.toBe(logId);
    await after.admin.createTopics(['t']);
    expect(await after.producer().send('t', { value: 'v' })).toMatchObject({ offset: 0 });
    await expect(before.admin.listTopics()).rejects.toMatchObject(DELETED);
    expect(await after.admin.listTopics()).toHaveLength(1);
  });

  test('takes groups, offsets and transactional ids along', async () => {
    const before = await open();
    await before.admin.createTopics(['t']);
    const first = before.producer({ transactionalId: 'copier' });
    await first.transaction((tx) => tx.send('t', { value: 'v' }));
    const consumer = before.consumer({ topics: ['t'], group: 'g', from: 'earliest' });
    for await (const message of consumer) {
      await message.commit();
      break;
    }
    await remove();
    const after = await open();
    expect(await after.admin.listGroups()).toEqual([]);
    await expect(after.admin.listGroupOffsets('g')).rejects.toMatchObject({
      code: 'GROUP_ID_NOT_FOUND',
    });
    await after.admin.createTopics(['t']);
    const second = after.producer({ transactionalId: 'copier' });
    await second.transaction((tx) => tx.send('t', { value: 'w' }));
    expect(await countOf(after, 't')).toBe(1);
  });

  test.each(['disk', 'memory'] as const)('ends what waits, of topics on %s', async (storage) => {
    const log = await open();
    const other = await open();
    const t = topic('t', { storage });
    await log.admin.createTopics([t]);
    const next = (consumer: AsyncIterable<unknown>): Promise<unknown> =>
      consumer[Symbol.asyncIterator]().next();
    const waiting = [log, other].flatMap((tab) => {
      return [
        next(tab.consumer({ topics: [t] })),
        tab
          .consumer({ topics: [t] })
          .batches()
          .next(),
        tab.consumer({ topics: [t] }).run({ eachMessage() {} }),
        next(tab.consumer({ topics: [t], group: 'g' })),
        next(tab.consumer({ topics: ['later'] })),
      ];
    });
    const lingering = log.producer({ lingerMs: AN_HOUR_MS }).send('t', { value: 'v' });
    let signal: AbortSignal | undefined;
    const transaction = other.producer().transaction((tx) => {
      ({ signal } = tx);
      return new Promise(() => {});
    });
    await settle();
    const ended = [...waiting, lingering, transaction].map((promise) =>
      expect(promise).rejects.toMatchObject(DELETED),
    );
    await eventually(() => expect(signal).toBeDefined());
    await remove();
    await Promise.all(ended);
    expect(signal!.reason).toMatchObject(DELETED);
  });

  test('is CLOSED from then on, and closes in peace', async () => {
    const log = await open();
    await log.admin.createTopics(['t']);
    const producer = log.producer();
    const consumer = log.consumer({ topics: ['t'], group: 'g', commit: 'manual' });
    await consumer.ready;
    await remove();
    await eventually(() => expect(() => log.producer()).toThrow(TablogError));
    expect(() => log.producer()).toThrow(expect.objectContaining(DELETED));
    expect(() => log.consumer({ topics: ['t'] })).toThrow(expect.objectContaining(DELETED));
    const calls = [
      producer.send('t', { value: 'v' }),
      producer.transaction(() => {}),
      consumer[Symbol.asyncIterator]().next(),
      consumer.run({ eachMessage() {} }),
      consumer.commit([]),
      consumer.seek('earliest'),
      log.admin.createTopics(['t']),
    ];
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(DELETED)));
    await producer.close();
    await consumer.close();
    await log.close();
    expect(await list()).toEqual([]);
  });

  test('tells a tab that does nothing', async () => {
    const log = await open();
    await remove();
    await eventually(() => expect(() => log.producer()).toThrow('was deleted'));
    expect(await list()).toEqual([]);
  });

  test('that is opened as it is deleted is the old one, closed, or the new one', async () => {
    await open();
    const opened = await Promise.all([open(), remove(), open(), remove(), open()]);
    for (const log of opened) {
      if (log === undefined) continue;
      const topics = await log.admin.listTopics().catch((error: unknown) => error);
      if (Array.isArray(topics)) expect(topics).toEqual([]);
      else expect(topics).toMatchObject(DELETED);
    }
    await expect((await open()).admin.listTopics()).resolves.toEqual([]);
  });

  test('is not made anew by a tab whose worker died before', async () => {
    const log = await open();
    const t = topic('t', { value: string() });
    await log.admin.createTopics([t]);
    await log.close();
    await remove();
    const fresh = place.host().open('shop').broker; // what such a tab reaches
    const calls = [
      fresh.listTopics(null),
      fresh.createTopics([{ name: 't', partitions: 1, config: {} }]),
      fresh.openLog({ logId: 'old' }),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject(DELETED);
    expect(await list()).toEqual([]);
    expect((await open()).name).toBe('shop');
    expect(await list()).toEqual(['shop']);
  });

  test('of another name stays', async () => {
    const [shop, other] = [await open(), await open('other')];
    await other.admin.createTopics(['t']);
    await remove();
    await expect(shop.admin.listTopics()).rejects.toMatchObject(DELETED);
    expect(await other.admin.listTopics()).toHaveLength(1);
  });
});

describe('what cannot be done', () => {
  test.each([
    ['a name', () => deleteLog('my log'), TypeError, '"my log"'],
    ['an option', () => deleteLog('shop', { force: true } as never), TypeError, '"force"'],
    ['a host', () => deleteLog('shop', { host: 'shared' as never }), TypeError, 'inline()'],
    ['a deadline', () => deleteLog('shop', { deadlineMs: 0 }), RangeError, '0'],
    ['a host to list', () => listLogs({ host: null as never }), TypeError, 'inline()'],
  ])('%s', async (_, call, kind, said) => {
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(said);
  });

  test('without IndexedDB', async () => {
    vi.unstubAllGlobals();
    await expect(deleteLog('shop')).rejects.toMatchObject({ code: 'NO_INDEXEDDB' });
    await expect(listLogs()).rejects.toMatchObject({ code: 'NO_INDEXEDDB' });
  });

  test('in a browser that does not list databases', async () => {
    vi.stubGlobal('indexedDB', { open() {} });
    await expect(listLogs()).rejects.toMatchObject({ code: 'LISTING_UNAVAILABLE' });
  });

  test.each([
    ['refuses', 'SecurityError', 'NO_INDEXEDDB'],
    ['fails', 'UnknownError', 'STORAGE_UNAVAILABLE'],
  ])('where the browser %s', async (_, name, code) => {
    const cause = new DOMException('denied', name);
    const refuse = (): never => {
      throw cause;
    };
    vi.stubGlobal('indexedDB', { deleteDatabase: refuse, databases: refuse });
    await expect(deleteLog('shop')).rejects.toMatchObject({ code, cause });
    await expect(listLogs()).rejects.toMatchObject({ code, cause });
  });

  test('where WebKit lists a database whose first upgrade was aborted', async () => {
    const databases = [
      { name: 'tablog/shop', version: 1 },
      { name: 'tablog/aborted', version: 0 },
    ];
    vi.stubGlobal('indexedDB', { databases: async () => databases });
    expect(await listLogs()).toEqual(['shop']);
  });

  test('where a look at IndexedDB is refused, as in Firefox', async () => {
    const refused = new DOMException('denied', 'SecurityError');
    vi.unstubAllGlobals();
    Object.defineProperty(globalThis, 'indexedDB', {
      configurable: true,
      get() {
        throw refused;
      },
    });
    onTestFinished(() => void Reflect.deleteProperty(globalThis, 'indexedDB'));
    const none = { code: 'NO_INDEXEDDB', cause: refused };
    await expect(deleteLog('shop')).rejects.toMatchObject(none);
    await expect(listLogs()).rejects.toMatchObject(none);
    await expect(openLog('shop')).rejects.toMatchObject(none);
  });

  test('where somebody keeps the database open', async () => {
    vi.stubGlobal('indexedDB', { deleteDatabase: () => new EventTarget() });
    await expect(deleteLog('shop', { deadlineMs: 1 })).rejects.toMatchObject({
      code: 'STORAGE_BLOCKED',
      details: { log: 'shop', deadlineMs: 1 },
    });
  });
});

test('databases of others are not listed', async () => {
  vi.stubGlobal('indexedDB', {
    databases: async () => [
      { name: 'tablog/b' },
      {},
      { name: 'dexie' },
      { name: 'tablog/' },
      { name: 'tablog/a' },
    ],
  });
  expect(await listLogs()).toEqual(['a', 'b']);
});
