import { describe, expect, test } from 'vitest';
import type {
  Connector,
  SinkBatch,
  SinkErrorKind,
  SinkRecord,
  SinkSource,
} from '../../src/connect.ts';
import { json, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { kafkaRestSink } from '../../src/kafka.ts';
import type { KafkaEnvelope, KafkaRestSinkOptions } from '../../src/kafka.ts';
import { sleep, systemClock } from '../../src/platform/clock.ts';
import { Random } from '../checker/random.ts';
import { openTab, openTwoTabs, logWith, memoryHost, readAll } from '../support/log-fixture.ts';
import { lengthOf, seedsOf } from '../support/seeds.ts';
import { eventually } from '../support/waiting.ts';
import { connected, events, send, upTo } from './connector-fixture.ts';
import { RestProxy } from './rest-proxy.ts';
import type { Fault } from './rest-proxy.ts';

const source: SinkSource = {
  id: 'server/a1-b2/0',
  connector: 'server',
  log: 'shop',
  topic: 'orders',
  partition: 0,
};
const { signal } = new AbortController();
const context = { signal };
type Options = Partial<KafkaRestSinkOptions>;

function sinkTo(proxy: RestProxy, options: Options = {}): ReturnType<typeof kafkaRestSink> {
  return kafkaRestSink({ url: 'https://proxy.test/', fetch: proxy.fetch, ...options });
}

function recordOf(offset: number, value: unknown = offset): SinkRecord {
  return {
    id: `a1-b2-0-${offset}`,
    topic: 'orders',
    offset,
    timestamp: 1_700_000_000_000,
    key: null,
    value,
    headers: [],
  };
}

/** A batch of numbers, each its own offset. */
function batchOf(from: number, to: number): SinkBatch {
  const records = Array.from({ length: to - from }, (_, i) => recordOf(from + i));
  return { source, from, to, records };
}

/** What a reader of Kafka gets. */
function storedIn(proxy: RestProxy, name: string = 'orders', partition: number = 0): unknown[] {
  return proxy.values<KafkaEnvelope>(name, partition).map(({ value }) => value);
}

function withoutRepeats(proxy: RestProxy, name: string, partition: number = 0): unknown[] {
  const byId = new Map<string, unknown>();
  for (const { id, value } of proxy.values<KafkaEnvelope>(name, partition)) {
    if (!byId.has(id)) byId.set(id, value);
  }
  return [...byId.values()];
}

/** The position that another tab is told, whose group has committed `next`. */
async function toldTo(proxy: RestProxy, next: number, options: Options = {}): Promise<unknown> {
  return sinkTo(proxy, options).position!(source, { signal, next });
}

const failing = (...failed: readonly (readonly [number, number])[]): Fault => ({
  failed: new Map(failed),
});

async function failureOf(put: unknown): Promise<unknown> {
  return Promise.resolve(put).then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
}

describe('a record in Kafka', () => {
  test('is an envelope, by which a reader knows it again', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const record = { ...recordOf(5, new Uint8Array([0xff])), key: 'k' };
    const put = sinkTo(proxy).put(
      { source, from: 3, to: 8, records: [record, recordOf(6)] },
      context,
    );
    expect(await put).toBe(8);
    expect(proxy.values('orders')).toEqual([
      {
        id: 'a1-b2-0-5',
        source: 'server/a1-b2/0',
        topic: 'orders',
        offset: 5,
        timestamp: 1_700_000_000_000,
        key: 'k',
        value: { base64: '/w==' },
        headers: [],
        range: [3, 3, 6],
      },
      expect.objectContaining({ id: 'a1-b2-0-6', value: 6, range: [3, 6, 8] }),
    ]);
    expect(proxy.topics.get('orders')![0]![0]!.key).toBe(btoa('"k"'));
  });

  test('is an envelope as bytes, in the format binary', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const records = [{ ...recordOf(0, 'é'), key: 'k' }];
    const sink = sinkTo(proxy, { format: 'binary' });
    await sink.put({ source, from: 0, to: 1, records }, context);
    expect(proxy.values('orders')).toEqual([expect.objectContaining({ key: 'k', value: 'é' })]);
    expect(proxy.topics.get('orders')![0]![0]!.key).toBe(btoa('k'));
    expect(await toldTo(proxy, 0)).toBe(1);
  });

  test.each<[KafkaRestSinkOptions['format'], readonly (string | null)[]]>([
    ['json', ['"text"', '{"a":1}', '{"base64":"/w=="}', null]],
    ['binary', ['text', '{"a":1}', '�', null]],
  ])('is the value alone where that is asked for: %s', async (format, texts) => {
    const proxy = new RestProxy({ orders: 1 });
    const values = ['text', { a: 1 }, new Uint8Array([0xff]), null];
    const records = values.map((value, i) => recordOf(i, value));
    const sink = sinkTo(proxy, { format: format!, value: 'raw' });
    expect(await sink.put({ source, from: 0, to: 4, records }, context)).toBe(4);
    expect(proxy.texts('orders')).toEqual(texts);
  });

  test('goes to the topic and partition of the options', async () => {
    const proxy = new RestProxy({ 'shop.orders': 3 });
    const sink = sinkTo(proxy, { topic: ({ log, topic: name }) => `${log}.${name}`, partition: 2 });
    await sink.put(batchOf(0, 2), context);
    expect(storedIn(proxy, 'shop.orders', 2)).toEqual([0, 1]);
    expect(
      await sinkTo(proxy, { topic: 'shop.orders', partition: () => 2 }).position!(source, {
        signal,
        next: 0,
      }),
    ).toBe(2);
  });

  test('goes to the topic that a transform gives it, run by run, without reading back', async () => {
    const proxy = new RestProxy({ orders: 1, refunds: 1 });
    const records = [recordOf(0), recordOf(1), { ...recordOf(2), topic: 'refunds' }, recordOf(3)];
    const batch = { source, from: 0, to: 4, records };
    const sink = sinkTo(proxy, { readBack: false });
    expect(await sink.put(batch, context)).toBe(2);
    expect(await sink.put({ ...batch, from: 2, records: records.slice(2) }, context)).toBe(3);
    expect([storedIn(proxy), storedIn(proxy, 'refunds')]).toEqual([[0, 1], [2]]);
    const twice = {
      ...batch,
      from: 2,
      records: [records[2]!, { ...recordOf(2), topic: 'orders' }],
    };
    await expect(sink.put(twice, context)).rejects.toMatchObject({
      kind: 'fatal',
      message: /several topics/,
    });
    const reading = sinkTo(proxy).put({ ...batch, from: 2, records: records.slice(2) }, context);
    await expect(reading).rejects.toMatchObject({
      kind: 'fatal',
      message: /routes offset 2 to the topic 'refunds'.*readBack: false/,
    });
  });

  test('goes with as many others as fit into a body, and a larger one alone', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const sink = sinkTo(proxy, { value: 'raw', maxBytes: 120 });
    const records = ['a', 'b', 'x'.repeat(200), 'c'].map((value, i) => recordOf(i, value));
    const positions: number[] = [];
    for (let from = 0; from < 4;) {
      const batch = { source, from, to: 4, records: records.slice(from) };
      positions.push((from = (await sink.put(batch, context))!));
    }
    expect(positions).toEqual([2, 3, 4]);
    expect(proxy.values('orders')).toEqual(['a', 'b', 'x'.repeat(200), 'c']);
  });

  test('that is no JSON is refused', async () => {
    const records = [recordOf(0), recordOf(1, { big: 5n })];
    const put = sinkTo(new RestProxy({ orders: 1 })).put(
      { source, from: 0, to: 2, records },
      context,
    );
    await expect(put).rejects.toMatchObject({ kind: 'refused', offset: 1 });
  });
});

describe('reading back', () => {
  test('finds what was stored, and no more', async () => {
    const proxy = new RestProxy({ orders: 1 });
    expect(await toldTo(proxy, 0)).toBeUndefined();
    await sinkTo(proxy).put(batchOf(0, 20), context);
    expect(await toldTo(proxy, 0)).toBe(20);
    expect(await toldTo(proxy, 19)).toBe(20);
    expect(proxy.consumers).toBe(0);
  });

  test('tells nothing where the group has committed as much: no refused record comes again', async () => {
    const proxy = new RestProxy({ orders: 1 });
    await sinkTo(proxy).put(batchOf(0, 5), context);
    expect(await toldTo(proxy, 5)).toBeUndefined();
    expect(await toldTo(proxy, 8)).toBeUndefined();
  });

  test('does not pass over a record that has failed in the middle of a request', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const sink = sinkTo(proxy);
    proxy.faults.push(failing([2, 50_003]));
    await expect(sink.put(batchOf(0, 4), context)).rejects.toMatchObject({ kind: 'retry' });
    expect(storedIn(proxy)).toEqual([0, 1, 3]);
    expect(await toldTo(proxy, 0)).toBe(2);
    expect(await sink.position!(source, { signal, next: 0 })).toBe(2);
    await sink.put(batchOf(2, 4), context);
    expect(await toldTo(proxy, 0)).toBe(4);
    expect(withoutRepeats(proxy, 'orders')).toEqual([0, 1, 3, 2]);
  });

  test('does not pass over it where only what is behind it is read', async () => {
    const proxy = new RestProxy({ orders: 1 });
    proxy.faults.push(failing([0, 50_003]));
    await failureOf(sinkTo(proxy).put(batchOf(4, 6), context));
    expect(storedIn(proxy)).toEqual([5]);
    expect(await toldTo(proxy, 0)).toBe(4);
  });

  test('passes over what was filtered, and not over one of several that a transform has made', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const twins = ['a', 'b', 'c'].map((value, i) => ({ ...recordOf(3, value), id: `x.${i}` }));
    const batch = { source, from: 0, to: 9, records: [recordOf(1), ...twins, recordOf(6)] };
    proxy.faults.push(failing([2, 50_003]));
    await failureOf(sinkTo(proxy).put(batch, context));
    expect(await toldTo(proxy, 0)).toBe(3);
    await sinkTo(proxy).put({ ...batch, from: 3, records: batch.records.slice(1) }, context);
    expect(await toldTo(proxy, 0)).toBe(9);
  });

  test('looks at its own records alone, among those of others', async () => {
    const proxy = new RestProxy({ orders: 1 });
    await sinkTo(proxy).put(batchOf(0, 3), context);
    const other = { ...source, id: 'server/c3-d4/0' };
    await sinkTo(proxy).put({ ...batchOf(0, 9), source: other }, context);
    const partition = proxy.topics.get('orders')![0]!;
    for (const value of [null, btoa('{'), btoa('null'), btoa('{"source":"server/a1-b2/0"}')]) {
      partition.push({ key: null, value });
    }
    expect(await toldTo(proxy, 0)).toBe(3);
  });

  test('leaves it to the group where others have written too much', async () => {
    const proxy = new RestProxy({ orders: 1 });
    await sinkTo(proxy).put(batchOf(0, 3), context);
    const partition = proxy.topics.get('orders')![0]!;
    for (let i = 0; i < 10; i++) partition.push({ key: null, value: btoa('1') });
    expect(await toldTo(proxy, 0, { readBackRecords: 10 })).toBeUndefined();
    expect(await toldTo(proxy, 0, { readBackRecords: 13 })).toBe(3);
  });

  test('begins at what this tab knows to be stored', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const sink = sinkTo(proxy);
    await sink.put(batchOf(0, 100), context);
    proxy.faults.push('answerLost');
    await failureOf(sink.put(batchOf(100, 102), context));
    const before = proxy.requests.length;
    expect(await sink.position!(source, { signal, next: 100 })).toBe(102);
    const fetches = proxy.requests.slice(before).filter((each) => each.endsWith('/records'));
    expect(fetches).toHaveLength(2); // the first one is empty
  });

  test('passes over no request of which it sees the end alone', async () => {
    const proxy = new RestProxy({ orders: 1 });
    await sinkTo(proxy).put(batchOf(0, 3), context);
    await sinkTo(proxy).put(batchOf(3, 6), context);
    proxy.beginning = 2; // retention
    expect(await toldTo(proxy, 0)).toBe(6);
    proxy.beginning = 5;
    expect(await toldTo(proxy, 0)).toBe(3);
    proxy.beginning = 6;
    expect(await toldTo(proxy, 0)).toBeUndefined();
  });

  test('ends where the last offsets have no records', async () => {
    const proxy = new RestProxy({ orders: 1 });
    await sinkTo(proxy).put(batchOf(0, 3), context);
    proxy.markers = 2;
    expect(await toldTo(proxy, 0)).toBe(3);
  });

  test('leaves no consumer behind, also where it was aborted', async () => {
    const proxy = new RestProxy({ orders: 1 });
    await sinkTo(proxy).put(batchOf(0, 3), context);
    const aborter = new AbortController();
    proxy.delay = async () => {
      if (proxy.requests.at(-1)!.endsWith('/positions')) aborter.abort();
    };
    const next = 0;
    const reading = sinkTo(proxy).position!(source, { signal: aborter.signal, next });
    await expect(reading).rejects.toMatchObject({ kind: 'retry' });
    expect(proxy.requests.at(-1)).toMatch(/^DELETE /);
    expect(proxy.consumers).toBe(0);
  });

  test('is what a proxy without assignments cannot do: says so', async () => {
    const proxy = new RestProxy({ orders: 1 });
    proxy.hasAssignments = false;
    await expect(toldTo(proxy, 0)).rejects.toMatchObject({
      kind: 'fatal',
      message: /assignments and positions, or set readBack: false/,
    });
    expect(await toldTo(proxy, 0, { readBack: false })).toBeUndefined();
  });

  test('says what to do where the proxy does not know its own consumer', async () => {
    const proxy = new RestProxy({ orders: 1 });
    await sinkTo(proxy).put(batchOf(0, 3), context);
    proxy.delay = async () => {
      if (proxy.requests.at(-1)!.endsWith('/positions')) proxy.forgetConsumers();
    };
    await expect(toldTo(proxy, 0)).rejects.toMatchObject({
      kind: 'retry',
      message: /answered 404: .*a load balancer has to send/,
    });
  });

  test.each<[string, Response, SinkErrorKind, RegExp]>([
    [
      '403',
      Response.json({ error_code: 40_301 }, { status: 403 }),
      'unauthorized',
      /who produces has to be allowed to read/,
    ],
    [
      'an unknown topic',
      Response.json({ error_code: 40_401 }, { status: 404 }),
      'fatal',
      /create the topic in Kafka/,
    ],
    [
      '429',
      new Response(null, { status: 429, headers: { 'retry-after': '7' } }),
      'retry',
      /answered 429/,
    ],
    ['a page', new Response('<h1>Sign in</h1>'), 'retry', /is it the URL of a REST proxy/],
    ['400', new Response(null, { status: 400 }), 'fatal', /answered 400/],
  ])('fails with %s', async (_, answer, kind, message) => {
    const proxy = new RestProxy({ orders: 1 });
    proxy.readFaults.push(answer);
    await expect(toldTo(proxy, 0)).rejects.toMatchObject({ kind, message });
  });
});

describe('an answer', () => {
  test.each<[string, number, number | undefined, SinkErrorKind, RegExp]>([
    ['an unknown topic', 404, 40_401, 'fatal', /create the topic in Kafka, and call restart\(\)/],
    ['an unknown partition', 404, 40_402, 'fatal', /as many partitions.*or pass `partition`/],
    ['another 404', 404, undefined, 'retry', /answered 404/],
    ['a bad request', 400, 400, 'refused', /answered 400/],
    ['what is no value', 422, 42_203, 'refused', /42203/],
    ['too much', 413, 413, 'refused', /answered 413/],
    ['another content type', 415, 415, 'fatal', /REST v2 dialect in this `format`/],
    ['nobody', 401, 40_101, 'unauthorized', /40101/],
    ['somebody else', 403, 40_301, 'unauthorized', /40301/],
    ['408', 408, undefined, 'retry', /408/],
    ['429', 429, 42_901, 'retry', /42901/],
    ['500', 500, 50_002, 'retry', /50002/],
    ['503', 503, undefined, 'retry', /503/],
    ['405', 405, undefined, 'fatal', /405/],
  ])('of the request: %s', async (_, status, code, kind, message) => {
    const proxy = new RestProxy({ orders: 1 });
    const body = code === undefined ? '' : JSON.stringify({ error_code: code, message: 'no' });
    proxy.faults.push(new Response(body, { status }));
    const put = sinkTo(proxy).put(batchOf(0, 2), context);
    await expect(put).rejects.toMatchObject({ kind, message, offset: undefined });
  });

  test.each<[string, object, SinkErrorKind]>([
    ['retriable', { error_code: 50_003, error: 'no' }, 'retry'],
    ['retriable, of Karapace', { error_code: 2, error: 'no' }, 'retry'],
    [
      'a time-out, of Karapace',
      { error_code: 1, error: 'timed out waiting to publish message' },
      'retry',
    ],
    ['refused, of Karapace', { error_code: 1, error: 'MessageSizeTooLargeError' }, 'refused'],
    ['not retriable', { error_code: 50_002, error: 'too large' }, 'refused'],
    ['a failure, of Strimzi', { error_code: 500, message: 'no' }, 'retry'],
    ['an unknown topic, of Strimzi', { error_code: 404, message: 'no' }, 'fatal'],
    ['nobody', { error_code: 40_101, error: 'no' }, 'unauthorized'],
    ['somebody else', { error_code: 40_301, error: 'no' }, 'unauthorized'],
    ['no code', { error: 'no' }, 'retry'],
  ])('of a record: %s', async (_, told, kind) => {
    const proxy = new RestProxy({ orders: 1 });
    proxy.faults.push(Response.json({ offsets: [told, { partition: 0, offset: 7 }] }));
    await expect(sinkTo(proxy).put(batchOf(5, 7), context)).rejects.toMatchObject({
      kind,
      message: /for offset 5: /,
      offset: kind === 'refused' ? 5 : undefined,
    });
  });

  test.each([
    ['a page', '<h1>Sign in</h1>'],
    ['fewer records', '{"offsets":[{"partition":0,"offset":1}]}'],
    ['records without offsets', '{"offsets":[{},{"offset":1}]}'],
    ['nothing of records', '{"offsets":[null,null]}'],
  ])('200 with %s is no delivery', async (_, body) => {
    const proxy = new RestProxy({ orders: 1 });
    proxy.faults.push(new Response(body));
    await expect(sinkTo(proxy).put(batchOf(0, 2), context)).rejects.toMatchObject({
      kind: 'retry',
      message: /without the offsets of 2 records: is it the URL of a REST proxy/,
    });
  });

  test('says when to come again', async () => {
    const proxy = new RestProxy({ orders: 1 });
    proxy.faults.push(new Response(null, { status: 429, headers: { 'retry-after': '7' } }));
    const put = sinkTo(proxy).put(batchOf(0, 1), context);
    await expect(put).rejects.toMatchObject({ kind: 'retry', retryAfterMs: 7_000 });
  });

  test('that refuses a record moves up to it first, and names it then', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const sink = sinkTo(proxy);
    proxy.faults.push(failing([1, 50_002]), failing([0, 50_002]));
    expect(await sink.put(batchOf(0, 3), context)).toBe(1);
    await expect(sink.put(batchOf(1, 3), context)).rejects.toMatchObject({
      kind: 'refused',
      offset: 1,
    });
  });

  test('of nobody who is signed in sends nothing', async () => {
    const proxy = new RestProxy({ orders: 1 });
    const put = sinkTo(proxy, { auth: () => null }).put(batchOf(0, 1), context);
    await expect(put).rejects.toMatchObject({ kind: 'unauthorized', message: /log 'shop'/ });
    expect(proxy.requests).toEqual([]);
  });
});

describe('a connector to Kafka', () => {
  const kafka = (): RestProxy => new RestProxy({ events: 1 });

  test.each<[string, Options, unknown[]]>([
    ['nothing twice, with reading back', {}, upTo(10)],
    // Shows that the fault is one, and what the sink promises without.
    ['what was lost twice, without', { readBack: false }, [...upTo(5), ...upTo(10)]],
  ])('stores after a lost answer %s', async (_, options, stored) => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const proxy = kafka();
    proxy.faults.push('answerLost');
    const connector = connected(log, sinkTo(proxy, options), { maxRecords: 5 });
    await eventually(() => storedIn(proxy, 'events').length >= stored.length);
    await connector.drain();
    expect(storedIn(proxy, 'events')).toEqual(stored);
  });

  test('goes on in another tab behind what the first one has stored and not committed', async () => {
    const [one, other] = await openTwoTabs(events);
    await send(one, 0, 5);
    const proxy = kafka();
    proxy.faults.push('answerLost');
    const first = connected(one, sinkTo(proxy), { backoffMs: 60_000, maxBackoffMs: 60_000 });
    await eventually(async () => (await first.status()).state === 'backingOff');
    await first.close();
    const second = connected(other, sinkTo(proxy));
    await send(other, 5, 8);
    await second.drain();
    expect(storedIn(proxy, 'events')).toEqual(upTo(8));
  });

  test('goes on when the proxy is back, and is up to date', async () => {
    const log = await logWith(events);
    await send(log, 0, 5);
    const proxy = kafka();
    proxy.isDown = true;
    const connector = connected(log, sinkTo(proxy));
    await eventually(async () => (await connector.status()).state === 'backingOff');
    await send(log, 5, 10);
    proxy.isDown = false;
    await eventually(() => storedIn(proxy, 'events').length >= 10);
    expect(storedIn(proxy, 'events')).toEqual(upTo(10));
  });

  test('waits for the one who may', async () => {
    const log = await logWith(events);
    await send(log, 0, 5);
    const proxy = kafka();
    proxy.authorization = 'Bearer 1';
    let token = 'Bearer 0';
    const connector = connected(log, sinkTo(proxy, { auth: () => ({ authorization: token }) }));
    await eventually(async () => (await connector.status()).state === 'unauthorized');
    expect(storedIn(proxy, 'events')).toEqual([]);
    token = 'Bearer 1';
    connector.wake();
    await eventually(() => storedIn(proxy, 'events').length === 5);
  });

  test('puts aside what Kafka refuses, and sends the others', async () => {
    const texts = topic('events', {
      value: json<string>(),
      partitions: 1,
      maxRecordBytes: 2_000_000,
    });
    const letters = topic('letters', {
      value: json<string>(),
      partitions: 1,
      maxRecordBytes: 2_000_000,
    });
    const log = await logWith(texts, letters);
    const large = 'x'.repeat(1_100_000);
    const values = ['a', large, 'b'].map((value) => ({ value }));
    await log.producer().sendBatch(texts, values);
    const proxy = kafka();
    const options = { topics: [texts], deadLetterTopic: letters };
    const connector = connected(log, sinkTo(proxy), options);
    await connector.drain();
    expect(storedIn(proxy, 'events')).toEqual(['a', 'b']);
    const aside = await readAll(log, letters);
    expect(aside.map(({ value }) => value?.length)).toEqual([1_100_000]);
    await connector.close();
    // The end of the topic is a refused record, which another tab does not put aside once more.
    await log.producer().send(texts, { value: large });
    await connected(log, sinkTo(proxy), options).drain();
    await connected(log, sinkTo(proxy), { ...options, name: 'server' }).drain();
    expect(await readAll(log, letters)).toHaveLength(2);
  });

  test('stops where a topic is missing, and says what to do', async () => {
    const log = await logWith(events);
    await send(log, 0, 5);
    const connector = connected(log, sinkTo(new RestProxy({ orders: 1 })));
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toMatch(/create the topic in Kafka/);
  });

  test('drops nothing of a log that was lost and began anew', async () => {
    const proxy = kafka();
    for (let i = 0; i < 2; i++) {
      const log = await openTab(memoryHost(), 'shop');
      await log.admin.createTopics([events]);
      await send(log, 0, 5);
      const connector = connected(log, sinkTo(proxy));
      await connector.drain();
      await connector.close();
      await log.close();
    }
    expect(storedIn(proxy, 'events')).toEqual([...upTo(5), ...upTo(5)]);
    expect(withoutRepeats(proxy, 'events')).toHaveLength(10);
  });
});

const PARTITIONS = 2;
const numbers = topic('events', { value: json<number>(), partitions: PARTITIONS });

interface WalkOptions {
  readonly faults: readonly Fault[];
  /** How long a request can be on its way, in milliseconds: it is stored also where its tab has gone. */
  readonly delayMs: number;
  readonly sink?: Options;
}

/** Tabs come and go while requests and answers get lost. Resolves to what Kafka has then, and was to have. */
async function walk(
  seed: number,
  { faults, delayMs, sink }: WalkOptions,
): Promise<readonly [RestProxy, number[][]]> {
  const random = new Random(seed);
  const proxy = new RestProxy({ events: PARTITIONS });
  if (delayMs > 0) proxy.delay = () => sleep(systemClock, random.int(0, delayMs));
  const host = memoryHost();
  const sent: number[][] = Array.from({ length: PARTITIONS }, () => []);
  const tabs: { readonly log: Log; readonly connector: Connector }[] = [];
  const open = async (): Promise<void> => {
    const log = await openTab(host, 'shop');
    await log.admin.createTopics([numbers]);
    const options = { topics: [numbers], maxRecords: random.int(1, 6) };
    tabs.push({ log, connector: connected(log, sinkTo(proxy, sink), options) });
  };
  await open();
  for (let step = 0, value = 0; step < 25; step++) {
    if (random.chance(0.2) && tabs.length < 3) await open();
    if (random.chance(0.2) && tabs.length > 1) {
      const [{ log, connector }] = tabs.splice(random.int(0, tabs.length - 1), 1) as [
        (typeof tabs)[0],
      ];
      await Promise.all([connector.close(), log.close()]);
    }
    const partition = random.int(0, PARTITIONS - 1);
    const values = Array.from({ length: random.int(1, 8) }, () => value++);
    await tabs[0]!.log.producer().sendBatch(
      numbers,
      values.map((each) => ({ partition, value: each })),
    );
    sent[partition]!.push(...values);
    for (let i = random.int(0, 3); i > 0; i--) proxy.faults.push(random.pick(faults));
    if (random.chance(0.3)) proxy.readFaults.push(random.pick(['requestLost', 'answerLost']));
  }
  proxy.faults.length = 0;
  const isComplete = (partition: number): boolean =>
    new Set(storedIn(proxy, 'events', partition)).size >= sent[partition]!.length;
  await eventually(() => sent.every((_, partition) => isComplete(partition)));
  await Promise.all(tabs.map(({ connector }) => connector.close()));
  return [proxy, sent];
}

const LOSSES: readonly Fault[] = [
  'none',
  'requestLost',
  'answerLost',
  new Response(null, { status: 500 }),
  new Response(null, { status: 429, headers: { 'retry-after': '0' } }),
];
const PARTS: readonly Fault[] = [
  ...LOSSES,
  failing([0, 50_003]),
  failing([1, 50_003], [2, 50_003]),
  failing([2, 1]),
];
const seeds = seedsOf(lengthOf(10, 50));
const byPartition = <T>(of: (partition: number) => T): T[] =>
  Array.from({ length: PARTITIONS }, (_, i) => of(i));

test(
  `each record comes once, in order, where requests and answers get lost: ${seeds.length} walks`,
  { timeout: 300_000 },
  async () => {
    for (const seed of seeds) {
      const [proxy, sent] = await walk(seed, { faults: LOSSES, delayMs: 0 });
      expect(
        byPartition((i) => storedIn(proxy, 'events', i)),
        `TABLOG_SEED=${seed}`,
      ).toEqual(sent);
    }
  },
);

test(
  `each record comes at least once, where parts fail and requests come late: ${seeds.length} walks`,
  { timeout: 300_000 },
  async () => {
    for (const seed of seeds) {
      const [proxy, sent] = await walk(seed, { faults: PARTS, delayMs: 4 });
      const got = byPartition((i) =>
        withoutRepeats(proxy, 'events', i).toSorted((a, b) => Number(a) - Number(b)),
      );
      expect(got, `TABLOG_SEED=${seed}`).toEqual(sent);
    }
  },
);

test.each<[string, object, RegExp]>([
  ['no url', {}, /kafkaRestSink\(\) needs url/],
  ['a url of files', { url: 'file:///tmp/x' }, /http or https URL.*file:/],
  [
    'an option that there is not',
    { url: 'https://x.test', topics: 'x' },
    /no option "topics".*topic/,
  ],
  [
    'a topic that Kafka does not take',
    { url: 'https://x.test', topic: 'a/b' },
    /topic must be 1 to 249 of.*a\/b/,
  ],
  [
    'a partition that is none',
    { url: 'https://x.test', partition: -1 },
    /partition must be an integer of at least 0, got -1/,
  ],
  [
    'a format that there is not',
    { url: 'https://x.test', format: 'avro' },
    /format must be one of "json", "binary".*avro/,
  ],
  [
    'raw values that are read back',
    { url: 'https://x.test', value: 'raw', readBack: true },
    /readBack: true takes value: 'envelope'/,
  ],
  ['no group', { url: 'https://x.test', group: '' }, /group must be the name of a consumer group/],
  ['no bytes', { url: 'https://x.test', maxBytes: 0 }, /maxBytes must be an integer of at least 1/],
  [
    'no records',
    { url: 'https://x.test', readBackRecords: 0 },
    /readBackRecords must be an integer/,
  ],
])('kafkaRestSink() does not take %s', (_, options, message) => {
  expect(() => kafkaRestSink(options as KafkaRestSinkOptions)).toThrow(message);
});

test.each<[string, Options, RegExp]>([
  ['a partition', { partition: () => 0.5 }, /the partition in Kafka must be an integer/],
  ['a topic', { topic: () => '' }, /the topic in Kafka must be 1 to 249/],
])('a function that returns no %s ends the connector', async (_, options, message) => {
  const put = sinkTo(new RestProxy({ orders: 1 }), options).put(batchOf(0, 1), context);
  await expect(put).rejects.toMatchObject({ kind: 'fatal', message });
});
