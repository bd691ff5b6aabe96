import { beforeEach, describe, expect, test } from 'vitest';
import { OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC } from '../../../src/base/error-rules.ts';
import { batch, found, recordsOf, valuesOf, want } from '../../support/broker-fixture.ts';
import type { FetchOptions, Found, TestBroker } from '../../support/broker-fixture.ts';
import { log, orders, shop, useShop } from '../shop.ts';

useShop(3);

const joined = ({ segments }: Found): Buffer =>
  Buffer.concat(segments.map((segment) => new Uint8Array(segment)));
const SIZE = batch('a').byteLength;

describe('fetch', () => {
  test('brings whole batches from the one that covers the offset', async () => {
    await shop.append(orders, 'a', 'b');
    await shop.append(orders, 'c', 'd');
    const fetched = found(await shop.fetch(orders, { offset: 3 }));
    expect(valuesOf(fetched)).toEqual(['c', 'd']);
    expect(fetched).toMatchObject({
      topicId: orders.id,
      partition: 0,
      endOffset: 4,
      nextOffset: 4,
      compressed: false,
    });
  });

  test('leaves out what has no news', async () => {
    expect(await shop.fetch(orders)).toBeUndefined();
    await shop.append(orders, 'a');
    expect(await shop.fetch(orders, { offset: 1 })).toBeUndefined();
    expect(await log.broker().fetch(orders, { offset: 1 })).toBeUndefined();
  });

  test('is OFFSET_OUT_OF_RANGE outside of the partition, with the range', async () => {
    await shop.append(orders, 'a', 'b');
    for (const offset of [3, -1, 1_000]) {
      for (const broker of [shop, log.broker()]) {
        expect(await broker.fetch(orders, { offset })).toMatchObject({
          error: {
            ...OFFSET_OUT_OF_RANGE,
            details: { partition: 0, offset, startOffset: 0, endOffset: 2 },
          },
        });
      }
    }
  });

  test('answers several partitions at once, in the order asked', async () => {
    const audit = await shop.create('audit');
    await shop.produce(orders, batch('o2'), { partition: 2 });
    await shop.append(audit, 'a0');
    await shop.append(orders, 'o0');
    for (const broker of [shop, log.broker()]) {
      const fetched = await broker.fetchAll([
        want(orders),
        want(audit),
        want(orders, { partition: 1 }),
        want(orders, { partition: 2 }),
      ]);
      expect(fetched.map((part) => [part.topicId, part.partition, ...valuesOf(part)])).toEqual([
        [orders.id, 0, 'o0'],
        [audit.id, 0, 'a0'],
        [orders.id, 2, 'o2'],
      ]);
    }
  });

  test('fails for one partition and leaves the others alone', async () => {
    await shop.append(orders, 'a');
    for (const broker of [shop, log.broker()]) {
      const fetched = await broker.fetchAll([
        { ...want(orders), topicId: 'nobody' },
        want(orders, { offset: 9 }),
        want(orders, { partition: 7 }),
        want(orders),
      ]);
      const outcome = new Map(
        fetched.map((part) => [
          `${part.topicId === orders.id ? 'orders' : 'nobody'} ${part.partition}`,
          'error' in part ? part.error.code : valuesOf(part),
        ]),
      );
      expect(outcome.get('nobody 0')).toBe(UNKNOWN_TOPIC.code);
      expect(outcome.get('orders 7')).toBe(UNKNOWN_TOPIC.code);
      expect(fetched).toHaveLength(4);
      expect(
        fetched.some((part) => 'error' in part && part.error.code === OFFSET_OUT_OF_RANGE.code),
      ).toBe(true);
      expect(fetched.some((part) => !('error' in part) && valuesOf(part)[0] === 'a')).toBe(true);
    }
  });

  test('an error is an answer: nobody waits on', async () => {
    const fetched = await shop.fetch(orders, { offset: 5, maxWaitMs: 60_000 });
    expect(fetched).toMatchObject({ error: { code: OFFSET_OUT_OF_RANGE.code } });
  });
});

describe('byte limits', () => {
  beforeEach(async () => {
    for (const value of ['a', 'b', 'c', 'd']) await shop.append(orders, value);
  });

  test.each<[string, () => TestBroker]>([
    ['memory', () => shop],
    ['the store', () => log.broker()],
  ])('bound what comes from %s: whole batches, and at least one', async (_, broker) => {
    const values = async (options: FetchOptions): Promise<string[]> =>
      valuesOf(await broker().fetch(orders, options));
    expect(await values({ maxBytes: 1 })).toEqual(['a']);
    expect(await values({ maxBytes: SIZE })).toEqual(['a']);
    expect(await values({ maxBytes: SIZE * 3, offset: 1 })).toEqual(['b', 'c', 'd']);
    expect(await values({ maxBytes: SIZE * 9, offset: 2 })).toEqual(['c', 'd']);
  });

  test('of 0 bring one batch as well', async () => {
    for (const broker of [shop, log.broker()]) {
      expect(valuesOf(await broker.fetch(orders, { maxBytes: 0, offset: 2 }))).toEqual(['c']);
    }
  });

  test('let a reader go on where it stopped', async () => {
    for (const broker of [shop, log.broker()]) {
      expect(await broker.readAll(orders, { maxBytes: SIZE + 1 })).toEqual(['a', 'b', 'c', 'd']);
    }
  });
});

describe('memory', () => {
  test('gives the same bytes as the store', async () => {
    await shop.append(orders, 'a', 'b');
    await shop.produce(orders, batch(...Array.from({ length: 50 }, () => 'zip me')), {
      compression: 'gzip',
    });
    await Promise.all(['c', 'd', 'e'].map((value) => shop.append(orders, value)));
    for (const offset of [0, 1, 2, 40, 52, 54]) {
      const fresh = log.broker();
      const [remembered, read] = [
        found(await shop.fetch(orders, { offset })),
        found(await fresh.fetch(orders, { offset })),
      ];
      expect(recordsOf(remembered)).toEqual(recordsOf(read));
      expect(joined(remembered)).toEqual(joined(read));
      expect({ ...remembered, segments: [] }).toEqual({ ...read, segments: [] });
    }
    expect(shop.connection.segmentReads).toBe(0);
  });

  test('is not handed out itself: what is fetched can be moved away', async () => {
    await shop.append(orders, 'a', 'b');
    for (let i = 0; i < 3; i++) {
      const fetched = found(await shop.fetch(orders));
      expect(valuesOf(fetched)).toEqual(['a', 'b']);
      structuredClone(fetched.segments, { transfer: [...fetched.segments] });
    }
  });

  test('of what another broker appended in between is not used', async () => {
    const other = log.broker({ name: 'out-of-earshot' });
    await shop.append(orders, 'a');
    await other.append(orders, 'b');
    await shop.append(orders, 'c');
    expect(await shop.readAll(orders)).toEqual(['a', 'b', 'c']);
    expect(await other.readAll(orders)).toEqual(['a', 'b', 'c']);
    const [first] = await shop.fetchAll([want(orders, { offset: 1 })]);
    expect(valuesOf(first)).toEqual(['b', 'c']);
  });

  test('is left when the tail has dropped what is asked for', async () => {
    const big = await shop.create('big', 1, { maxRecordBytes: 8 * 1024 * 1024 });
    const value = 'x'.repeat(5 * 1024 * 1024);
    for (let i = 0; i < 5; i++) await shop.append(big, value); // 16 MiB are kept
    expect(shop.connection.segmentReads).toBe(0);
    expect(await shop.readAll(big)).toHaveLength(5);
    expect(shop.connection.segmentReads).toBeGreaterThan(0);
  });
});
