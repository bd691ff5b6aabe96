import { describe, expect, test } from 'vitest';
import { bytes, json, long, string, topic } from '../../../src/index.ts';
import type { Log, Message, RawMessage, TopicLike } from '../../../src/index.ts';
import { logWith, openTab, readAll, take } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';

interface Order {
  readonly qty: number;
}
const orders = topic('orders', { key: string(), value: json<Order>() });
type OrderMessage = Message<'orders', string, Order>;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A plain object with the same properties. */
function spread(message: object): object {
  return { ...message };
}

/** All there is to know of the message that `orderLog` has. */
const KNOWN = {
  id: expect.stringMatching(/^[0-9a-f-]{36}-0-0$/) as string,
  topic: 'orders',
  partition: 0,
  offset: 0,
  timestamp: 5,
  key: 'k',
  value: { qty: 1 },
  headers: [
    ['trace', text('jä')],
    ['none', null],
  ],
};

async function orderLog(): Promise<{ log: Log; message: OrderMessage }> {
  const log = await logWith(orders);
  const headers = [
    ['trace', 'jä'],
    ['none', null],
  ] as const;
  await log.producer().send(orders, { key: 'k', value: { qty: 1 }, timestamp: 5, headers });
  const [message] = await readAll(log, orders);
  return { log, message: message! };
}

/** Wraps in depth what asks for no mercy, as Vue's `reactive` does. https://vuejs.org/guide/extras/reactivity-in-depth.html */
function reactive<T extends object>(target: T): T {
  if ('__v_skip' in target) return target;
  return new Proxy(target, {
    get(of, key, receiver) {
      const value: unknown = Reflect.get(of, key, receiver);
      return typeof value === 'object' && value !== null ? reactive(value) : value;
    },
  });
}

/** A Proxy that wraps whatever it is given. */
function wrapped<T extends object>(target: T): T {
  return new Proxy(target, {});
}

describe('a message', () => {
  test('has everything as properties of its own', async () => {
    const { message } = await orderLog();
    expect(spread(message)).toEqual(KNOWN);
    expect(Object.assign({}, message)).toEqual(KNOWN);
  });

  test('can be cloned and posted as it is', async () => {
    const { message } = await orderLog();
    expect(structuredClone(message)).toEqual(KNOWN);
    const { port1, port2 } = new MessageChannel();
    const posted = new Promise((resolve) => {
      port2.addEventListener('message', ({ data }) => resolve(data), { once: true });
    });
    port2.start();
    port1.postMessage(message);
    expect(await posted).toEqual(KNOWN);
    port1.close();
  });

  test('is decoded once: what it gives is the same each time', async () => {
    const { message } = await orderLog();
    expect(message.value).toBe(message.value);
  });

  test('as JSON tells text as text, headers included, and bytes that are none as base64', async () => {
    const { message } = await orderLog();
    expect(JSON.parse(JSON.stringify(message))).toEqual({
      ...KNOWN,
      headers: [
        ['trace', 'jä'],
        ['none', null],
      ],
    });
    const log = await logWith('raw');
    const headers = { bad: Uint8Array.of(255, 0), empty: '' };
    await log.producer().send('raw', { key: 'k', value: Uint8Array.of(1, 254), headers });
    const [raw] = await readAll(log, 'raw');
    expect(JSON.parse(JSON.stringify(raw))).toMatchObject({
      key: 'k',
      value: { base64: 'Af4=' },
      headers: [
        ['bad', { base64: '/wA=' }],
        ['empty', ''],
      ],
    });
  });

  test('as JSON tells a bigint by its digits', async () => {
    const numbers = topic('numbers', { key: long() });
    const log = await logWith(numbers);
    await log.producer().send(numbers, { key: 2n ** 60n, value: null });
    const [message] = await readAll(log, numbers);
    expect(JSON.parse(JSON.stringify(message))).toMatchObject({ key: String(2n ** 60n) });
  });
});

describe('in reactive state', () => {
  test('as Vue keeps it, is the message itself, with its methods', async () => {
    const { log } = await orderLog();
    const consumer = log.consumer({ group: 'g', topics: [orders], from: 'earliest' });
    const [message] = await take(consumer, 1);
    const state = reactive({ messages: [message!], last: message! });
    expect(state.last).toBe(message);
    expect(state.messages[0]).toBe(message);
    await state.messages[0]!.commit();
    expect(await log.admin.listGroupOffsets('g')).toMatchObject([{ offset: 1 }]);
  });

  test('behind another Proxy all properties are there, and header() and toJSON()', async () => {
    const { message } = await orderLog();
    const proxy = wrapped(message);
    expect(spread(proxy)).toEqual(KNOWN);
    expect(proxy.value).toEqual({ qty: 1 });
    expect(proxy.header('trace')).toBe('jä');
    expect(JSON.stringify(proxy)).toBe(JSON.stringify(message));
  });

  test('behind another Proxy, or copied with its prototype, commit() says what to do', async () => {
    const { message } = await orderLog();
    const prototype = Object.getPrototypeOf(message) as object;
    const copy: unknown = Object.setPrototypeOf(spread(message), prototype);
    for (const other of [wrapped(message), copy as OrderMessage]) {
      await expect(other.commit()).rejects.toThrow(TypeError);
      await expect(other.commit()).rejects.toThrow(/commit\(\) needs the message itself.*toRaw/);
      expect(() => other.clone()).toThrow(/clone\(\) needs the message itself/);
    }
  });
});

describe('clone()', () => {
  const raw = topic('raw', { key: bytes(), value: bytes() });

  async function rawMessages(): Promise<RawMessage<'raw'>[]> {
    const log = await logWith(raw);
    const records = [
      { key: text('k'), value: text('v') },
      { key: null, value: null },
    ];
    await log.producer().sendBatch(raw, records);
    return readAll(log, raw);
  }

  test('has the same, with bytes of its own', async () => {
    const [message, tombstone] = await rawMessages();
    const clone = message!.clone();
    expect(spread(clone)).toEqual(spread(message!));
    expect(message!.value!.buffer.byteLength).toBeGreaterThan(1);
    expect(clone.value!.buffer.byteLength).toBe(1);
    expect(clone.key!.buffer.byteLength).toBe(1);
    expect(spread(tombstone!.clone())).toEqual(spread(tombstone!));
  });

  test("copies what a serde of the application's own gives as a Buffer", async () => {
    const buffers = topic('buffers', {
      value: {
        encode: (value: Buffer) => value,
        decode: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      },
    });
    const log = await logWith(buffers);
    await log.producer().send(buffers, { value: Buffer.from('v') });
    const [message] = await readAll(log, buffers);
    const clone = message!.clone();
    expect(clone.value).toBeInstanceOf(Buffer);
    expect(clone.value).toEqual(Buffer.from('v'));
    expect(clone.value!.buffer).not.toBe(message!.value!.buffer);
  });

  test('is a message with all of its methods', async () => {
    const { log } = await orderLog();
    const consumer = log.consumer({ group: 'g', topics: [orders], from: 'earliest' });
    const [message] = await take(consumer, 1);
    const clone = message!.clone();
    await clone.commit();
    expect(await log.admin.listGroupOffsets('g')).toMatchObject([{ offset: 1 }]);
    expect(clone.id).toBe(message!.id);
    expect(clone.header('trace')).toBe('jä');
  });
});

describe('id', () => {
  const many = topic('orders', { key: string(), value: json<Order>(), partitions: 2 });

  const idsOf = async (log: Log, of: TopicLike): Promise<string[]> =>
    (await readAll(log, of)).map(({ id }) => id);

  test('is one of a kind within a log, and the same each time it is read, in every tab', async () => {
    const { log, host } = await stubbedLog(many, 'others');
    const producer = log.producer();
    for (const partition of [0, 0, 1]) {
      await producer.send(many, { value: { qty: 1 }, partition });
    }
    await producer.send('others', { value: 'v' });
    const ids = [...(await idsOf(log, many)), ...(await idsOf(log, 'others'))];
    expect(new Set(ids).size).toBe(4);
    const again = await openTab(host, log.name);
    expect([...(await idsOf(again, many)), ...(await idsOf(again, 'others'))]).toEqual(ids);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9-]{1,80}$/);
  });

  test('is another one where the topic is made again, and in another log', async () => {
    const { log, message } = await orderLog();
    await log.admin.deleteTopics([orders]);
    await log.admin.createTopics([orders]);
    await log.producer().send(orders, { value: { qty: 1 } });
    const { message: elsewhere } = await orderLog();
    const ids = [message.id, ...(await idsOf(log, orders)), elsewhere.id];
    expect(new Set(ids).size).toBe(3);
  });

  test('is the same where a retry stored the record once', async () => {
    const { log, host } = await stubbedLog(orders);
    host.answer('produce', async (request, real) => {
      host.answer('produce', undefined);
      await real(request);
      return real(request); // as a worker that was asked twice
    });
    await log.producer().send(orders, { value: { qty: 1 } });
    expect(await idsOf(log, orders)).toHaveLength(1);
  });
});
