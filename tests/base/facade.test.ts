import { reactive, readonly, ref, shallowReactive } from '@vue/reactivity';
import { describe, expect, test } from 'vitest';
import { Closable } from '../../src/base/handle.ts';
import { table, topic } from '../../src/index.ts';
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

  test('a table is one', async () => {
    const log = wrap(await logWith('t'));
    const latest = wrap(table(log, 't'));
    await latest.ready;
    await log.producer().send('t', { key: 'k', value: 'v' });
    await new Promise<void>((resolve) => {
      const stop = latest.subscribe((snapshot) => {
        if (snapshot.size === 0) return;
        resolve();
        queueMicrotask(() => stop());
      });
    });
    expect([latest.size, latest.has('k'), latest.error]).toEqual([1, true, undefined]);
    expect([...latest].length + [...latest.keys()].length + [...latest.values()].length).toBe(3);
    expect(texts([{ value: latest.get('k')! } as never])).toEqual(['v']);
    await latest[Symbol.asyncDispose]();
    expect(latest.snapshot().size).toBe(1);
  });

  test('a transaction commits what a consumer holds', async () => {
    const log = wrap(await logWith('t'));
    const producer = wrap(log.producer());
    await producer.send('t', { value: 'a' });
    const options = { topics: ['t'], group: 'g', from: 'earliest', commit: 'manual' } as const;
    const consumer = wrap(log.consumer(options));
    await take(consumer, 1);
    await producer.transaction((tx) => wrap(tx).commitOffsets(consumer));
    expect(await log.admin.listGroupOffsets('g')).toMatchObject([{ offset: 1 }]);
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

test("a table's snapshot is a value of Vue's ref", async () => {
  const log = await logWith('t');
  const latest = table(log, 't');
  await latest.ready;
  const snapshot = ref(latest.snapshot());
  expect(snapshot.value.size).toBe(0);
  expect(snapshot.value).toBe(latest.snapshot());
});

test('every handle is closed by `await using`, in every engine', async () => {
  const log = await logWith('t');
  const handles = [log, log.producer(), log.consumer({ topics: ['t'] }), table(log, 't')];
  for (const handle of handles) expect(handle).toBeInstanceOf(Closable);
});
