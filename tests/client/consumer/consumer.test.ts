import { describe, expect, test } from 'vitest';
import { json, string, topic } from '../../../src/index.ts';
import type { Consumer, Log } from '../../../src/index.ts';
import {
  AN_HOUR_MS,
  logWith,
  numbered,
  openTwoTabs,
  take,
  texts,
} from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const orders = topic('orders', { key: string(), value: json<{ qty: number }>() });
const audit = topic('audit', { value: json<{ who: string }>() });

/** A consumer of a topic that holds `count` records. */
async function reading(count: number): Promise<{ log: Log; consumer: Consumer<'t'> }> {
  const log = await logWith('t');
  await log.producer().sendBatch('t', numbered(count));
  return {
    log,
    consumer: log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS }),
  };
}

test('several topics at once, told apart by name', async () => {
  const log = await logWith(orders, audit);
  const producer = log.producer();
  await producer.send(orders, { key: 'u1', value: { qty: 2 } });
  await producer.send(audit, { value: { who: 'me' } });
  const seen = new Set<unknown>();
  for (const message of await take(
    log.consumer({ topics: [orders, audit], from: 'earliest' }),
    2,
  )) {
    if (message.topic === 'orders') seen.add(message.value?.qty);
    else seen.add(message.value?.who);
  }
  expect(seen).toEqual(new Set([2, 'me']));
});

test('every consumer reads everything, in this tab and in another', async () => {
  const [first, second] = await openTwoTabs('t');
  const consumers = [first, first, second].map((log) => log.consumer({ topics: ['t'] }));
  await Promise.all(consumers.map(({ ready }) => ready));
  const read = consumers.map((consumer) => take(consumer, 20));
  await Promise.all(numbered(20).map((record) => second.producer().send('t', record)));
  for (const messages of await Promise.all(read)) {
    expect(new Set(texts(messages))).toEqual(new Set(numbered(20).map(({ value }) => value)));
  }
});

test('a loop that is left goes on with the next message in another', async () => {
  const { consumer } = await reading(6);
  expect(texts(await take(consumer, 2))).toEqual(['0', '1']);
  expect(texts(await take(consumer, 1))).toEqual(['2']);
  for await (const { messages } of consumer.batches({ max: 2 })) {
    expect(texts(messages)).toEqual(['3', '4']);
    break;
  }
  expect(texts(await take(consumer, 1))).toEqual(['5']);
});

test('a loop that was left while it waited does so too', async () => {
  const { log, consumer } = await reading(1);
  await take(consumer, 1);
  const leaving = (async () => {
    for await (const message of consumer) {
      expect(message.offset).toBe(1);
      break;
    }
  })();
  await settle();
  await log.producer().sendBatch('t', numbered(2));
  await leaving;
  expect(consumer.position({ topic: 't', partition: 0 })).toBe(2);
});

test('nothing is fetched while nobody reads', async () => {
  const { log, host } = await stubbedLog('t');
  const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
  await consumer.ready;
  await log.producer().sendBatch('t', numbered(1));
  await settle();
  expect(host.requests('fetch')).toHaveLength(0);
  await take(consumer, 1);
  await settle();
  const fetches = host.requests('fetch').length;
  await log.producer().sendBatch('t', numbered(1));
  await settle();
  expect(host.requests('fetch')).toHaveLength(fetches);
});

test('one loop at a time, and another one after it', async () => {
  const { consumer } = await reading(3);
  for await (const message of consumer) {
    expect(message.offset).toBe(0);
    expect(() => consumer[Symbol.asyncIterator]()).toThrow(TypeError);
    await expect(consumer.batches().next()).rejects.toThrow(/one loop at a time/);
    await expect(consumer.run({ eachMessage() {} })).rejects.toThrow(TypeError);
    break;
  }
  expect(texts(await take(consumer, 1))).toEqual(['1']);
});

test('an iterator that was left is at its end', async () => {
  const { consumer } = await reading(2);
  const iterator = consumer[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.return!();
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

describe('run', () => {
  test('calls the handler for one message after the other', async () => {
    const { consumer } = await reading(5);
    const seen: string[] = [];
    await consumer.run({
      async eachMessage({ offset }) {
        seen.push(`+${offset}`);
        await settle();
        seen.push(`-${offset}`);
        if (offset === 4) await consumer.close();
      },
    });
    expect(seen.join(' ')).toBe('+0 -0 +1 -1 +2 -2 +3 -3 +4 -4');
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
  ])('rejects when the handler %s, and the message is the next', async (_, fail) => {
    const { consumer } = await reading(5);
    const running = consumer.run({
      eachMessage: ({ offset }) => (offset === 3 ? fail() : undefined),
    });
    await expect(running).rejects.toThrow('mine');
    expect(texts(await take(consumer, 2))).toEqual(['3', '4']);
  });
});

test('the same record in a typed and in a plain consumer', async () => {
  const log = await logWith(orders);
  await log
    .producer()
    .send(orders, { key: 'k', value: { qty: 1 }, timestamp: 5, headers: { h: 'x' } });
  const [typed] = await take(log.consumer({ topics: [orders], from: 'earliest' }), 1);
  const [plain] = await take(log.consumer({ topics: ['orders'], from: 'earliest' }), 1);
  expect(typed!.value).toEqual({ qty: 1 });
  expect(texts([plain!])).toEqual(['{"qty":1}']);
  expect(JSON.parse(JSON.stringify(typed))).toMatchObject({
    topic: 'orders',
    partition: 0,
    offset: 0,
    timestamp: 5,
    key: 'k',
    value: { qty: 1 },
  });
});

test('return() settles a next() that waits while nothing is fetched', async () => {
  const log = await logWith();
  const messages = log.consumer({ topics: ['nowhere'] })[Symbol.asyncIterator]();
  const next = messages.next();
  await settle();
  await messages.return!();
  expect(await next).toEqual({ done: true, value: undefined });
});
