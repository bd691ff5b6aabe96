import { DEFAULT_TOPIC_CONFIG } from '../../../src/protocol/topic.ts';
import { deferred } from '../../../src/base/deferred.ts';
import { beforeEach, describe, expect, test } from 'vitest';
import { TOPIC_EXISTS, UNKNOWN_TOPIC } from '../../../src/base/error-rules.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import { poolRef } from '../../../src/store/indexeddb/idb-pool.ts';
import { openIdbStore } from '../../../src/store/indexeddb/open-idb-store.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import { TOPICS } from '../../../src/store/schema.ts';
import { stubIndexedDb } from '../../store/indexeddb/fake-indexeddb.ts';
import { baseOffset, batch, errorOf } from '../../support/broker-fixture.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { World } from '../../support/world.ts';

stubIndexedDb();
let opened = 0;

const STORES = [
  ['memory', async () => openMemoryStore(0)],
  ['IndexedDB', () => openIdbStore(`topics-${++opened}`)],
] as const;

describe.each(STORES)('over %s', (storage, open) => {
  let log: World;
  let shop: TestBroker;
  beforeEach(async () => {
    log = new World({ store: await open() });
    shop = log.broker();
  });

  /** So many partition stores are in use, each once, and all others of a pool are free. */
  async function expectTaken(count: number, { size = 64 } = {}): Promise<void> {
    const rows = await log.store.readAll<TopicRow>(TOPICS);
    const stores = rows.flatMap((row) => row.stores).toSorted((a, b) => a - b);
    expect(stores).toHaveLength(count);
    expect(new Set(stores).size).toBe(count);
    if (storage === 'memory') return; // it makes them at will
    const [pool] = await log.store.read([poolRef]);
    const all = Array.from({ length: size }, (_, i) => i);
    expect(pool!.free.toSorted((a, b) => a - b)).toEqual(all.filter((i) => !stores.includes(i)));
    expect(pool!.size).toBe(size);
  }

  const names = async (): Promise<string[]> =>
    (await shop.broker.listTopics()).map(({ name }) => name);

  describe('createTopics', () => {
    test('makes a topic with the defaults for what is left out', async () => {
      const [info] = await shop.broker.createTopics([{ name: 'orders' }]);
      expect(info).toEqual({
        name: 'orders',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        partitions: 1,
        config: DEFAULT_TOPIC_CONFIG,
        createdAt: log.clock.now(),
      });
      expect(await shop.broker.listTopics()).toEqual([info]);
    });

    test('keeps a topic that agrees, and compares only what is asked for', async () => {
      const made = await shop.create('orders', 3, { maxRecordBytes: 500 });
      expect(await shop.create('orders', 3, { maxRecordBytes: 500 })).toEqual(made);
      expect(await shop.broker.createTopics([{ name: 'orders' }])).toEqual([made]);
      await expectTaken(3);
    });

    test('is TOPIC_EXISTS for one that differs, and names each difference', async () => {
      await shop.create('orders', 3);
      const error = await errorOf(shop.create('orders', 4, { timestampType: 'append' }));
      const { code, retriable } = TOPIC_EXISTS;
      expect(error).toMatchObject({ code, retriable, details: { topic: 'orders' } });
      expect(error.message).toContain('partitions is 3, not 4');
      expect(error.message).toContain('timestampType is create, not append');
      expect(error.message).not.toContain('maxRecordBytes');
    });

    test('makes several at once, all or none', async () => {
      const three = await shop.broker.createTopics([
        { name: 'a', partitions: 2 },
        { name: 'b' },
        { name: 'c', partitions: 3 },
      ]);
      expect(three.map(({ name, partitions }) => [name, partitions])).toEqual([
        ['a', 2],
        ['b', 1],
        ['c', 3],
      ]);
      await expectTaken(6);
      await errorOf(shop.broker.createTopics([{ name: 'd' }, { name: 'a', partitions: 5 }]));
      expect(await names()).toEqual(['a', 'b', 'c']);
      await expectTaken(6);
    });

    test('extends the pool when it is exhausted, and every partition works', async () => {
      const topics = await shop.broker.createTopics(
        ['a', 'b', 'c'].map((name) => ({ name, partitions: 50 })),
      );
      await expectTaken(150, { size: 192 });
      const appends = topics.flatMap(({ id }) =>
        Array.from({ length: 50 }, (_, partition) => ({
          topicId: id,
          partition,
          batch: batch('x'),
          compression: 'none' as const,
        })),
      );
      const results = await shop.broker.produce({ appends, durability: 'relaxed' });
      expect(results.map(baseOffset)).toEqual(appends.map(() => 0));
    });

    test('makes one topic when several brokers make it at once', async () => {
      const brokers = [shop, log.broker(), log.broker()];
      const made = await Promise.all(brokers.map((broker) => broker.create('orders', 4)));
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      await expectTaken(4);
    });

    test('gives no store to two topics when brokers make them at once', async () => {
      const brokers = [shop, log.broker(), log.broker()];
      await Promise.all(brokers.map((broker, i) => broker.create(`topic-${i}`, 10)));
      await expectTaken(30);
      for (let i = 0; i < 3; i++) {
        const [described] = await shop.broker.describeTopics([`topic-${i}`]);
        expect(described!.partitions).toHaveLength(10);
      }
    });

    test('gives a topic that is named twice its stores once', async () => {
      const made = await shop.broker.createTopics([{ name: 'a', partitions: 2 }, { name: 'a' }]);
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      await expectTaken(2);
    });
  });

  test('calls that name a topic twice build on what they did before', async () => {
    const config = { retention: { ms: 5, bytes: null } };
    await shop.broker.createTopics([{ name: 'a' }]);
    const specs = [
      { name: 'a', version: 5, partitions: 3 },
      { name: 'a', version: 4, partitions: 7 },
    ];
    const made = await shop.broker.createTopics(specs);
    expect(made.map(({ version, partitions }) => [version, partitions])).toEqual([
      [5, 3],
      [5, 3],
    ]);
    const grown = [4, 6].map((partitions) => ({ name: 'a', partitions }));
    await shop.broker.createPartitions(grown);
    await expectTaken(6);
    const [, altered] = await shop.broker.alterTopics([
      { name: 'a', config },
      { name: 'a', config: { maxRecordBytes: 9 } },
    ]);
    expect(altered!.config).toMatchObject({ ...config, maxRecordBytes: 9 });
  });

  test('a topic that another broker makes amid the look for it is found', async () => {
    const other = log.broker();
    await shop.create('orders');
    await shop.broker.deleteTopics(['orders']);
    const until = deferred();
    shop.connection.failNextRead({ until: until.promise });
    const described = shop.broker.describeTopics(['orders']);
    const made = await other.create('orders', 2);
    until.resolve();
    expect((await described).map(({ id }) => id)).toEqual([made.id]);
  });

  describe('deleteTopics', () => {
    test('deletes the partitions that another broker adds meanwhile', async () => {
      const other = log.broker();
      await shop.create('orders', 2);
      const until = deferred();
      shop.connection.failNext({ until: until.promise });
      const deleted = shop.broker.deleteTopics(['orders']);
      await other.broker.createPartitions([{ name: 'orders', partitions: 5 }]);
      until.resolve();
      await deleted;
      expect(await names()).toEqual([]);
      await expectTaken(0);
    });

    test('of two brokers at once, one finds no topic any more', async () => {
      const other = log.broker();
      await shop.create('orders', 2);
      const until = deferred();
      shop.connection.failNext({ until: until.promise });
      const deleted = errorOf(shop.broker.deleteTopics(['orders']));
      await other.broker.deleteTopics(['orders']);
      until.resolve();
      expect(await deleted).toMatchObject({ ...UNKNOWN_TOPIC, details: { topic: 'orders' } });
      await expectTaken(0);
    });

    test('gives the stores back, and the data is gone', async () => {
      const old = await shop.create('orders', 2);
      await shop.append(old, 'a', 'b');
      await shop.broker.deleteTopics(['orders']);
      expect(await names()).toEqual([]);
      await expectTaken(0);
      const all = await shop.create('orders', 64);
      for (let partition = 0; partition < 64; partition++) {
        expect(await shop.readAll(all, { partition })).toEqual([]);
      }
      expect(await shop.append(all, 'c')).toBe(0);
    });

    test('fences the id of the old topic from its namesake', async () => {
      const old = await shop.create('orders');
      await shop.append(old, 'old');
      await shop.broker.deleteTopics(['orders']);
      const other = log.broker();
      const made = await other.create('orders');
      expect(made.id).not.toBe(old.id);
      for (const broker of [shop, other]) {
        expect(await errorOf(broker.append(old, 'late'))).toMatchObject({
          code: UNKNOWN_TOPIC.code,
        });
        expect(await errorOf(broker.readAll(old))).toMatchObject({ code: UNKNOWN_TOPIC.code });
        expect(await errorOf(broker.offset(old, 'latest'))).toMatchObject({
          code: UNKNOWN_TOPIC.code,
        });
      }
      expect(await shop.readAll(made)).toEqual([]);
    });

    test('fences a broker that has not heard of it', async () => {
      const orders = await shop.create('orders');
      await shop.append(orders, 'a');
      const other = log.broker({ name: 'out-of-earshot' });
      await other.broker.deleteTopics(['orders']);
      const made = await other.create('orders'); // takes the same store
      expect(await errorOf(shop.append(orders, 'b'))).toMatchObject({ code: UNKNOWN_TOPIC.code });
      expect(await other.readAll(made)).toEqual([]);
    });

    test('is UNKNOWN_TOPIC for a name that is not there, and then deletes none', async () => {
      await shop.create('orders');
      const error = await errorOf(shop.broker.deleteTopics(['orders', 'none']));
      expect(error).toMatchObject({ ...UNKNOWN_TOPIC, details: { topic: 'none' } });
      expect(await names()).toEqual(['orders']);
    });

    test('gives the stores of a topic that is named twice back once', async () => {
      await shop.create('orders', 2);
      await shop.broker.deleteTopics(['orders', 'orders']);
      await expectTaken(0);
    });
  });
});
