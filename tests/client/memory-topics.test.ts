import { describe, expect, test } from 'vitest';
import { deferred } from '../../src/base/deferred.ts';
import { STORAGE_TIMEOUT } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import { string, topic } from '../../src/index.ts';
import type { Log, ResetEvent, TopicLike } from '../../src/index.ts';
import { partitionStore } from '../../src/store/schema.ts';
import {
  logWith,
  numbered,
  offsetsOf,
  openTwoTabs,
  readAll,
  take,
  texts,
} from '../support/log-fixture.ts';
import { eventually, settle } from '../support/waiting.ts';
import { World } from '../support/world.ts';
import { systemClock } from '../../src/platform/clock.ts';

const chat = topic('chat', { storage: 'memory', partitions: 2 });
const one = topic('one', { storage: 'memory' });
const disk = topic('disk');

const late = new TablogError(STORAGE_TIMEOUT, 'the database does not answer');

/** Where the second worker's records begin. */
const SECOND = 1_000_000_000;

async function offsets(log: Log, name: string): Promise<(readonly [number, number])[]> {
  const [{ partitions }] = await log.admin.describeTopics([name]);
  return partitions.map(({ startOffset, endOffset }) => [startOffset, endOffset] as const);
}

/** Two tabs with these topics in memory, of which the first one has the records. */
async function tabsOf(...topics: readonly TopicLike[]): Promise<[Log, Log]> {
  const tabs = await openTwoTabs(...topics);
  for (const { name } of await tabs[0].admin.listTopics()) await offsets(tabs[0], name);
  return tabs;
}

describe('a topic in memory', () => {
  test('has order, keys, replay and offsets from 0 on, as one on disk', async () => {
    const log = await logWith(chat);
    const sent = ['a', 'b', 'a', 'c', 'b'].map((key, i) => ({ key, value: String(i) }));
    const placed = await log.producer().sendBatch('chat', sent);
    const read = await readAll(log, 'chat');
    expect(read.map(({ partition, offset }) => [partition, offset])).toEqual(
      placed
        .map(({ partition, offset }) => [partition, offset] as const)
        .toSorted(([p, a], [q, b]) => p - q || a - b),
    );
    expect(new Set(texts(read))).toEqual(new Set(['0', '1', '2', '3', '4']));
    expect(texts(await readAll(log, 'chat'))).toEqual(texts(read));
  });

  test('takes nothing of the disk', async () => {
    const world = new World();
    const { log } = await world.openTab({}, one);
    await log.producer().sendBatch('one', numbered(100));
    expect((await log.admin.describeTopics(['one']))[0].partitions[0]!.bytes).toBeGreaterThan(0);
    expect((await world.broker().broker.describeLog()).bytes).toBe(0);
    const partitions = Array.from({ length: 64 }, (_, index) => partitionStore(index));
    const rows = await Promise.all(partitions.map((partition) => world.store.readAll(partition)));
    expect(rows.flat()).toEqual([]);
  });

  test('says in its description that it is, and what bounds it', async () => {
    const log = await logWith(one);
    expect((await log.admin.describeTopics(['one']))[0].config).toMatchObject({
      storage: 'memory',
      retention: { ms: null, bytes: 16 * 1024 * 1024 },
    });
  });

  test('keeps its newest records, within its bound', async () => {
    const bytes = 2 * 1024 * 1024;
    const log = await logWith(topic('one', { storage: 'memory', retention: { bytes } }));
    const value = new Uint8Array(100_000);
    for (let i = 0; i < 100; i++) await log.producer().send('one', { value });
    const [partition] = (await log.admin.describeTopics(['one']))[0].partitions;
    expect(partition!.endOffset).toBe(100);
    expect(partition!.bytes).toBeGreaterThanOrEqual(bytes);
    expect(partition!.bytes).toBeLessThan(bytes + 2 * 1024 * 1024);
    expect(await readAll(log, 'one')).toHaveLength(100 - partition!.startOffset);
  });

  test('is deleted, made again, grown, and cut', async () => {
    const log = await logWith(one);
    await log.producer().sendBatch('one', numbered(5));
    expect(await log.admin.deleteRecords([{ topic: 'one', partition: 0, before: 3 }])).toEqual([
      { topic: 'one', partition: 0, startOffset: 3 },
    ]);
    expect(texts(await readAll(log, 'one'))).toEqual(['3', '4']);
    await log.admin.createPartitions([{ topic: 'one', partitions: 2 }]);
    expect(await offsets(log, 'one')).toEqual([
      [3, 5],
      [0, 0],
    ]);
    await log.admin.deleteTopics(['one']);
    await expect(log.producer().send('one', { value: 'x' })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    await log.admin.createTopics([one]);
    expect(await offsets(log, 'one')).toEqual([[0, 0]]);
  });

  test('is compacted as others are', async () => {
    const compacted = topic('one', { storage: 'memory', cleanup: 'compact' });
    const log = await logWith(compacted);
    await expect(log.producer().send('one', { value: 'x' })).rejects.toMatchObject({
      code: 'INVALID_RECORD',
    });
  });

  test('is exported and imported', async () => {
    const log = await logWith(one, topic('two', { storage: 'memory' }));
    await log.producer().sendBatch('one', numbered(10));
    const file = await new Response(
      log.admin.exportPartition({ topic: 'one', partition: 0 }),
    ).arrayBuffer();
    expect(
      await log.admin.importPartition({ topic: 'two', partition: 0 }, new Uint8Array(file)),
    ).toMatchObject({
      records: 10,
    });
    expect(texts(await readAll(log, 'two'))).toEqual(texts(await readAll(log, 'one')));
  });

  test('finds offsets by time, and refuses the wrong expected one', async () => {
    const log = await logWith(one);
    const producer = log.producer();
    for (const timestamp of [1000, 2000, 3000]) {
      await producer.send('one', { value: 'x', timestamp: new Date(timestamp) });
    }
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 'one', at: new Date(1500) }]))).toEqual([
      1,
    ]);
    await expect(
      producer.send('one', { value: 'x', partition: 0, expectedOffset: 2 }),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(
      await producer.send('one', { value: 'x', partition: 0, expectedOffset: 3 }),
    ).toMatchObject({ offset: 3 });
  });
});

describe('what does not go together', () => {
  test.each([
    ['a bound that is none', { retention: { bytes: null } }, 'retention.bytes is null'],
    ['protectUncommitted', { protectUncommitted: ['g'] }, 'protectUncommitted'],
  ])('is refused when it is described, and when it is changed: %s', async (_, options, named) => {
    expect(() => topic('one', { storage: 'memory', ...options })).toThrow(named);
    const log = await logWith(one);
    await expect(log.admin.alterTopics([{ topic: 'one', config: options }])).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(named) as string,
    });
  });

  test('is another storage for a topic that there is', async () => {
    const log = await logWith(disk);
    await expect(
      log.admin.alterTopics([{ topic: 'disk', config: { storage: 'memory' } as never }]),
    ).rejects.toThrow('alterTopics() has no option "storage"');
    await expect(
      log.admin.createTopics([topic('disk', { storage: 'memory' })]),
    ).rejects.toMatchObject({ code: 'TOPIC_EXISTS' });
  });

  test('is a transaction: nothing of it is stored', async () => {
    const log = await logWith(one, disk);
    const sent = log.producer().transaction((tx) => {
      tx.send('disk', { value: 'x' });
      tx.send('one', { value: 'x' });
    });
    await expect(sent).rejects.toMatchObject({ code: 'TOPIC_IN_MEMORY' });
    expect(await readAll(log, 'disk')).toEqual([]);
    expect(await readAll(log, 'one')).toEqual([]);
  });

  test('is another word for the storage', () => {
    expect(() => topic('one', { storage: 'ram' as 'memory' })).toThrow(
      'storage must be one of "disk", "memory", got "ram"',
    );
  });
});

describe('tabs with a worker each', () => {
  test('share one order: what both send, both read', async () => {
    const [first, second] = await tabsOf(one);
    const sent = await Promise.all(
      [first, second].map((log, i) =>
        log.producer().sendBatch(
          'one',
          Array.from({ length: 50 }, (_, j) => ({ value: `${i}-${j}` })),
        ),
      ),
    );
    const all = sent.flat().map(({ offset }) => offset);
    expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    const read = texts(await readAll(second, 'one'));
    expect(read).toEqual(texts(await readAll(first, 'one')));
    const ofFirst = read.filter((text) => text?.startsWith('0-'));
    expect(ofFirst).toEqual(Array.from({ length: 50 }, (_, j) => `0-${j}`));
  });

  test('hear of each other at once, in one poll with topics on disk', async () => {
    const [first, second] = await tabsOf(one, disk);
    const consumer = second.consumer({ topics: ['one', 'disk'] });
    await consumer.ready;
    const messages = consumer[Symbol.asyncIterator]();
    for (const name of ['one', 'disk', 'one']) {
      const next = messages.next();
      await first.producer().send(name, { value: name });
      expect((await next).value).toMatchObject({ topic: name });
    }
  });

  test('ask whoever has the records for all the rest, too', async () => {
    const [first, second] = await tabsOf(one);
    await second.producer().sendBatch('one', numbered(10));
    expect(await offsets(second, 'one')).toEqual([[0, 10]]);
    expect(offsetsOf(await second.admin.listOffsets([{ topic: 'one', at: 'latest' }]))).toEqual([
      10,
    ]);
    const file = await new Response(
      second.admin.exportPartition({ topic: 'one', partition: 0 }),
    ).arrayBuffer();
    expect(await second.admin.deleteRecords([{ topic: 'one', partition: 0, before: 4 }])).toEqual([
      { topic: 'one', partition: 0, startOffset: 4 },
    ]);
    expect(await offsets(first, 'one')).toEqual([[4, 10]]);
    await second.admin.createTopics([topic('two', { storage: 'memory' })]);
    await second.admin.importPartition({ topic: 'two', partition: 0 }, new Uint8Array(file));
    expect(texts(await readAll(first, 'two'))).toEqual(numbered(10).map(({ value }) => value));
  });

  test('share the work in a group', async () => {
    const [first, second] = await tabsOf(chat);
    const consumers = [first, second].map((log) =>
      log.consumer({ group: 'g', topics: ['chat'], from: 'earliest' }),
    );
    await Promise.all(consumers.map((consumer) => consumer.ready));
    await Promise.all(
      [0, 1].map((partition) =>
        first.producer().sendBatch(
          'chat',
          numbered(5).map((record) => ({ ...record, partition })),
        ),
      ),
    );
    const read = await Promise.all(consumers.map((consumer) => take(consumer, 5)));
    expect(read.map((messages) => texts(messages))).toEqual(
      [0, 1].map(() => numbered(5).map(({ value }) => value)),
    );
    await Promise.all(consumers.map((consumer) => consumer.close()));
    const [{ partitions }] = await second.admin.describeGroups(['g']);
    // The last message of a loop that was left comes again.
    expect(partitions.map(({ lag }) => lag)).toEqual([1, 1]);
  });
});

test.each([undefined, 'g'])(
  'a disk that failed stops no reader for good: group %s',
  async (group) => {
    const world = new World();
    const { log, connections } = await world.openTab({ clock: systemClock }, one);
    const { log: other } = await world.openTab({ clock: systemClock });
    await log.producer().send('one', { value: 'a' });
    const options = { topics: ['one'] as const, from: 'earliest', maxWaitMs: 1 } as const;
    const consumer = log.consumer(group === undefined ? options : { ...options, group });
    const read = new Set<string | null>();
    const failures: unknown[] = [];
    const reading = (async () => {
      while (!read.has('b') && failures.length < 10) {
        try {
          for await (const message of consumer) {
            for (const text of texts([message])) read.add(text);
            if (read.has('b')) break;
          }
        } catch (error) {
          failures.push(error);
        }
      }
    })();
    await eventually(() => expect([...read]).toEqual(['a']));
    const ends = deferred();
    const hangs = { until: ends.promise, error: late, closes: late };
    connections[0]!.failNextRead(...Array.from({ length: 5 }, () => hangs));
    await other.admin.createTopics([disk]); // all look up anew whose partitions they read
    await settle(100);
    ends.resolve();
    await eventually(() => expect(connections.length).toBeGreaterThan(1));
    await other.producer().send('one', { value: 'b' });
    await reading;
    expect([...read]).toEqual(['a', 'b']);
    for (const failure of failures) expect(failure).toMatchObject({ code: late.code });
  },
);

describe('when the worker with the records goes', () => {
  test('they are gone, and offsets go on from a higher number', async () => {
    const [first, second] = await tabsOf(one);
    await first.producer().sendBatch('one', numbered(10));
    expect(await readAll(second, 'one')).toHaveLength(10);
    await first.close();
    expect(await offsets(second, 'one')).toEqual([[SECOND, SECOND]]);
    expect(await second.producer().send('one', { value: 'x' })).toMatchObject({ offset: SECOND });
  });

  test('a reader goes on with the first record that is there, and is told', async () => {
    const [first, second] = await tabsOf(one);
    const consumer = second.consumer({ topics: [topic('one', { value: string() })] });
    const resets: ResetEvent[] = [];
    consumer.on('reset', (event) => void resets.push(event));
    await consumer.ready;
    await first.producer().sendBatch('one', numbered(3));
    expect((await take(consumer, 3)).map(({ value }) => value)).toEqual(['0', '1', '2']);
    await first.close();
    const producer = second.producer();
    await producer.send('one', { value: 'new' });
    await producer.send('one', { value: 'newer' });
    expect((await take(consumer, 2)).map(({ value }) => value)).toEqual(['new', 'newer']);
    expect(resets).toEqual([
      {
        topic: 'one',
        partition: 0,
        outOfRange: 3,
        startOffset: SECOND,
        endOffset: expect.any(Number) as number,
        offset: SECOND,
      },
    ]);
  });

  test('a poll that waits for it goes on with the next one', async () => {
    const [first, second] = await tabsOf(one);
    const consumer = second.consumer({ topics: ['one'] });
    await consumer.ready;
    const next = consumer[Symbol.asyncIterator]().next();
    await first.close();
    await second.producer().send('one', { value: 'x' });
    expect((await next).value).toMatchObject({ offset: SECOND });
  });

  test('a group goes on with the first record that is there', async () => {
    const [first, second] = await tabsOf(one);
    await first.producer().sendBatch('one', numbered(3));
    const member = { group: 'g', topics: ['one'] as const };
    const before = second.consumer({ ...member, from: 'earliest' });
    expect(texts(await take(before, 3))).toEqual(['0', '1', '2']);
    await before.close();
    await first.close();
    await second.producer().send('one', { value: 'new' });
    const after = second.consumer({ ...member, from: 'latest' });
    expect(texts(await take(after, 1))).toEqual(['new']);
  });

  test('topics on disk stay', async () => {
    const [first, second] = await tabsOf(one, disk);
    await first.producer().sendBatch('disk', numbered(3));
    await first.close();
    expect(texts(await readAll(second, 'disk'))).toEqual(['0', '1', '2']);
  });

  test('a producer that sent in vain sends again, and its records come once each, in order', async () => {
    const [first, second] = await tabsOf(one);
    const producer = second.producer();
    const sent = Array.from({ length: 20 }, (_, i) => producer.send('one', { value: String(i) }));
    await first.close();
    const placed = await Promise.all(sent);
    const kept = placed.flatMap(({ offset }, i) => (offset >= SECOND ? [String(i)] : []));
    expect(texts(await readAll(second, 'one'))).toEqual(kept);
  });
});

describe('a batch from a tab whose worker does not have the records', () => {
  const stamped = topic('one', { storage: 'memory', timestampType: 'append', value: string() });

  test.each(['none', 'gzip'] as const)(
    'gets the time of its append where they are: compression %s',
    async (compression) => {
      const [first, second] = await tabsOf(stamped);
      const before = Date.now();
      const sent = { value: 'x'.repeat(1_000), timestamp: 5 };
      const placed = await second.producer({ compression }).send(stamped, sent);
      expect(placed.timestamp).toBeGreaterThanOrEqual(before);
      for (const tab of [first, second]) {
        const [message] = await readAll(tab, stamped);
        expect(message).toMatchObject({ value: sent.value, timestamp: placed.timestamp });
      }
    },
  );

  test('is checked there: one that breaks a rule says which, and others are stored', async () => {
    const [, second] = await tabsOf(stamped);
    const producer = second.producer();
    const sent = [
      producer.send(stamped, { value: 'a', partition: 0, expectedOffset: 7 }),
      producer.send(stamped, { value: 'b' }),
    ];
    const [conflict, placed] = await Promise.allSettled(sent);
    expect(conflict).toMatchObject({ reason: { code: 'CONFLICT' } });
    expect(placed).toMatchObject({ value: { offset: 0 } });
  });
});
