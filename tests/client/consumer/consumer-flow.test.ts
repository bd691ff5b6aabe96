import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { FETCH_SESSION_ID_NOT_FOUND } from '../../../src/base/error-rules.ts';
import { lazyCodecs } from '../../../src/client/fetch/lazy-codecs.ts';
import { TablogError, topic } from '../../../src/index.ts';
import type { Consumer, ConsumerOptions } from '../../../src/index.ts';
import { AN_HOUR_MS, logWith, numbered, take, texts } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const two = topic('t', { partitions: 2 });
const first = { topic: 't', partition: 0 };
const second = { topic: 't', partition: 1 };
const options = { topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;

/** Collects what a consumer delivers, for as long as the test runs. */
function listen(consumer: Consumer<'t'>): (string | null)[] {
  const heard: (string | null)[] = [];
  void (async () => {
    for await (const message of consumer) heard.push(...texts([message]));
  })();
  return heard;
}

describe('pause', () => {
  test('of all: nothing is delivered until resume, then everything', async () => {
    const log = await logWith(two);
    const consumer = log.consumer(options);
    await consumer.ready;
    const heard = listen(consumer);
    consumer.pause();
    const producer = log.producer();
    await producer.send('t', { value: 'a', partition: 0 });
    await producer.send('t', { value: 'b', partition: 1 });
    await settle();
    expect(heard).toEqual([]);
    consumer.resume();
    await settle();
    expect(new Set(heard)).toEqual(new Set(['a', 'b']));
    expect(heard).toHaveLength(2);
  });

  test('of a partition that has fetched all there is room for: the other is read', async () => {
    const log = await logWith(two);
    const producer = log.producer();
    const large = 'x'.repeat(1000);
    for (let i = 0; i < 100; i++) await producer.send('t', { value: large, partition: 0 });
    const consumer = log.consumer({ ...options, prefetchBytes: 10_000 });
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 5; i++) await messages.next();
    await settle(); // the rest of the room is filled
    consumer.pause(first);
    const next = messages.next();
    await settle();
    await producer.send('t', { value: 'read', partition: 1 });
    expect(texts([(await next).value!])).toEqual(['read']);
    consumer.resume();
    for (let i = 5; i < 100; i++) expect(texts([(await messages.next()).value!])).toEqual([large]);
  });

  test('of one partition leaves the other alone', async () => {
    const log = await logWith(two);
    const consumer = log.consumer(options);
    await consumer.ready;
    consumer.pause(first);
    const heard = listen(consumer);
    const producer = log.producer();
    await producer.send('t', { value: 'paused', partition: 0 });
    await producer.send('t', { value: 'read', partition: 1 });
    await settle();
    expect(heard).toEqual(['read']);
    consumer.resume(second); // was not paused
    await settle();
    expect(heard).toEqual(['read']);
    consumer.resume(first);
    await settle();
    expect(heard).toEqual(['read', 'paused']);
  });

  test('keeps back what is fetched already', async () => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(3));
    const consumer = log.consumer(options);
    const heard: number[] = [];
    const loop = (async () => {
      for await (const { offset } of consumer) {
        heard.push(offset);
        if (offset === 0) consumer.pause();
        if (offset === 2) break;
      }
    })();
    await settle();
    expect(heard).toEqual([0]);
    consumer.resume();
    await loop;
    expect(heard).toEqual([0, 1, 2]);
  });

  test('keeps back what a fetch brings that was under way', async () => {
    const { log, host } = await stubbedLog('t');
    await log.producer().sendBatch('t', numbered(3));
    const consumer = log.consumer(options);
    const gate = host.hold('fetch');
    const heard = listen(consumer);
    await gate.arrived(1);
    consumer.pause();
    gate.open();
    await settle();
    expect(heard).toEqual([]);
    consumer.resume();
    await settle();
    expect(heard).toEqual(['0', '1', '2']);
  });

  test('also holds before the consumer is ready', async () => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(1));
    const consumer = log.consumer(options);
    consumer.pause();
    const heard = listen(consumer);
    await consumer.ready;
    await settle();
    expect(heard).toEqual([]);
  });
});

describe('partitions do not starve each other', () => {
  test('50,000 records and 3', async () => {
    const log = await logWith(two);
    const producer = log.producer();
    await producer.sendBatch(
      't',
      numbered(50_000).map((record) => ({ ...record, partition: 0 })),
    );
    await producer.sendBatch(
      't',
      numbered(3).map((record) => ({ ...record, partition: 1 })),
    );
    const read = await take(log.consumer(options), 50_003);
    const lastOfThree = read.findLastIndex(({ partition }) => partition === 1);
    expect(lastOfThree).toBeLessThan(2000);
    const many = read.filter(({ partition }) => partition === 0).map(({ offset }) => offset);
    expect(many.every((offset, i) => offset === i)).toBe(true);
  });

  test.each([
    ['that was paused', 9],
    ['that is new', 8],
  ])('idle ones and one %s', { timeout: 1000 }, async (_, partitions) => {
    // As many idle partitions as have room in the default budget.
    const log = await logWith(topic('t', { partitions }));
    const consumer = log.consumer(options);
    await consumer.ready;
    if (partitions > 8) consumer.pause({ topic: 't', partition: 8 });
    const heard = listen(consumer);
    await settle();
    await log.admin.createPartitions([{ topic: 't', partitions: 9 }]);
    await log.producer().send('t', { value: 'v', partition: 8 });
    consumer.resume();
    await expect.poll(() => heard).toEqual(['v']);
  });
});

describe('a slow reader bounds what is fetched', () => {
  test.each<[string, Pick<ConsumerOptions, 'prefetchBytes' | 'maxPartitionBytes'>, number]>([
    ['by prefetchBytes', { prefetchBytes: 100_000 }, 100_000],
    ['by maxPartitionBytes', { maxPartitionBytes: 20_000 }, 3 * 20_000],
    ['however small prefetchBytes is', { prefetchBytes: 1 }, 1],
  ])('%s', async (_, bounds, expectedBytes) => {
    const batchBytes = 10_000;
    const { log, host } = await stubbedLog(topic('t', { partitions: 3 }));
    const records = numbered(600).map(({ value }, i) => ({
      value: value.padEnd(2000),
      partition: i % 3,
    }));
    await log.producer({ batchBytes }).sendBatch('t', records);

    let fetched = 0;
    let largestFetch = 0;
    host.answer('fetch', async (request, real) => {
      const answer = await real(request);
      const bytes = answer
        .flatMap((part) => ('segments' in part ? part.segments : []))
        .reduce((sum, segment) => sum + segment.byteLength, 0);
      fetched += bytes;
      largestFetch = Math.max(largestFetch, bytes);
      return answer;
    });

    let read = 0;
    let count = 0;
    for await (const { value } of log.consumer({ ...options, ...bounds })) {
      read += value!.length;
      if (count % 50 === 0) await settle(); // let it fetch what it wants
      // Of each partition a batch is being read, which counts as read.
      expect(fetched - read).toBeLessThanOrEqual(expectedBytes + largestFetch + 3 * batchBytes);
      if (++count === records.length) break;
    }
    expect(largestFetch).toBeLessThanOrEqual(expectedBytes + 3 * batchBytes);
  });
});

test('maxWaitMs 0 leaves the thread to others between its fetches', async () => {
  const { log, host } = await stubbedLog('t');
  let fetches = 0;
  host.answer('fetch', (request, real) => {
    // Without an end the test would never end either.
    return ++fetches < 1000 ? real(request) : new Promise(() => {});
  });
  const consumer = log.consumer({ topics: ['t'], maxWaitMs: 0 });
  listen(consumer);
  await consumer.ready;
  await settle();
  expect(fetches).toBeLessThan(100);
});

test('a worker that does not have the session is asked for everything', async () => {
  const { log, host } = await stubbedLog(topic('t', { partitions: 3 }));
  const consumer = log.consumer(options);
  const heard = listen(consumer);
  await consumer.ready;
  await settle();
  let isLost = false;
  host.answer('fetch', async (request, real) => {
    if (isLost || request.session!.epoch === 0) return real(request);
    isLost = true;
    throw new TablogError(FETCH_SESSION_ID_NOT_FOUND, 'another worker');
  });
  const producer = log.producer();
  for (const partition of [0, 1, 2]) {
    await producer.send('t', { value: String(partition), partition });
    await settle();
  }
  expect(heard).toEqual(['0', '1', '2']);
  expect(isLost).toBe(true);
});

test('a codec that is slow to load holds up no other partition, nor is anything fetched twice', async () => {
  const { log, host } = await stubbedLog(two);
  const packed = log.producer({ compression: 'gzip' });
  await packed.send('t', { value: 'packed '.repeat(100), partition: 0 });
  const plain = log.producer();
  await plain.send('t', { value: 'a', partition: 1 });
  const { promise: came, resolve: come } = deferred();
  const codecs = await lazyCodecs.load();
  const load = vi.spyOn(lazyCodecs, 'load').mockImplementation(async () => {
    await came;
    return codecs;
  });
  onTestFinished(() => load.mockRestore());
  const consumer = log.consumer(options);
  const heard = listen(consumer);
  await consumer.ready;
  await settle();
  expect(heard).toEqual(['a']);
  await plain.send('t', { value: 'b', partition: 1 });
  await settle();
  await plain.send('t', { value: 'c', partition: 1 });
  await settle();
  expect(heard).toEqual(['a', 'b', 'c']);
  come();
  await settle();
  expect(heard).toEqual(['a', 'b', 'c', 'packed '.repeat(100)]);
  const asked = host
    .requests('fetch')
    .flatMap(({ partitions }) => partitions.filter(({ partition }) => partition === 0));
  expect(asked.map(({ offset }) => offset)).toEqual([0, 1]);
});
