import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { deleteLog, json, string, table, topic } from '../../../src/index.ts';
import type { Log, TableChange } from '../../../src/index.ts';
import { logWith, memoryHost, openTab, openTwoTabs } from '../../support/log-fixture.ts';
import { stubHost, stubbedLog } from '../../support/stub-broker.ts';
import { compactingHost, until } from './table-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';

const prices = topic('prices', { key: string(), value: json<number>(), cleanup: 'compact' });
const presence = topic('presence', { key: string(), value: string(), storage: 'memory' });

const send = async (log: Log, key: string, value: number | null): Promise<void> => {
  await log.producer().send(prices, { key, value });
};

describe('a table', () => {
  test('is a read-only map with the latest value of each key', async () => {
    const log = await logWith(prices);
    await send(log, 'a', 1);
    await send(log, 'b', 2);
    await send(log, 'a', 3);
    await send(log, 'b', null);
    await send(log, 'c', 4);
    const latest = table(log, prices);
    await latest.ready;
    expect(latest.get('a')).toBe(3);
    expect(latest.get('b')).toBeUndefined();
    expect([latest.has('a'), latest.has('b'), latest.size]).toEqual([true, false, 2]);
    expect(new Map(latest)).toEqual(new Map(latest.entries()));
    expect([...latest.keys()].sort()).toEqual(['a', 'c']);
    expect(new Set(latest.values())).toEqual(new Set([3, 4]));
  });

  test('is live, also with what other tabs send', async () => {
    const [log, other] = await openTwoTabs(prices);
    const latest = table(log, prices);
    await latest.ready;
    expect(latest.size).toBe(0);
    await send(other, 'a', 1);
    await until(latest, () => latest.get('a') === 1);
    await send(other, 'a', null);
    await until(latest, () => !latest.has('a'));
  });

  test('is empty until it is ready, and then has everything at once', async () => {
    const log = await logWith(prices);
    for (let i = 0; i < 5; i++) await send(log, `k${i}`, i);
    const latest = table(log, prices);
    const sizes: number[] = [];
    latest.subscribe((snapshot) => sizes.push(snapshot.size));
    await latest.ready;
    expect(sizes).toEqual([0, 5]);
  });

  test('passes over records without a key', async () => {
    const log = await logWith('plain');
    await log.producer().sendBatch('plain', [{ value: 'x' }, { key: 'k', value: 'y' }]);
    const latest = table(log, 'plain');
    await latest.ready;
    expect(latest.size).toBe(1);
    expect(latest.get('k')).toEqual(new TextEncoder().encode('y'));
  });

  test('knows keys by their bytes: text, bytes and objects', async () => {
    const byId = topic('by-id', { key: json<{ id: string }>(), value: string() });
    const log = await logWith('plain', byId);
    await log.producer().send('plain', { key: 'käse', value: 'v' });
    await log.producer().send('plain', { key: new Uint8Array([0xff, 0x80]), value: 'w' });
    await log.producer().send(byId, { key: { id: 'é' }, value: 'x' });
    const plain = table(log, 'plain');
    const objects = table(log, byId);
    await Promise.all([plain.ready, objects.ready]);
    expect(plain.has(new TextEncoder().encode('käse'))).toBe(true);
    expect(plain.has('käse')).toBe(true);
    expect(plain.has(new Uint8Array([0xff, 0x80]))).toBe(true);
    expect(plain.has(new Uint8Array([0xff, 0x81]))).toBe(false);
    expect(objects.get({ id: 'é' })).toBe('x');
    expect([...objects.keys()]).toEqual([{ id: 'é' }]);
    expect(() => objects.get(undefined as never)).toThrow(TypeError);
  });
});

describe('ready', () => {
  test('where nothing was ever stored, and where some partitions are empty', async () => {
    const wide = topic('wide', { key: string(), value: string(), partitions: 5 });
    const log = await logWith(prices, wide);
    await table(log, prices).ready;
    await log.producer().send(wide, { key: 'k', value: 'v' });
    const latest = table(log, wide);
    await latest.ready;
    expect(latest.get('k')).toBe('v');
  });

  test('where compaction has removed the last records', async () => {
    const host = compactingHost();
    const first = await openTab(host);
    await first.admin.createTopics([prices]);
    await send(first, 'a', 1);
    await send(first, 'b', 2);
    await send(first, 'b', null);
    await host.compact('prices');
    const log = await openTab(host); // what it reads is not remembered from before
    const consumer = log.consumer({ topics: [prices], from: 'earliest' });
    const { messages } = (await consumer.batches().next()).value!;
    expect(messages.map(({ offset }) => offset)).toEqual([0]); // of 3
    await consumer.close();
    const latest = table(log, prices);
    await latest.ready;
    expect([...latest]).toEqual([['a', 1]]);
    await send(log, 'a', null);
    await host.compact('prices');
    const empty = table(await openTab(host), prices);
    await empty.ready;
    expect(empty.size).toBe(0);
  });

  test('where the first records were deleted', async () => {
    const log = await logWith(prices);
    await send(log, 'a', 1);
    await send(log, 'b', 2);
    await log.admin.deleteRecords([{ topic: prices, partition: 0, before: 1 }]);
    const latest = table(log, prices);
    await latest.ready;
    expect([...latest.keys()]).toEqual(['b']);
    await log.admin.deleteRecords([{ topic: prices, partition: 0, before: 'latest' }]);
    const empty = table(log, prices);
    await empty.ready;
    expect(empty.size).toBe(0);
  });

  test('waits for a topic that does not exist yet', async () => {
    const log = await openTab();
    const latest = table(log, prices);
    let isReady = false;
    void latest.ready.then(() => (isReady = true));
    await settle();
    expect(isReady).toBe(false);
    await log.admin.createTopics([prices]);
    await latest.ready;
    await send(log, 'a', 1);
    await until(latest, () => latest.get('a') === 1);
  });

  test('rejects where the topic must exist and does not', async () => {
    const log = await openTab();
    const latest = table(log, prices, { mustExist: true });
    await expect(latest.ready).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(latest.error).toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });

  test('rejects when the table is closed before', async () => {
    const log = await openTab();
    const latest = table(log, prices);
    await latest.close();
    await expect(latest.ready).rejects.toMatchObject({ code: 'CLOSED' });
    expect(latest.error).toBeUndefined();
  });

  test('partitions that are added later are read, too', async () => {
    const log = await logWith(prices);
    const latest = table(log, prices);
    await latest.ready;
    await log.admin.createPartitions([{ topic: prices, partitions: 3 }]);
    await log.producer().send(prices, { key: 'a', value: 1, partition: 2 });
    await until(latest, () => latest.get('a') === 1);
  });
});

describe('who subscribes', () => {
  test('gets the table at once, and then each batch of changes', async () => {
    const log = await logWith(prices);
    await send(log, 'a', 1);
    const latest = table(log, prices);
    await latest.ready;
    const seen: [number, readonly TableChange<string, number>[]][] = [];
    const stop = latest.subscribe((snapshot, changes) => seen.push([snapshot.size, changes]));
    await log.producer().sendBatch(prices, [
      { key: 'a', value: 2 },
      { key: 'a', value: 3 },
      { key: 'b', value: 4 },
      { key: 'c', value: 5 },
      { key: 'c', value: null },
    ]);
    await until(latest, () => latest.has('b'));
    await send(log, 'a', null);
    await until(latest, () => !latest.has('a'));
    expect(seen).toEqual([
      [1, []],
      [
        2,
        [
          { key: 'a', value: 3, oldValue: 1 },
          { key: 'b', value: 4, oldValue: undefined },
        ],
      ],
      [1, [{ key: 'a', value: undefined, oldValue: 3 }]],
    ]);
    stop();
    await send(log, 'd', 6);
    await until(latest, () => latest.has('d'));
    expect(seen).toHaveLength(3);
  });

  test('may do so without `this`, twice, and stop within a call', async () => {
    const log = await logWith(prices);
    const { subscribe, snapshot, ready } = table(log, prices);
    await ready;
    let calls = 0;
    const listener = (): void => {
      calls++;
      if (calls > 2) for (const stop of stops) stop();
    };
    const stops = [subscribe(listener), subscribe(listener)];
    expect(calls).toBe(2);
    await send(log, 'a', 1);
    await eventually(() => expect(snapshot().size).toBe(1));
    expect(calls).toBe(3);
  });

  test('throws, and no other is kept from it', async () => {
    const log = await logWith(prices);
    const latest = table(log, prices);
    await latest.ready;
    const uncaught = vi.fn();
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', uncaught);
    onTestFinished(() => before.forEach((listener) => process.on('uncaughtException', listener)));
    let isTold = false;
    const mistake = new Error('a mistake');
    latest.subscribe((_, changes) => {
      if (changes.length > 0) throw mistake;
    });
    latest.subscribe((_, changes) => (isTold ||= changes.length > 0));
    await send(log, 'a', 1);
    await until(latest, () => isTold);
    await eventually(() => expect(uncaught).toHaveBeenCalledWith(mistake, 'uncaughtException'));
  });

  test('a snapshot is the same until something changes, and never changes', async () => {
    const log = await logWith(prices);
    const latest = table(log, prices);
    await latest.ready;
    const empty = latest.snapshot();
    expect(latest.snapshot()).toBe(empty);
    const snapshots = [empty];
    for (const value of [1, 2, 3, null, 4]) {
      await send(log, 'a', value);
      await until(latest, () => latest.get('a') === (value ?? undefined));
      snapshots.push(latest.snapshot());
    }
    expect(new Set(snapshots).size).toBe(6);
    expect(snapshots.map((snapshot) => snapshot.get('a'))).toEqual([
      undefined,
      1,
      2,
      3,
      undefined,
      4,
    ]);
    expect(snapshots.map(({ size }) => size)).toEqual([0, 1, 1, 1, 0, 1]);
  });
});

describe('what stops a table', () => {
  test('nothing of what passes: a connection that closes, a worker that dies', async () => {
    const host = stubHost(compactingHost());
    const log = await openTab(host);
    await log.admin.createTopics([prices]);
    await send(log, 'a', 1);
    const latest = table(log, prices);
    await latest.ready;
    let failures = 0;
    host.answer('fetch', (request, real) => {
      if (failures++ >= 3) return real(request);
      throw new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database');
    });
    await send(log, 'a', 2);
    await send(log, 'b', 3);
    await until(latest, () => latest.has('b'));
    expect(failures).toBeGreaterThan(3);
    expect([...latest]).toEqual([
      ['a', 2],
      ['b', 3],
    ]);
  });

  test('a topic that is deleted: what it had stays, and it says why', async () => {
    const log = await logWith(prices);
    await send(log, 'a', 1);
    const onError = vi.fn();
    const latest = table(log, prices, { onError });
    await latest.ready;
    const told = vi.fn();
    latest.subscribe(() => told(latest.error));
    await log.admin.deleteTopics([prices]);
    await eventually(() => expect(onError).toHaveBeenCalledOnce());
    expect(latest.error).toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(onError).toHaveBeenCalledWith(latest.error);
    expect(told.mock.calls).toEqual([[undefined], [latest.error]]);
    expect([...latest]).toEqual([['a', 1]]);
    await latest.close();
  });

  test('a record that cannot be decoded', async () => {
    const log = await logWith('prices');
    await log.producer().send('prices', { key: 'a', value: '1' });
    await log.producer().send('prices', { key: 'b', value: '{' });
    const latest = table(log, prices);
    await expect(latest.ready).rejects.toThrow();
    expect(latest.error).toMatchObject({ code: 'SERDE', details: { offset: 1 } });
  });

  test('an error that nobody has asked for is not silent', async () => {
    const log = await logWith(prices);
    const latest = table(log, prices);
    await latest.ready;
    const uncaught = new Promise((resolve) => {
      const before = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', resolve);
      onTestFinished(() => before.forEach((listener) => process.on('uncaughtException', listener)));
    });
    await log.admin.deleteTopics([prices]);
    expect(await uncaught).toBe(latest.error);
  });

  test('a log that is deleted', async () => {
    const host = memoryHost();
    const log = await openTab(host);
    await log.admin.createTopics([prices]);
    const latest = table(log, prices);
    const waiting = table(log, 'later');
    await latest.ready;
    const rejected = expect(waiting.ready).rejects.toMatchObject({ code: 'CLOSED' });
    await deleteLog(log.name, { host });
    await rejected;
    await eventually(() => expect(latest.error).toMatchObject({ details: { reason: 'deleted' } }));
  });

  test('closing it, its log, or by a signal', async () => {
    const log = await logWith(prices);
    await send(log, 'a', 1);
    const closing = new AbortController();
    const tables = [table(log, prices), table(log, prices, closing), table(log, prices)];
    await Promise.all(tables.map(({ ready }) => ready));
    const told = vi.fn();
    for (const each of tables) each.subscribe(told);
    await tables[0]!.close();
    await tables[0]!.close();
    closing.abort();
    await log.close();
    await Promise.all(tables.map((each) => each.close()));
    expect(told).toHaveBeenCalledTimes(3);
    for (const each of tables) expect([each.get('a'), each.error]).toEqual([1, undefined]);
    expect(() => table(log, prices)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  test.each([
    ['no log', () => table(undefined as never, prices), 'open log'],
    ['a topic', (log: Log) => table(log, 'no topic'), 'topic name'],
    ['a pattern', (log: Log) => table(log, /a/ as never), 'a topic is a name'],
    ['an option', (log: Log) => table(log, prices, { from: 0 } as never), '"from"'],
    ['a listener', (log: Log) => table(log, prices).subscribe(5 as never), 'function'],
  ])('a mistake, at once: %s', async (_, call, said) => {
    const log = await logWith(prices);
    expect(() => call(log)).toThrow(TypeError);
    expect(() => call(log)).toThrow(said);
  });
});

describe('records that are lost', () => {
  test('of a topic in memory, with its worker: the table goes on with what there is', async () => {
    const [holder, log] = await openTwoTabs(presence);
    await holder.admin.describeTopics([presence]);
    await holder.producer().send(presence, { key: 'a', value: 'here' });
    const latest = table(log, presence);
    await latest.ready;
    expect(latest.size).toBe(1);
    await holder.close();
    await log.producer().send(presence, { key: 'b', value: 'here' });
    await until(latest, () => latest.has('b'));
    expect([...latest.keys()]).toEqual(['b']);
  });

  test('with the tombstones that a frozen tab has missed: the table is read once more', async () => {
    const host = compactingHost();
    const other = await openTab(host, 'shop');
    await other.admin.createTopics([prices]);
    for (const key of ['a', 'b', 'c']) await send(other, key, 1);
    const stub = stubHost(host);
    const latest = table(await openTab(stub, 'shop'), prices);
    await latest.ready;
    const changes = vi.fn();
    latest.subscribe((_, changed) => changes(new Map(changed.map((c) => [c.key, c.value]))));
    const gate = stub.hold('fetch');
    await send(other, 'a', 2); // answers the fetch that waits
    await gate.arrived(1);
    await until(latest, () => latest.get('a') === 2);
    await send(other, 'b', null);
    await send(other, 'c', 3);
    await host.compact('prices');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 25 * 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    gate.open();
    await until(latest, () => latest.get('c') === 3);
    expect(new Map(latest)).toEqual(
      new Map([
        ['a', 2],
        ['c', 3],
      ]),
    );
    expect(changes).toHaveBeenLastCalledWith(
      new Map([
        ['a', 2],
        ['b', undefined],
        ['c', 3],
      ]),
    );
  });

  test('before they were read: what the table had of that partition goes', async () => {
    const { log, host } = await stubbedLog(prices);
    await send(log, 'a', 1);
    const latest = table(log, prices);
    await latest.ready;
    const gate = host.hold('fetch');
    await send(log, 'a', 2); // answers the fetch that waits
    await gate.arrived(1);
    await send(log, 'b', 3);
    await send(log, 'c', 4);
    await log.admin.deleteRecords([{ topic: prices, partition: 0, before: 3 }]);
    gate.open();
    await until(latest, () => latest.has('c'));
    expect([...latest]).toEqual([['c', 4]]);
  });
});
