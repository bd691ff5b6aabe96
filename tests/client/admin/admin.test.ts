import { describe, expect, test, vi } from 'vitest';
import { DEFAULT_TOPIC_CONFIG } from '../../../src/protocol/topic.ts';
import { topic } from '../../../src/index.ts';
import { logWith, numbered, offsetsOf, openTwoTabs } from '../../support/log-fixture.ts';

const orders = topic('orders', { partitions: 3, maxRecordBytes: 1000 });

describe('createTopics', () => {
  test('tells what was made', async () => {
    const log = await logWith();
    const before = Date.now();
    const [typed, plain] = await log.admin.createTopics([orders, 'plain']);
    expect(typed).toEqual({
      name: 'orders',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      partitions: 3,
      config: { ...DEFAULT_TOPIC_CONFIG, maxRecordBytes: 1000 },
      createdAt: expect.any(Number) as number,
    });
    expect(typed.createdAt).toBeGreaterThanOrEqual(before);
    expect(plain).toMatchObject({
      partitions: 1,
      config: { maxRecordBytes: 1024 * 1024, timestampType: 'create' },
    });
    expect(plain.id).not.toBe(typed.id);
  });

  test('keeps a topic that agrees, whoever made it', async () => {
    const [first, second] = await openTwoTabs(orders);
    const again = await Promise.all([
      first.admin.createTopics([orders]),
      second.admin.createTopics([orders]),
      second.admin.createTopics(['orders']), // agrees with whatever there is
    ]);
    expect(new Set(again.flat().map(({ id }) => id)).size).toBe(1);
  });

  test('of two tabs at once makes one', async () => {
    const [first, second] = await openTwoTabs();
    const made = await Promise.all(
      [first, second, first, second].map(({ admin }) => admin.createTopics([orders])),
    );
    expect(new Set(made.flat().map(({ id }) => id)).size).toBe(1);
  });

  test('refuses one that differs, says how, and makes none', async () => {
    const log = await logWith(orders);
    const different = topic('orders', { partitions: 4, maxRecordBytes: 7 });
    const creating = log.admin.createTopics(['new', different]);
    await expect(creating).rejects.toMatchObject({
      code: 'TOPIC_EXISTS',
      details: { topic: 'orders' },
    });
    await expect(creating).rejects.toThrow(/partitions is 3, not 4; maxRecordBytes is 1000, not 7/);
    expect((await log.admin.listTopics()).map(({ name }) => name)).toEqual(['orders']);
  });

  test('none is none', async () => {
    const log = await logWith();
    expect(await log.admin.createTopics([])).toEqual([]);
  });

  test('one topic named twice is one topic, or refused', async () => {
    const log = await logWith();
    const made = await log.admin.createTopics(['t', 't']).catch(() => []);
    expect(new Set(made.map(({ id }) => id)).size).toBeLessThan(2);
  });

  test('more partitions than there are stores at first', async () => {
    const log = await logWith(topic('wide', { partitions: 150 }));
    const producer = log.producer();
    const records = numbered(150).map((record, partition) => ({ ...record, partition }));
    const placed = await producer.sendBatch('wide', records);
    expect(placed.every(({ offset }) => offset === 0)).toBe(true);
  });
});

test('listTopics knows what every tab made', async () => {
  const [first, second] = await openTwoTabs('a');
  await second.admin.createTopics(['b', orders]);
  const names = async (): Promise<string[]> =>
    (await first.admin.listTopics()).map(({ name }) => name).sort();
  expect(await names()).toEqual(['a', 'b', 'orders']);
  await second.admin.deleteTopics(['b']);
  expect(await names()).toEqual(['a', 'orders']);
});

describe('describeTopics', () => {
  test('counts what each partition holds', async () => {
    const log = await logWith(orders);
    const records = numbered(10).map((record) => ({ ...record, partition: 1 }));
    await log.producer().sendBatch('orders', records);
    const [{ partitions, ...info }] = await log.admin.describeTopics([orders]);
    expect(info).toMatchObject({ name: 'orders', config: { maxRecordBytes: 1000 } });
    const empty = { startOffset: 0, endOffset: 0, bytes: 0, segments: 0 };
    expect(partitions).toEqual([
      { partition: 0, ...empty },
      {
        partition: 1,
        startOffset: 0,
        endOffset: 10,
        bytes: expect.any(Number) as number,
        segments: 1,
      },
      { partition: 2, ...empty },
    ]);
    expect(partitions[1]!.bytes).toBeGreaterThan(61 + 10);
  });

  test('of several, in the order of the question', async () => {
    const log = await logWith('b', 'a', orders);
    const described = await log.admin.describeTopics(['b', orders, 'a', 'b']);
    expect(described.map(({ name }) => name)).toEqual(['b', 'orders', 'a', 'b']);
    expect(described.map(({ partitions }) => partitions.length)).toEqual([1, 3, 1, 1]);
    expect(await log.admin.describeTopics([])).toEqual([]);
  });

  test('of several, where one is not there, is UNKNOWN_TOPIC', async () => {
    const log = await logWith('a');
    await expect(log.admin.describeTopics(['a', 'nowhere'])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
      details: { topic: 'nowhere' },
    });
  });

  test('of none is UNKNOWN_TOPIC', async () => {
    const log = await logWith();
    const unknown = { code: 'UNKNOWN_TOPIC', details: { topic: 'nowhere' } };
    await expect(log.admin.describeTopics(['nowhere'])).rejects.toMatchObject(unknown);
  });
});

describe('createPartitions', () => {
  test('adds empty ones, and is idempotent', async () => {
    const log = await logWith(orders);
    await log.producer().send('orders', { value: 'v', partition: 2 });
    expect(await log.admin.createPartitions([{ topic: orders, partitions: 5 }])).toMatchObject([
      { partitions: 5 },
    ]);
    expect(await log.admin.createPartitions([{ topic: 'orders', partitions: 5 }])).toMatchObject([
      { partitions: 5 },
    ]);
    const [{ partitions }] = await log.admin.describeTopics(['orders']);
    expect(partitions.map(({ endOffset }) => endOffset)).toEqual([0, 0, 1, 0, 0]);
  });

  test('takes none away', async () => {
    const log = await logWith(orders);
    await expect(log.admin.createPartitions([{ topic: 'orders', partitions: 2 }])).rejects.toThrow(
      /has 3 partitions/,
    );
    await expect(
      log.admin.createPartitions([{ topic: 'nowhere', partitions: 2 }]),
    ).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
  });

  test('of several topics, all or none', async () => {
    const log = await logWith('a', orders);
    const counts = async (): Promise<number[]> =>
      (await log.admin.listTopics()).map(({ partitions }) => partitions);
    const creating = log.admin.createPartitions([
      { topic: 'a', partitions: 4 },
      { topic: orders, partitions: 2 },
    ]);
    await expect(creating).rejects.toMatchObject({
      code: 'TOPIC_EXISTS',
      details: { topic: 'orders', partitions: 3 },
    });
    expect(await counts()).toEqual([1, 3]);
    const grown = await log.admin.createPartitions([
      { topic: orders, partitions: 4 },
      { topic: 'a', partitions: 200 },
    ]);
    expect(grown.map(({ name, partitions }) => [name, partitions])).toEqual([
      ['orders', 4],
      ['a', 200],
    ]);
    expect(await counts()).toEqual([200, 4]);
    expect(await log.admin.createPartitions([])).toEqual([]);
  });
});

describe('alterTopics', () => {
  test('of several topics, all or none', async () => {
    const log = await logWith('a', orders, topic('memory', { storage: 'memory' }));
    const before = await log.admin.listTopics();
    const altering = log.admin.alterTopics([
      { topic: 'a', config: { cleanup: 'compact' } },
      { topic: 'memory', config: { retention: { bytes: null } } },
    ]);
    await expect(altering).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      details: { topic: 'memory' },
    });
    expect(await log.admin.listTopics()).toEqual(before);
    const [first, second] = await log.admin.alterTopics([
      { topic: orders, config: { maxRecordBytes: 5 } },
      { topic: 'a', config: { cleanup: 'compact' } },
    ]);
    expect(first).toMatchObject({ name: 'orders', config: { maxRecordBytes: 5 } });
    expect(second).toMatchObject({ name: 'a', config: { cleanup: 'compact' } });
    expect(await log.admin.alterTopics([])).toEqual([]);
  });

  test('changes what is given and keeps the rest', async () => {
    const log = await logWith(orders);
    const [altered] = await log.admin.alterTopics([
      { topic: orders, config: { timestampType: 'append' } },
    ]);
    expect(altered.config).toEqual({
      ...DEFAULT_TOPIC_CONFIG,
      maxRecordBytes: 1000,
      timestampType: 'append',
    });
    expect((await log.admin.describeTopics(['orders']))[0].config).toEqual(altered.config);
    const placed = await log.producer().send('orders', { value: 'v', timestamp: 5 });
    expect(placed.timestamp).toBeGreaterThan(5);
  });

  test('of none is UNKNOWN_TOPIC', async () => {
    const log = await logWith();
    const altering = log.admin.alterTopics([{ topic: 'nowhere', config: {} }]);
    await expect(altering).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });
});

test('listOffsets: the ends, and times that do not rise', async () => {
  const log = await logWith(topic('t', { partitions: 2 }));
  const records = [100, 300, 200, 400].map((timestamp) => ({
    value: 'v',
    timestamp,
    partition: 1,
  }));
  await log.producer().sendBatch('t', records);
  const at = async (ms: number): Promise<readonly number[]> =>
    offsetsOf(await log.admin.listOffsets([{ topic: 't', at: new Date(ms) }]));
  expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: 'earliest' }]))).toEqual([0, 0]);
  expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: 'latest' }]))).toEqual([0, 4]);
  expect(await at(0)).toEqual([0, 0]);
  expect(await at(150)).toEqual([0, 1]);
  expect(await at(301)).toEqual([0, 3]);
  expect(await at(401)).toEqual([0, 4]);
  const unknown = { code: 'UNKNOWN_TOPIC' };
  await expect(log.admin.listOffsets([{ topic: 'nowhere', at: 'latest' }])).rejects.toMatchObject(
    unknown,
  );
});

test('listOffsets: of several topics and places, in the order of the question', async () => {
  const log = await logWith(topic('t', { partitions: 2 }), topic('m', { storage: 'memory' }));
  await log.producer().send('t', { value: 'v', partition: 1, timestamp: 100 });
  await log.producer().sendBatch('m', numbered(2));
  const listed = await log.admin.listOffsets([
    { topic: 'm', at: 'latest' },
    { topic: 't', partition: 1, at: new Date(101) },
    { topic: 't', at: 'latest' },
    { topic: 't', partition: 1, at: 'earliest' },
  ]);
  expect(listed).toEqual([
    { topic: 'm', partition: 0, offset: 2 },
    { topic: 't', partition: 1, offset: 1 },
    { topic: 't', partition: 0, offset: 0 },
    { topic: 't', partition: 1, offset: 1 },
    { topic: 't', partition: 1, offset: 0 },
  ]);
  expect(await log.admin.listOffsets([])).toEqual([]);
  await expect(log.admin.listOffsets([{ topic: 't', partition: 2, at: 'latest' }])).rejects.toThrow(
    new RangeError('partition must be an integer from 0 to 1, got 2'),
  );
});

describe('deleteTopics', () => {
  test('deletes records too, all topics or none', async () => {
    const log = await logWith('a', 'b');
    await log.producer().send('a', { value: 'v' });
    await expect(log.admin.deleteTopics(['a', 'nowhere'])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 'a', at: 'latest' }]))).toEqual([1]);
    await log.admin.deleteTopics(['a']);
    await log.admin.createTopics(['a']);
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 'a', at: 'latest' }]))).toEqual([0]);
    await log.admin.deleteTopics(['a', 'b']);
    expect(await log.admin.listTopics()).toEqual([]);
    await log.admin.deleteTopics([]);
  });

  test('named twice does not mix up what comes after', async () => {
    const log = await logWith('t');
    await log.admin.deleteTopics(['t', 't']).catch(() => {});
    await log.admin.createTopics([topic('wide', { partitions: 65 })]);
    const records = numbered(65).map((record, partition) => ({ ...record, partition }));
    expect(await log.producer().sendBatch('wide', records)).toHaveLength(65);
  });
});

describe('describeLog', () => {
  test('tells which log it is, and how much it holds', async () => {
    const [first, second] = await openTwoTabs('a', 'b');
    const empty = await first.admin.describeLog();
    expect(empty).toMatchObject({ bytes: 0, persisted: false });
    expect(empty.logId).toMatch(/^[0-9a-f-]{36}$/);
    expect(empty.createdAt).toBeLessThanOrEqual(Date.now());
    await first.producer().send('a', { value: new Uint8Array(1000) });
    await first.producer().send('b', { value: new Uint8Array(1000) });
    const { bytes, logId } = await second.admin.describeLog();
    expect(bytes).toBeGreaterThan(2000);
    expect(bytes).toBeLessThan(2300);
    expect(logId).toBe(empty.logId);
    expect((await (await logWith()).admin.describeLog()).logId).not.toBe(logId);
  });

  test('and what the browser tells', async () => {
    const log = await logWith();
    const storage = { estimate: async () => ({ usage: 77 }), persisted: async () => true };
    vi.stubGlobal('navigator', { storage });
    const described = await log.admin.describeLog().finally(() => vi.unstubAllGlobals());
    expect(described).toMatchObject({ usageBytes: 77, persisted: true });
  });
});
