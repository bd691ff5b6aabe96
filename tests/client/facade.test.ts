import { reactive, readonly, ref, shallowReactive } from '@vue/reactivity';
import { describe, expect, test } from 'vitest';
import { topic } from '../../src/index.ts';
import type { Log, Transaction } from '../../src/index.ts';
import { logWith, take, texts } from '../support/log-fixture.ts';

/** Wraps whatever is read through it as well, as a reactive store does. */
function membrane<T extends object>(target: T): T {
  return new Proxy(target, {
    get: (of, key, receiver) => {
      const value: unknown = Reflect.get(of, key, receiver);
      const isWrapped = typeof value === 'object' && value !== null && !(value instanceof Promise);
      return isWrapped ? membrane(value) : value;
    },
  });
}

type Wrap = <T extends object>(handle: T) => T;

const WRAPS: [string, Wrap][] = [
  ['a plain Proxy', (handle) => new Proxy(handle, {})],
  ['a Proxy that asks with itself as `this`', (handle) => new Proxy(handle, { get: Reflect.get })],
  ['a Proxy of all that is read through it', membrane],
  ["Vue's reactive", (handle) => reactive(handle) as typeof handle],
  ["Vue's ref", (handle) => ref(handle).value as typeof handle],
  ["a field of Vue's reactive", (handle) => reactive({ handle }).handle as typeof handle],
  ["Vue's shallowReactive", (handle) => shallowReactive(handle)],
  ["Vue's readonly", (handle) => readonly(handle) as typeof handle],
];

describe.each(WRAPS)('behind %s', (_, wrap) => {
  test('log, admin, producer and consumer do all they do', async () => {
    const log = wrap(await logWith(topic('t', { partitions: 2 })));
    const admin = wrap(log.admin);
    await admin.createTopics(['u']);
    const producer = wrap(log.producer());
    await producer.send('t', { value: 'a', partition: 0 });
    await producer.sendBatch('t', [{ value: 'b', partition: 0 }]);
    const consumer = wrap(log.consumer({ topics: ['t'], group: 'g', from: 'earliest' }));
    const stop = consumer.on('revoked', () => {});
    await consumer.ready;
    expect(consumer.assignment).toHaveLength(2);
    const read: (string | null)[] = [];
    for await (const message of consumer) {
      read.push(...texts([message]));
      await message.commit();
      if (read.length === 2) break;
    }
    expect(read).toEqual(['a', 'b']);
    expect(consumer.position({ topic: 't', partition: 0 })).toBe(2);
    await consumer.seek('earliest');
    const batch = await consumer.batches().next();
    expect(batch.value?.messages).toHaveLength(2);
    consumer.pause();
    consumer.resume();
    stop();
    const { placements } = await producer.transaction((tx: Transaction) => {
      const wrapped = wrap(tx);
      wrapped.send('u', { value: 'c' });
      expect(wrapped.signal.aborted).toBe(false);
    });
    expect(placements).toHaveLength(1);
    await producer.flush();
    await consumer.close();
    await producer[Symbol.asyncDispose]();
    await log.close();
  });

  test('a transaction commits what a consumer holds', async () => {
    const log = wrap(await logWith('t'));
    const producer = wrap(log.producer());
    await producer.send('t', { value: 'a' });
    const options = { topics: ['t'], group: 'g', from: 'earliest', commit: 'manual' } as const;
    const consumer = wrap(log.consumer(options));
    await take(consumer, 1);
    await producer.transaction((tx) => wrap(tx).commitOffsets(consumer));
    expect(await log.admin.fetchOffsets('g')).toMatchObject([{ offset: 1 }]);
  });
});

test('what a handle has of its own is in no copy of it, and in no list of its keys', async () => {
  const log: Log = await logWith('t');
  const producer = log.producer();
  expect(Object.keys(producer)).toEqual([]);
  expect(Object.keys(log).sort()).toEqual(['admin', 'name']);
});

test('a method works without its object, too', async () => {
  const log = await logWith('t');
  const makeProducer = log.producer.bind(undefined);
  const send = makeProducer().send.bind(undefined);
  expect(await send('t', { value: 'a' })).toMatchObject({ offset: 0 });
});
