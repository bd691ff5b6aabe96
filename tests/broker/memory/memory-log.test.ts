import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { STORAGE_TIMEOUT, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import type { TopicConfig, TopicInfo } from '../../../src/protocol/topic.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { batchOf, recordOf } from '../../support/batches.ts';
import { recordsOf, valuesOf } from '../../support/broker-fixture.ts';
import { settle } from '../../support/waiting.ts';
import { log, shop, useShop } from '../shop.ts';

/** Where the second worker's records begin. */
const SECOND = 1_000_000_000;
const KIB = 1024;
const HOUR_MS = 3_600_000;

const late = new TablogError(STORAGE_TIMEOUT, 'the database does not answer');
const gone = new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database');

useShop(0);

function create(name: string, config: Partial<TopicConfig> = {}): Promise<TopicInfo> {
  return shop.create(name, 1, { storage: 'memory', ...config });
}

async function bytesOf(name: string): Promise<number> {
  const [described] = await shop.broker.describeTopics([name]);
  return described!.partitions[0]!.bytes;
}

describe('the records', () => {
  test('outlive the connection to the store, for all who read them', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const other = log.broker();
    expect(await other.readAll(topic)).toEqual(['a']);
    for (const broker of [shop, other]) {
      broker.connection.close(gone);
      expect(await broker.append(topic, 'b')).toBeGreaterThan(0);
    }
    for (const broker of [shop, other]) {
      expect(await broker.readAll(topic)).toEqual(['a', 'b', 'b']);
      expect(broker.connections).toHaveLength(2);
    }
  });

  test('let a poll wait on as the connection is made anew', async () => {
    const topic = await create('one');
    const poll = shop.fetch(topic, { maxWaitMs: HOUR_MS });
    await settle();
    shop.connection.close(gone);
    await settle();
    await shop.append(topic, 'a');
    expect(valuesOf(await poll)).toEqual(['a']);
  });

  test.each([1, 2, 3, 4])(
    'are read though the next connection fails, too, at its call %i',
    async (nth) => {
      let opened = 0;
      const openStore = async (): Promise<Store> => {
        const store = log.connect();
        if (++opened === 2) store.failNth(nth, { error: gone, closes: gone });
        return store;
      };
      const broker = log.broker({ openStore });
      const topic = await broker.create('one', 1, { storage: 'memory' });
      await broker.append(topic, 'a');
      broker.connection.close(gone);
      expect(valuesOf(await broker.fetch(topic))).toEqual(['a']);
    },
  );

  test('are not what is wrong where the disk does not say whose they are', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const faults = Array.from({ length: 3 }, () => ({ error: late }));
    shop.connection.failNextRead(...faults);
    await log.broker().create('two');
    await settle();
    await expect(shop.fetch(topic)).rejects.toMatchObject({ code: late.code });
    shop.connection.close(gone);
    expect(valuesOf(await shop.fetch(topic))).toEqual(['a']);
  });

  test('are not those of another log that is in the store now', async () => {
    let { store } = log;
    const moved = log.broker({ openStore: async () => store });
    const topic = await moved.create('one', 1, { storage: 'memory' });
    await moved.append(topic, 'a');
    store = openMemoryStore();
    moved.connection.close(gone);
    const deleted = { code: 'CLOSED', details: { reason: 'deleted' } };
    await expect(moved.append(topic, 'b')).rejects.toMatchObject(deleted);
    const later = log.broker({ openStore: async () => store });
    const again = await later.create('one', 1, { storage: 'memory' });
    expect(await later.readAll(again)).toEqual([]);
  });

  test('go with their topic, and one of the same name has none', async () => {
    const [one, kept] = [await create('one'), await create('kept')];
    const other = log.broker();
    for (const topic of [one, kept]) await shop.append(topic, 'a');
    expect(await other.readAll(one)).toEqual(['a']);
    await other.broker.deleteTopics(['one']);
    const again = await other.create('one', 1, { storage: 'memory' });
    await settle();
    for (const broker of [shop, other]) {
      await expect(broker.append(one, 'b')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
      expect(await broker.readAll(again)).toEqual([]);
      expect(await broker.readAll(kept)).toEqual(['a']);
    }
  });

  test('of a topic that is made as the end of another one is looked up stay', async () => {
    const old = await create('old');
    await shop.append(old, 'a');
    const other = log.broker();
    const late = deferred();
    // What there was before is known after what there is now.
    shop.connection.failNextRead({ answered: late.promise });
    await other.broker.deleteTopics(['old']);
    await settle();
    const made = await other.create('made', 1, { storage: 'memory' });
    await settle();
    await shop.append(made, 'a');
    late.resolve();
    await settle();
    expect(await shop.readAll(made)).toEqual(['a']);
  });

  test('that were imported, however far they got, are not met by what comes after', async () => {
    const topic = await create('one');
    const file = batchOf([recordOf({ value: 'a' })], { baseOffset: 5 * SECOND }).buffer;
    await shop.broker.importPartition({ topicId: topic.id, partition: 0, file });
    expect(await shop.offset(topic, 'latest')).toBe(5 * SECOND + 1);
    shop.broker.close();
    expect(await log.broker().append(topic, 'b')).toBeGreaterThan(5 * SECOND);
  });
});

describe('a file', () => {
  const fileTo = (endOffset: number): ArrayBuffer =>
    batchOf([recordOf({ value: 'a' })], { baseOffset: endOffset - 1 }).buffer;

  test('that is refused reserves nothing', async () => {
    const topic = await create('one');
    await shop.append(topic, 'a');
    const refused = { topicId: topic.id, partition: 0, file: fileTo(2 ** 52) };
    await expect(shop.broker.importPartition(refused)).rejects.toMatchObject({
      code: 'PARTITION_NOT_EMPTY',
    });
    shop.broker.close();
    expect(await log.broker().append(topic, 'b')).toBe(SECOND);
  });

  test('can get so far that what comes after still has safe offsets, and no farther', async () => {
    const [one, two] = [await create('one'), await create('two')];
    const { broker } = shop;
    const far = { topicId: one.id, partition: 0, file: fileTo(2 ** 52) };
    expect(await broker.importPartition(far)).toMatchObject({ endOffset: 2 ** 52 });
    expect(await shop.append(one, 'b')).toBe(2 ** 52);
    const tooFar = { topicId: two.id, partition: 0, file: fileTo(2 ** 52 + 1) };
    await expect(broker.importPartition(tooFar)).rejects.toMatchObject({
      code: 'INVALID_LOG_FILE',
      happened: expect.stringContaining(`ends at offset ${2 ** 52 + 1}`) as string,
    });
    broker.close();
    const next = log.broker();
    for (const value of ['c', 'd']) {
      expect(Number.isSafeInteger(await next.append(one, value))).toBe(true);
    }
    expect(await next.append(two, 'a')).toBe(SECOND);
  });
});

describe('what is kept', () => {
  const large = Array.from({ length: 10 }, () => 'x'.repeat(100 * KIB));

  test('has a bound, whoever sends', async () => {
    const topic = await create('one', { retention: { ms: null, bytes: 100 * KIB } });
    await shop.append(topic, 'first');
    const other = log.broker();
    for (const value of [...large, ...large]) await other.append(topic, value);
    const start = await other.offset(topic, 'earliest');
    expect(start).toBeGreaterThan(0);
    expect(await other.offset(topic, 'latest')).toBe(21);
    expect((await other.readAll(topic, { offset: start })).length).toBe(21 - start);
    expect(await bytesOf('one')).toBeLessThan(1_300 * KIB);
  });

  const retention = { ms: null, bytes: 100 * KIB };

  test.each(['one key', 'many keys'])(
    'has that bound where the topic is compacted: %s',
    async (of) => {
      const topic = await create('state', { cleanup: 'compact', retention });
      for (const [i, value] of [...large, ...large, ...large].entries()) {
        const record = recordOf({ key: of === 'one key' ? 'k' : String(i), value });
        await shop.produce(topic, batchOf([record]).buffer);
      }
      await settle();
      expect(await bytesOf('state')).toBeLessThan(1_300 * KIB);
      for (let rounds = 0; rounds < 2; rounds++) await log.pass(300_000);
      const bytes = await bytesOf('state');
      expect(bytes).toBeGreaterThanOrEqual(100 * KIB);
      expect(bytes).toBeLessThan(300 * KIB);
      expect(await shop.offset(topic, 'latest')).toBe(30);
    },
  );

  test('has that bound where a file is imported', async () => {
    const topic = await create('one', { retention });
    const batches = [...large, ...large, ...large].map((value, baseOffset) =>
      batchOf([recordOf({ value })], { baseOffset }),
    );
    const file = new Uint8Array(Buffer.concat(batches)).buffer;
    const imported = await shop.broker.importPartition({ topicId: topic.id, partition: 0, file });
    expect(imported).toEqual({ startOffset: 0, endOffset: 30, records: 30 });
    await settle();
    expect(await bytesOf('one')).toBeLessThan(1_300 * KIB);
  });

  test('is not what is older than retention.ms', async () => {
    const topic = await create('one', { retention: { ms: HOUR_MS, bytes: 1024 * KIB } });
    const append = (value: string): Promise<unknown> =>
      shop.produce(topic, batchOf([recordOf({ value, timestamp: log.clock.now() })]).buffer);
    await append('old');
    await log.pass(HOUR_MS / 2);
    expect(await shop.offset(topic, 'earliest')).toBe(0);
    await log.pass(HOUR_MS);
    expect(await shop.offset(topic, 'earliest')).toBe(1);
    await append('new');
    expect(await shop.readAll(topic, { offset: 1 })).toEqual(['new']);
  });

  test('of a compacted topic is the last of each key', async () => {
    const topic = await create('state', { cleanup: 'compact' });
    for (const [i, key] of ['a', 'b', 'a', 'c', 'b', 'a'].entries()) {
      const record = recordOf({ key, value: String(i), timestamp: log.clock.now() });
      await shop.produce(topic, batchOf([record]).buffer);
    }
    for (let rounds = 0; rounds < 3; rounds++) await log.pass(300_000);
    const fetched = await log.broker().fetch(topic);
    const values = recordsOf(fetched).map(({ offset, value }) => [
      offset,
      Buffer.from(value!, 'hex').toString(),
    ]);
    // What was appended last may stay as it is.
    expect(values.slice(-2)).toEqual([
      [4, '4'],
      [5, '5'],
    ]);
    expect(values.map(([offset]) => offset)).not.toContain(0);
  });

  test('is tended though one topic is deleted meanwhile', async () => {
    const retention = { ms: HOUR_MS, bytes: 1024 * KIB };
    const [first, topic] = [
      await create('first', { retention }),
      await create('one', { retention }),
    ];
    for (const one of [first, topic]) await shop.append(one, 'old');
    // Nobody tells: as when the hint is lost.
    const silent = log.broker({ name: 'another channel' });
    await silent.broker.deleteTopics(['first']);
    await shop.broker.listTopics();
    await log.pass(HOUR_MS);
    expect(await shop.offset(topic, 'earliest')).toBe(1);
  });
});
