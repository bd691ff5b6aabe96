import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Consumer, Log, Position } from '../../../src/index.ts';
import { AN_HOUR_MS, logWith, numbered, take, texts } from '../../support/log-fixture.ts';
import type { stubHost } from '../../support/stub-broker.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import { latch, settle } from '../../support/waiting.ts';

/** Values 0 to 9, whose timestamps do not rise: 100, 300, 200, 400, 600, 500, ... */
async function tenOutOfOrder(): Promise<Log> {
  const log = await logWith('t');
  const times = [100, 300, 200, 400, 600, 500, 700, 900, 800, 1000];
  const records = numbered(10).map((record, i) => ({ ...record, timestamp: times[i]! }));
  await log.producer().sendBatch('t', records.slice(0, 4));
  await log.producer().sendBatch('t', records.slice(4));
  return log;
}

describe('from', () => {
  test.each<[string, Position, string[]]>([
    ['earliest', 'earliest', ['0', '1']],
    ['an offset', 5, ['5', '6']],
    ['the last offset', 9, ['9']],
    ['a time: the first record at or after it', new Date(300), ['1', '2']],
    ['a time before all', new Date(0), ['0', '1']],
    ['a time between two', new Date(301), ['3', '4']],
    ['a time that a later record goes back behind', new Date(550), ['4', '5']],
    ['the time of the last record', new Date(1000), ['9']],
  ])('%s', async (_, from, expected) => {
    const log = await tenOutOfOrder();
    const consumer = log.consumer({ topics: ['t'], from });
    expect(texts(await take(consumer, expected.length))).toEqual(expected);
  });

  test.each<[string, Position | undefined]>([
    ['latest', 'latest'],
    ['nothing said', undefined],
    ['the end offset', 10],
    ['a time after all', new Date(1001)],
  ])('%s: what comes after ready', async (_, from) => {
    const log = await tenOutOfOrder();
    const consumer = log.consumer({ topics: ['t'], ...(from !== undefined && { from }) });
    await consumer.ready;
    await log.producer().send('t', { value: 'new' });
    expect(texts(await take(consumer, 1))).toEqual(['new']);
  });

  test('each partition has its own place', async () => {
    const log = await logWith(topic('t', { partitions: 2 }));
    const producer = log.producer();
    await producer.sendBatch(
      't',
      numbered(5).map((record) => ({ ...record, partition: 0 })),
    );
    const consumer = log.consumer({ topics: ['t'] });
    await consumer.ready;
    expect([0, 1].map((partition) => consumer.position({ topic: 't', partition }))).toEqual([5, 0]);
  });
});

describe('seek', () => {
  const at = { topic: 't', partition: 0 };

  test.each<[string, Position, string[]]>([
    ['earliest', 'earliest', ['0', '1']],
    ['an offset', 7, ['7', '8']],
    ['back to where it is', 5, ['5', '6']],
    ['a time', new Date(700), ['6', '7']],
  ])('to %s, in the middle of a loop', async (_, to, expected) => {
    const log = await tenOutOfOrder();
    const consumer = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: 20 });
    const read: (string | null)[] = [];
    for await (const message of consumer) {
      read.push(...texts([message]));
      if (read.length === 5) await consumer.seek(to);
      if (read.length === 5 + expected.length) break;
    }
    expect(read).toEqual(['0', '1', '2', '3', '4', ...expected]);
  });

  test('to latest skips what is stored', async () => {
    const log = await tenOutOfOrder();
    const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
    await take(consumer, 1);
    await consumer.seek('latest', at);
    expect(consumer.position(at)).toBe(10);
    await log.producer().send('t', { value: 'new' });
    expect(texts(await take(consumer, 1))).toEqual(['new']);
  });

  test('moves one partition, or all', async () => {
    const log = await logWith(topic('t', { partitions: 2 }));
    const records = numbered(10).map((record, i) => ({ ...record, partition: i % 2 }));
    await log.producer().sendBatch('t', records);
    const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
    const positions = (): number[] =>
      [0, 1].map((partition) => consumer.position({ topic: 't', partition }));
    await take(consumer, 10);
    expect(positions()).toEqual([5, 5]);
    await consumer.seek(2, { topic: 't', partition: 1 });
    expect(positions()).toEqual([5, 2]);
    expect(texts(await take(consumer, 3))).toEqual(['5', '7', '9']);
    await consumer.seek('earliest');
    expect(positions()).toEqual([0, 0]);
    expect(new Set(texts(await take(consumer, 10))).size).toBe(10);
  });

  test('waits until the consumer is ready', async () => {
    const log = await tenOutOfOrder();
    const consumer = log.consumer({ topics: ['t'] });
    await consumer.seek(8, at);
    expect(texts(await take(consumer, 2))).toEqual(['8', '9']);
  });

  test('what a fetch brings that was under way is not delivered', async () => {
    const { consumer, host } = await stubbed(2);
    const gate = host.hold('fetch');
    const taken = take(consumer, 1);
    await gate.arrived(1);
    await consumer.seek(1);
    gate.open();
    expect(texts(await taken)).toEqual(['1']);
  });

  test('of several, the last one counts', async () => {
    const { consumer } = await stubbed(2);
    await consumer.ready;
    await Promise.all([consumer.seek('earliest'), consumer.seek(1)]);
    expect(consumer.position(at)).toBe(1);
  });

  test('of several before the consumer is ready, the last one counts, whichever is looked up first', async () => {
    const { consumer, host } = await stubbed(2);
    const gate = latch();
    host.answer('listTopicOffsets', async (request, real) => {
      if (request.at === 'latest') await gate.opened;
      return real(request);
    });
    const earlier = consumer.seek('latest');
    await consumer.seek(1);
    gate.open();
    await earlier;
    expect(consumer.position(at)).toBe(1);
  });

  test('ends a reset that is still looking for its place', async () => {
    const { consumer, host, log } = await stubbed(4);
    await consumer.ready;
    await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 2 }]);
    const gate = host.hold('listOffsets');
    const taken = take(consumer, 1);
    await gate.arrived(1);
    await consumer.seek(3);
    expect(texts(await taken)).toEqual(['3']);
    gate.open();
  });

  test('does not wait for the news that a loop waits for', async () => {
    const { consumer } = await stubbed(2);
    await take(consumer, 2);
    const taken = take(consumer, 1);
    await settle();
    await consumer.seek('earliest');
    expect(texts(await taken)).toEqual(['0']);
  });

  test('drops what a batch has gathered and not delivered', async () => {
    const { consumer } = await stubbed(2, 20);
    const batch = consumer.batches({ max: 4, maxWaitMs: 2000 }).next();
    await settle();
    await consumer.seek('earliest');
    const { messages } = (await batch).value!;
    expect(texts(messages)).toEqual(['0', '1']);
  });
});

/** A consumer of a topic that holds `count` records. */
async function stubbed(
  count: number,
  maxWaitMs: number = AN_HOUR_MS,
): Promise<{ host: ReturnType<typeof stubHost>; log: Log; consumer: Consumer<'t'> }> {
  const { log, host } = await stubbedLog('t');
  await log.producer().sendBatch('t', numbered(count));
  return { host, log, consumer: log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs }) };
}
