import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { UNKNOWN_TOPIC } from '../../../src/base/error-rules.ts';
import { batch, errorOf, timedBatch } from '../../support/broker-fixture.ts';
import { log, orders, shop, useShop } from '../shop.ts';

let partitions = 0;

useShop(2);
beforeEach(() => {
  partitions = 0;
});

describe('listOffsets', () => {
  test('is the same at both ends of an empty partition', async () => {
    expect(await shop.offset(orders, 'earliest')).toBe(0);
    expect(await shop.offset(orders, 'latest')).toBe(0);
    expect(await shop.offset(orders, 0)).toBe(0);
    expect(await shop.offset(orders, Date.now())).toBe(0);
  });

  test('tells the first and the next offset, whoever appended', async () => {
    await log.broker().append(orders, 'a', 'b', 'c');
    expect(await shop.offset(orders, 'earliest')).toBe(0);
    expect(await shop.offset(orders, 'latest')).toBe(3);
  });

  test('finds the first record at or after a time', async () => {
    await shop.produce(orders, timedBatch([100, 'a'], [200, 'b']));
    await shop.produce(orders, timedBatch([300, 'c']));
    const found = await Promise.all(
      [0, 100, 101, 200, 250, 300, 301].map((time) => shop.offset(orders, time)),
    );
    expect(found).toEqual([0, 0, 1, 1, 2, 2, 3]);
  });

  test('finds the first one also where time goes back', async () => {
    await shop.produce(orders, timedBatch([500, 'a'], [100, 'b'], [300, 'c']));
    await shop.produce(orders, timedBatch([200, 'd'], [600, 'e']));
    const found = await Promise.all(
      [100, 300, 500, 501, 600].map((time) => shop.offset(orders, time)),
    );
    expect(found).toEqual([0, 0, 0, 4, 4]);
  });

  test('looks into compressed batches', async () => {
    const records = Array.from({ length: 100 }, (_, i) => [i * 10, 'the same value'] as const);
    await shop.produce(orders, timedBatch(...records), { compression: 'gzip' });
    expect(await shop.offset(orders, 495)).toBe(50);
  });

  test('goes by the time of the append where the topic does', async () => {
    const audit = await shop.create('audit', 1, { timestampType: 'append' });
    await shop.produce(audit, timedBatch([1, 'a']));
    log.clock.advance(1_000);
    await shop.produce(audit, timedBatch([1, 'b'], [2, 'c']));
    expect(await shop.offset(audit, log.clock.now() - 500)).toBe(1);
    expect(await shop.offset(audit, log.clock.now())).toBe(1);
    expect(await shop.offset(audit, log.clock.now() + 1)).toBe(3);
  });

  test('answers several partitions in the order asked', async () => {
    await shop.append(orders, 'a', 'b');
    await shop.produce(orders, batch('x'), { partition: 1 });
    const of = (partition: number, at: 'earliest' | 'latest') => ({
      topicId: orders.id,
      partition,
      at,
    });
    expect(
      await shop.broker.listOffsets([of(1, 'latest'), of(0, 'latest'), of(0, 'earliest')]),
    ).toEqual([1, 2, 0]);
  });

  test('is UNKNOWN_TOPIC for what is not there', async () => {
    const error = await errorOf(shop.offset(orders, 'latest', { partition: 2 }));
    expect(error).toMatchObject({
      ...UNKNOWN_TOPIC,
      details: { topicId: orders.id, partition: 2 },
    });
  });

  const time = fc.integer({ min: 0, max: 50 });
  const batches = fc.array(fc.array(time, { minLength: 1, maxLength: 5 }), { maxLength: 12 });

  test('finds what a search of all records would, whatever their times', async () => {
    await fc.assert(
      fc.asyncProperty(
        batches,
        fc.array(time, { minLength: 1, maxLength: 8 }),
        async (batches, times) => {
          const topic = await shop.create(`topic-${partitions++}`);
          for (const stamps of batches) {
            await shop.produce(topic, timedBatch(...stamps.map((stamp) => [stamp, 'x'] as const)));
          }
          const all = batches.flat();
          for (const at of times) {
            const first = all.findIndex((stamp) => stamp >= at);
            expect(await shop.offset(topic, at)).toBe(first === -1 ? all.length : first);
          }
          await shop.broker.deleteTopics([topic.name]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('does so in a partition that the time index only samples', async () => {
    // 40 KiB a batch: the index has an entry for every other one at most.
    const filler = 'x'.repeat(8 * 1024);
    const stamps = Array.from({ length: 40 }, (_, i) =>
      Array.from({ length: 5 }, (_, n) => ((i * 37 + n * 11) % 101) + i * 3),
    );
    for (const batchStamps of stamps) {
      await shop.produce(
        orders,
        timedBatch(...batchStamps.map((stamp) => [stamp, filler] as const)),
      );
    }
    const all = stamps.flat();
    for (let at = -1; at <= Math.max(...all) + 1; at += 4) {
      const first = all.findIndex((stamp) => stamp >= at);
      expect(await log.broker().offset(orders, at)).toBe(first === -1 ? all.length : first);
    }
  });
});
