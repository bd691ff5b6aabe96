import { describe, expect, test, vi } from 'vitest';
import { bytes, json, string, topic } from '../../../src/index.ts';
import type { HeadersInput, Message } from '../../../src/index.ts';
import { logWith, numbered, openTwoTabs, readAll, take, texts } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';

const orders = topic('orders', { key: string(), value: json<{ id: string }>(), partitions: 2 });

test('send resolves with the place of the record', async () => {
  const log = await logWith(orders);
  const producer = log.producer();
  const record = { key: 'u1', value: { id: 'o1' }, partition: 1, timestamp: 1_700_000_000_000 };
  expect(await producer.send(orders, record)).toEqual({
    topic: 'orders',
    partition: 1,
    offset: 0,
    timestamp: 1_700_000_000_000,
  });
  expect(await producer.send(orders, record)).toMatchObject({ partition: 1, offset: 1 });
  expect(await producer.send(orders, { ...record, partition: 0 })).toMatchObject({ offset: 0 });
});

test('what was sent is what is read', async () => {
  const log = await logWith(orders);
  await log.producer().send(orders, { key: 'u1', value: { id: 'ö' } });
  const [message] = await readAll(log, orders);
  expect(message).toMatchObject({ topic: 'orders', offset: 0, key: 'u1', value: { id: 'ö' } });
});

test('two tabs never get the same offset', async () => {
  const [first, second] = await openTwoTabs('t');
  const producers = [first.producer(), second.producer()];
  const placed = await Promise.all(
    numbered(200).map((record, i) => producers[i % 2]!.send('t', record)),
  );
  const offsets = placed.map(({ offset }) => offset).sort((a, b) => a - b);
  expect(offsets).toEqual(Array.from({ length: 200 }, (_, i) => i));
});

test('null is a tombstone and no key, and differs from empty', async () => {
  const log = await logWith('t');
  const producer = log.producer();
  await producer.send('t', { key: 'k', value: null });
  await producer.send('t', { key: '', value: '' });
  await producer.send('t', { key: null, value: 'v' });
  const [tombstone, empty, keyless] = await readAll(log, 't');
  expect(tombstone!.value).toBeNull();
  expect(empty).toMatchObject({ key: new Uint8Array(), value: new Uint8Array() });
  expect(keyless!.key).toBeNull();
});

describe('headers', () => {
  const bytes = Uint8Array.of(0, 255);
  const text = (name: string, value: string): unknown => [name, new TextEncoder().encode(value)];

  test.each<[string, HeadersInput, unknown[]]>([
    ['none', {}, []],
    ['an object', { a: '1', b: bytes }, [text('a', '1'), ['b', bytes]]],
    ['null', { a: null }, [['a', null]]],
    ['a Map', new Map([['a', '1']]), [text('a', '1')]],
    ['__proto__', JSON.parse('{"__proto__":"x"}') as HeadersInput, [text('__proto__', 'x')]],
    ['empty', { '': '' }, [text('', '')]],
    [
      'pairs with duplicates',
      [
        ['b', '2'],
        ['a', '1'],
        ['b', null],
      ],
      [text('b', '2'), text('a', '1'), ['b', null]],
    ],
  ])('%s', async (_, headers, expected) => {
    const log = await logWith('t');
    await log.producer().send('t', { value: 'v', headers });
    const [message] = await readAll(log, 't');
    expect(message!.headers).toEqual(expected);
  });

  test('header() is the last of its name, as text', async () => {
    const log = await logWith('t');
    const headers = [
      ['a', 'first'],
      ['a', 'läst'],
      ['b', null],
    ] as const;
    await log.producer().send('t', { value: 'v', headers });
    const [message] = await readAll(log, 't');
    const names = ['a', 'b', 'c'];
    expect(names.map((name) => message!.header(name))).toEqual(['läst', undefined, undefined]);
  });
});

describe('timestamps', () => {
  const stamped = async (timestamp?: number | Date): Promise<Message> => {
    const log = await logWith('t');
    const placed = await log.producer().send('t', { value: 'v', ...(timestamp && { timestamp }) });
    const [message] = await readAll(log, 't');
    expect(placed.timestamp).toBe(message!.timestamp);
    return message!;
  };

  test('a number', async () => expect((await stamped(1234)).timestamp).toBe(1234));
  test('a Date', async () => expect((await stamped(new Date(1234))).timestamp).toBe(1234));

  test('now', async () => {
    const before = Date.now();
    const { timestamp } = await stamped();
    expect(timestamp).toBeGreaterThanOrEqual(before);
    expect(timestamp).toBeLessThanOrEqual(Date.now());
  });

  test("a topic with timestampType 'append' has the time of storing", async () => {
    const log = await logWith(topic('t', { timestampType: 'append' }));
    const before = Date.now();
    const placed = await log.producer().send('t', { value: 'v', timestamp: 1234 });
    const [message] = await readAll(log, 't');
    expect(placed.timestamp).toBeGreaterThanOrEqual(before);
    expect(message!.timestamp).toBe(placed.timestamp);
  });
});

test('gzip is read back as it was, and takes less room', async () => {
  const log = await logWith('plain', 'gzip');
  const records = numbered(500).map(({ value }) => ({ key: value, value: value.repeat(20) }));
  await log.producer().sendBatch('plain', records);
  await log.producer({ compression: 'gzip' }).sendBatch('gzip', records);
  expect(texts(await readAll(log, 'gzip'))).toEqual(records.map(({ value }) => value));
  const [plain, gzip] = await Promise.all(
    ['plain', 'gzip'].map(
      async (name) => (await log.admin.describeTopics([name]))[0].partitions[0]!.bytes,
    ),
  );
  expect(gzip).toBeLessThan(plain! / 4);
});

test.each(['relaxed', 'strict'] as const)(
  'durability %s reaches the broker',
  async (durability) => {
    const { log, host } = await stubbedLog('t');
    await log.producer({ durability, compression: 'gzip' }).send('t', { value: 'v' });
    expect(host.requests('produce')).toMatchObject([
      { durability, appends: [{ compression: 'gzip' }] },
    ]);
  },
);

describe('bytes that are used again after send', () => {
  test('are stored as they were', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    await producer.send('t', { value: 'the topic is known now' });
    const value = Uint8Array.of(65);
    const sent = producer.send('t', { value });
    value[0] = 66;
    await sent;
    expect(texts(await readAll(log, 't')).at(-1)).toBe('A');
  });

  test('also while the topic is looked up', async () => {
    const log = await logWith('t');
    const value = Uint8Array.of(65);
    const sent = log.producer().send('t', { value });
    value[0] = 66;
    await sent;
    expect(texts(await readAll(log, 't'))).toEqual(['A']);
  });
});

test.each([
  ['a plain name', 'orders'],
  ['a topic without serdes', topic('orders')],
  ['a topic with one for the value', topic('orders', { value: bytes() })],
  ['a topic with one for the key', topic('orders', { key: string() })],
])('%s takes text or bytes where there is no serde, and gives bytes', async (_, plain) => {
  const log = await logWith('orders');
  const value = new TextEncoder().encode('v');
  await log.producer().send(plain, { key: 'é', value });
  const [message] = await readAll(log, topic('orders'));
  expect(message!.key).toEqual(new TextEncoder().encode('é'));
  expect(message!.value).toEqual(value);
  if (plain === 'orders') await log.producer().send(plain, { key: value, value: 'v' });
});

test('the value is encoded at the call', async () => {
  const log = await logWith(orders);
  const value = { id: 'before' };
  const encode = vi.fn<() => string>(() => JSON.stringify(value));
  const counted = topic('orders', { value: { encode, decode: () => value } });
  const sent = log.producer().send(counted, { value, partition: 0 });
  expect(encode).toHaveBeenCalledOnce();
  value.id = 'after';
  await sent;
  expect((await take(log.consumer({ topics: [orders], from: 'earliest' }), 1))[0]!.value).toEqual({
    id: 'before',
  });
});
