import { describe, expect, test } from 'vitest';
import { STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError, topic } from '../../../src/index.ts';
import type { MessageBatch } from '../../../src/index.ts';
import { AN_HOUR_MS, logWith, numbered, texts } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const offsetsOf = ({ messages }: MessageBatch<string>): number[] =>
  messages.map(({ offset }) => offset);

test('max bounds a batch, and what is there does not wait for more', async () => {
  const log = await logWith('t');
  await log.producer().sendBatch('t', numbered(7));
  const consumer = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS });
  const batches: number[][] = [];
  for await (const batch of consumer.batches({ max: 3 })) {
    batches.push(offsetsOf(batch));
    if (batches.length === 3) break;
  }
  expect(batches).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
});

test('a batch tells where it is from and how much is left', async () => {
  const log = await logWith(topic('t', { partitions: 2 }));
  const records = numbered(10).map((record) => ({ ...record, partition: 1 }));
  await log.producer().sendBatch('t', records);
  const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
  const { value } = await consumer.batches({ max: 4 }).next();
  expect(value).toMatchObject({
    topic: 't',
    partition: 1,
    firstOffset: 0,
    lastOffset: 3,
    endOffset: 10,
    lag: 6,
  });
});

test('a batch is of one partition, and the partitions take turns', async () => {
  const log = await logWith(topic('t', { partitions: 3 }));
  const records = numbered(30).map((record, i) => ({ ...record, partition: i % 3 }));
  await log.producer().sendBatch('t', records);
  const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
  const partitions: number[] = [];
  for await (const batch of consumer.batches({ max: 5 })) {
    expect(new Set(batch.messages.map(({ partition }) => partition))).toEqual(
      new Set([batch.partition]),
    );
    if (partitions.push(batch.partition) === 6) break;
  }
  expect(new Set(partitions.slice(0, 3)).size).toBe(3);
  expect(partitions.slice(3)).toEqual(partitions.slice(0, 3));
});

describe('maxWaitMs', () => {
  test('waits for a batch to fill', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    await producer.sendBatch('t', numbered(1));
    const consumer = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS });
    const batch = consumer.batches({ max: 3, maxWaitMs: AN_HOUR_MS }).next();
    for (const record of numbered(2)) {
      await settle();
      await producer.send('t', record);
    }
    expect(texts((await batch).value!.messages)).toEqual(['0', '0', '1']);
  });

  test('and no longer', async () => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(2));
    const consumer = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS });
    const { value } = await consumer.batches({ max: 3, maxWaitMs: 20 }).next();
    expect(texts(value!.messages)).toEqual(['0', '1']);
  });

  test('ends with the consumer', async () => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(2));
    const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
    const read: MessageBatch<'t'>[] = [];
    const loop = (async () => {
      const batches = consumer.batches({ max: 3, maxWaitMs: AN_HOUR_MS });
      for await (const batch of batches) read.push(batch);
    })();
    await settle();
    await consumer.close();
    await loop;
    expect(read.length).toBeLessThanOrEqual(1);
  });
});

describe('what was gathered when something fails is not lost', () => {
  test('a fetch that can be tried again', async () => {
    const { log, host } = await stubbedLog('t');
    await log.producer().sendBatch('t', numbered(2));
    const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
    await consumer.ready;
    let calls = 0;
    host.answer('fetch', async (request, real) => {
      if (++calls === 2) throw new TablogError(STORAGE_UNAVAILABLE, 'the disk is busy');
      return real(request);
    });
    const read: (string | null)[] = [];
    while (read.length < 2) {
      try {
        const { value } = await consumer.batches({ max: 4, maxWaitMs: 50 }).next();
        read.push(...texts(value!.messages));
      } catch (error) {
        expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
      }
    }
    expect(read).toEqual(['0', '1']);
  });

  test('a topic that is deleted', async () => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(2));
    const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
    const batch = consumer.batches({ max: 4, maxWaitMs: AN_HOUR_MS }).next();
    await settle();
    await log.admin.deleteTopics(['t']);
    expect(texts((await batch).value!.messages)).toEqual(['0', '1']);
  });
});
