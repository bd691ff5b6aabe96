import { afterEach, describe, expect, test, vi } from 'vitest';
import { TablogError, openLog, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { stubContext } from '../support/context.ts';
import {
  AN_HOUR_MS,
  countOf,
  memoryHost,
  numbered,
  openTab,
  openTwoTabs,
  readAll,
  take,
  texts,
} from '../support/log-fixture.ts';
import { stubHost, stubbedLog } from '../support/stub-broker.ts';
import { eventually } from '../support/waiting.ts';

test('a log has the name it was opened by', async () => {
  expect((await openTab(memoryHost(), 'shop.v2')).name).toBe('shop.v2');
});

test('logs of another name or another host are other logs', async () => {
  const host = memoryHost();
  const logs = [
    await openTab(host, 'a'),
    await openTab(host, 'b'),
    await openTab(memoryHost(), 'a'),
  ];
  await logs[0]!.admin.createTopics(['t']);
  const topics = await Promise.all(logs.map(async (log) => (await log.admin.listTopics()).length));
  expect(topics).toEqual([1, 0, 0]);
  const ids = await Promise.all(logs.map(async (log) => (await log.admin.describeLog()).logId));
  expect(new Set(ids).size).toBe(3);
});

test('what one tab stored is there for a tab that opens later', async () => {
  const host = memoryHost();
  const first = await openLog('shop', { host });
  await first.admin.createTopics(['t']);
  await first.producer().sendBatch('t', numbered(3));
  await first.close();
  const second = await openTab(host, 'shop');
  expect(texts(await readAll(second, 't'))).toEqual(['0', '1', '2']);
});

describe('the signal of openLog', () => {
  test('ends the opening, with its reason, and closes what was opened', async () => {
    const host = memoryHost();
    const stub = stubHost(host);
    let closes = 0;
    const gate = stub.hold('openLog');
    const counting = {
      open: (name: string) => {
        const opened = stub.open(name);
        return { broker: opened.broker, close: () => (closes++, opened.close()) };
      },
    };
    const abort = new AbortController();
    const opening = openLog('shop', { host: counting, signal: abort.signal });
    await gate.arrived(1);
    const reason = new Error('the user went on');
    abort.abort(reason);
    await expect(opening).rejects.toBe(reason);
    gate.open();
    await eventually(() => expect(closes).toBe(1));
  });

  test('opens nothing where it is aborted already', async () => {
    const stub = stubHost(memoryHost());
    const opening = openLog('shop', { host: stub, signal: AbortSignal.abort() });
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
    expect(stub.requests('openLog')).toEqual([]);
  });

  test('does nothing to a log that is open', async () => {
    const abort = new AbortController();
    const log = await openLog('shop', { host: memoryHost(), signal: abort.signal });
    abort.abort();
    await log.admin.createTopics(['t']);
    expect(await log.admin.listTopics()).toHaveLength(1);
    await log.close();
  });
});

describe('a log that cannot be opened', () => {
  afterEach(() => vi.unstubAllGlobals());

  test('says why', async () => {
    const cause = new Error('no');
    const opening = openLog('l', {
      host: {
        open() {
          throw cause;
        },
      },
    });
    await expect(opening).rejects.toBe(cause);
  });

  test('NO_INDEXEDDB where there is none', async () => {
    const opening = openLog('l', { host: inline() });
    await expect(opening).rejects.toBeInstanceOf(TablogError);
    await expect(opening).rejects.toMatchObject({ code: 'NO_INDEXEDDB', retriable: false });
  });

  test('LOCKS_UNAVAILABLE where a worker could not be watched', async () => {
    stubContext('indexedDB', 'Worker');
    const opening = openLog('l', { host: 'dedicated' });
    await expect(opening).rejects.toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
  });

  test.each([
    ['Node', [], undefined, 'NO_INDEXEDDB', "{ host: inline({ storage: 'memory' }) }"],
    ['a service worker', ['indexedDB'], undefined, 'NO_WORKER', '{ host: inline() }'],
    ['this context', ['indexedDB', 'Worker'], 'shared', 'NO_WORKER', "{ host: 'dedicated' }"],
    [
      'http://a',
      ['indexedDB', 'Worker'],
      undefined,
      'LOCKS_UNAVAILABLE',
      'https or from localhost',
    ],
  ] as const)('%s with %j: openLog names what works', async (where, has, host, code, next) => {
    stubContext(...has);
    if (where === 'a service worker') stubContext('ServiceWorkerGlobalScope');
    if (where !== 'Node') vi.stubGlobal('process', undefined);
    if (where === 'http://a') {
      vi.stubGlobal('isSecureContext', false);
      vi.stubGlobal('origin', where);
    }
    const opening = openLog('l', host === undefined ? {} : { host });
    const error = await opening.catch((thrown: unknown) => thrown);
    vi.unstubAllGlobals();
    expect(error).toMatchObject({ code, retriable: false });
    expect((error as Error).message).toContain(next);
    expect((error as Error).message).toContain(where);
  });
});

describe('close', () => {
  test('flushes every producer', async () => {
    const host = memoryHost();
    const log = await openLog('shop', { host });
    await log.admin.createTopics(['t']);
    const producers = [
      log.producer({ lingerMs: AN_HOUR_MS }),
      log.producer({ lingerMs: AN_HOUR_MS }),
    ];
    const sent = producers.map((producer) => producer.sendBatch('t', numbered(5)));
    await log.close();
    await Promise.all(sent);
    expect(await countOf(await openTab(host, 'shop'), 't')).toBe(10);
  });

  test('is idempotent, at once and later', async () => {
    let closes = 0;
    const real = memoryHost();
    const log = await openLog('shop', {
      host: {
        open(name) {
          const opened = real.open(name);
          return {
            broker: opened.broker,
            close() {
              closes++;
              opened.close();
            },
          };
        },
      },
    });
    await Promise.all([log.close(), log.close()]);
    await log.close();
    expect(closes).toBe(1);
  });

  test('leaves the other tab alone', async () => {
    const [first, second] = await openTwoTabs('t');
    await first.close();
    await second.producer().send('t', { value: 'v' });
    expect(await countOf(second, 't')).toBe(1);
  });

  test('settles what is under way', async () => {
    const { log, host } = await stubbedLog('t');
    const gate = host.hold('produce');
    const sent = log.producer().send('t', { value: 'v' });
    await gate.arrived(1);
    const closing = log.close();
    gate.open();
    await closing;
    expect(await sent).toMatchObject({ offset: 0 });
  });
});

describe('after close everything is CLOSED', () => {
  const CALLS: [string, (log: Log) => Promise<unknown>][] = [
    ['createTopics', ({ admin }) => admin.createTopics(['t'])],
    ['deleteTopics', ({ admin }) => admin.deleteTopics(['t'])],
    ['listTopics', ({ admin }) => admin.listTopics()],
    ['describeTopics', ({ admin }) => admin.describeTopics(['t'])],
    ['createPartitions', ({ admin }) => admin.createPartitions([{ topic: 't', partitions: 2 }])],
    ['alterTopics', ({ admin }) => admin.alterTopics([{ topic: 't', config: {} }])],
    ['listOffsets', ({ admin }) => admin.listOffsets([{ topic: 't', at: 'latest' }])],
    ['describeLog', ({ admin }) => admin.describeLog()],
    [
      'exportPartition',
      (log) => log.admin.exportPartition({ topic: 't', partition: 0 }).getReader().read(),
    ],
    ['listGroups', ({ admin }) => admin.listGroups()],
  ];

  test('a new producer and a new consumer, at once', async () => {
    const log = await openTab();
    void log.close();
    const isClosed = expect.objectContaining({ name: 'TablogError', code: 'CLOSED' });
    expect(() => log.producer()).toThrow(isClosed);
    expect(() => log.consumer({ topics: ['t'] })).toThrow(isClosed);
  });

  test.each(CALLS)('%s', async (_, call) => {
    const [log, other] = await openTwoTabs(topic('t'));
    await log.producer().send('t', { value: 'v' });
    await log.close();
    await expect(call(log)).rejects.toMatchObject({ name: 'TablogError', code: 'CLOSED' });
    expect(await countOf(other, 't')).toBe(1);
  });

  test('producers and consumers that it had', async () => {
    const log = await openTab();
    await log.admin.createTopics(['t']);
    const producer = log.producer();
    const consumer = log.consumer({ topics: ['t'] });
    await consumer.ready;
    await log.close();
    await expect(producer.send('t', { value: 'v' })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(consumer.seek('earliest')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await take(consumer, 1)).toEqual([]);
    await producer.flush();
    await producer.close();
    await consumer.close();
  });
});

test('await using closes log, producer and consumer', async () => {
  const host = memoryHost();
  let kept: Log;
  {
    await using log = await openLog('shop', { host });
    await log.admin.createTopics(['t']);
    await using producer = log.producer({ lingerMs: AN_HOUR_MS });
    await using consumer = log.consumer({ topics: ['t'] });
    await consumer.ready;
    void producer.send('t', { value: 'v' });
    kept = log;
  }
  await expect(kept.admin.listTopics()).rejects.toMatchObject({ code: 'CLOSED' });
  expect(await countOf(await openTab(host, 'shop'), 't')).toBe(1);
});
