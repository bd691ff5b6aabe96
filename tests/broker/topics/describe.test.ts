import { describe, expect, test } from 'vitest';
import { TOPIC_EXISTS, UNKNOWN_TOPIC } from '../../../src/base/error-rules.ts';
import { batch, errorOf } from '../../support/broker-fixture.ts';
import { log, shop, useShop } from '../shop.ts';

useShop(0);

describe('listTopics', () => {
  test('lists topics by name, whoever made them', async () => {
    expect(await shop.broker.listTopics()).toEqual([]);
    await shop.create('b');
    await log.broker().create('a', 2);
    expect((await shop.broker.listTopics()).map(({ name }) => name)).toEqual(['a', 'b']);
  });
});

describe('describeTopics', () => {
  test('tells offsets, bytes and rows of each partition', async () => {
    const orders = await shop.create('orders', 2);
    const bytes = batch('a', 'b').byteLength;
    await shop.append(orders, 'a', 'b');
    await shop.append(orders, 'c', 'd');
    expect(await shop.broker.describeTopics(['orders'])).toEqual([
      {
        ...orders,
        partitions: [
          { partition: 0, startOffset: 0, endOffset: 4, bytes: 2 * bytes, segments: 2 },
          { partition: 1, startOffset: 0, endOffset: 0, bytes: 0, segments: 0 },
        ],
      },
    ]);
  });

  test('sees what another broker appended', async () => {
    const orders = await shop.create('orders');
    await log.broker().append(orders, 'a');
    const [described] = await shop.broker.describeTopics(['orders']);
    expect(described!.partitions).toMatchObject([{ endOffset: 1 }]);
  });

  test('answers in the order asked, and is UNKNOWN_TOPIC for a name that is not there', async () => {
    await shop.create('a');
    await shop.create('b');
    const described = await shop.broker.describeTopics(['b', 'a']);
    expect(described.map(({ name }) => name)).toEqual(['b', 'a']);
    const error = await errorOf(shop.broker.describeTopics(['a', 'c']));
    expect(error).toMatchObject({ ...UNKNOWN_TOPIC, details: { topic: 'c' } });
  });
});

describe('describeLog', () => {
  test('tells the log id, its age, and the bytes of all topics', async () => {
    const [a, b] = [await shop.create('a'), await shop.create('b', 2)];
    const createdAt = log.clock.now();
    log.clock.advance(1_000);
    expect(await shop.broker.describeLog()).toMatchObject({ createdAt, bytes: 0 });
    await shop.append(a, 'x');
    await shop.produce(b, batch('y'), { partition: 1 });
    const described = await shop.broker.describeLog();
    expect(described.bytes).toBe(2 * batch('x').byteLength);
    expect(await log.broker().broker.describeLog()).toEqual(described);
  });
});

describe('createPartitions', () => {
  test('adds empty partitions and leaves the records where they are', async () => {
    const orders = await shop.create('orders', 2);
    await shop.append(orders, 'a');
    const [grown] = await shop.broker.createPartitions([{ name: 'orders', partitions: 5 }]);
    expect(grown).toEqual({ ...orders, partitions: 5 });
    expect(await shop.readAll(orders)).toEqual(['a']);
    await shop.produce(orders, batch('b'), { partition: 4 });
    expect(await shop.readAll(orders, { partition: 4 })).toEqual(['b']);
  });

  test('is seen by a broker that knew the topic before', async () => {
    const orders = await shop.create('orders');
    const other = log.broker();
    await other.append(orders, 'a');
    await shop.broker.createPartitions([{ name: 'orders', partitions: 2 }]);
    expect(await other.produce(orders, batch('b'), { partition: 1 })).toMatchObject({
      baseOffset: 0,
    });
  });

  test('keeps the number it has, and refuses fewer', async () => {
    const orders = await shop.create('orders', 3);
    expect(await shop.broker.createPartitions([{ name: 'orders', partitions: 3 }])).toEqual([
      orders,
    ]);
    const error = await errorOf(shop.broker.createPartitions([{ name: 'orders', partitions: 2 }]));
    expect(error).toMatchObject({ code: TOPIC_EXISTS.code, details: { partitions: 3 } });
  });

  test('is UNKNOWN_TOPIC for a topic that is not there', async () => {
    const error = await errorOf(shop.broker.createPartitions([{ name: 'none', partitions: 2 }]));
    expect(error).toMatchObject({ code: UNKNOWN_TOPIC.code });
  });
});

describe('alterTopics', () => {
  test('changes what is given, for appends to come and for every broker', async () => {
    const orders = await shop.create('orders', 1, { timestampType: 'append' });
    const other = log.broker();
    await other.append(orders, 'before');
    const [altered] = await other.broker.alterTopics([
      {
        name: 'orders',
        config: { maxRecordBytes: 3 },
      },
    ]);
    expect(altered!.config).toEqual({ ...orders.config, maxRecordBytes: 3 });
    expect(await errorOf(other.append(orders, 'four'))).toMatchObject({ code: 'RECORD_TOO_LARGE' });
    expect((await shop.broker.listTopics())[0]).toEqual(altered);
    expect(await errorOf(shop.append(orders, 'four'))).toMatchObject({ code: 'RECORD_TOO_LARGE' });
  });

  test('is UNKNOWN_TOPIC for a topic that is not there', async () => {
    const error = await errorOf(shop.broker.alterTopics([{ name: 'none', config: {} }]));
    expect(error).toMatchObject({ ...UNKNOWN_TOPIC, details: { topic: 'none' } });
  });
});

test('a partition that a topic does not have is UNKNOWN_TOPIC', async () => {
  const orders = await shop.create('orders', 2);
  const result = await shop.produce(orders, batch('a'), { partition: 2 });
  expect(result).toMatchObject({
    error: { code: UNKNOWN_TOPIC.code, details: { topicId: orders.id, partition: 2 } },
  });
});
