import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Log, ResetEvent } from '../../../src/index.ts';
import {
  AN_HOUR_MS,
  logWith,
  numbered,
  offsetsOf,
  readAll,
  take,
  texts,
} from '../../support/log-fixture.ts';
import { settle } from '../../support/waiting.ts';

const first = { topic: 't', partition: 0 };

async function logOf(count: number): Promise<Log> {
  const log = await logWith('t');
  await log.producer().sendBatch('t', numbered(count));
  return log;
}

async function startOf(log: Log): Promise<number> {
  return (await log.admin.describeTopics(['t']))[0].partitions[0]!.startOffset;
}

describe('the start', () => {
  test('moves, and is told', async () => {
    const log = await logOf(10);
    expect(await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 4 }])).toEqual([
      { topic: 't', partition: 0, startOffset: 4 },
    ]);
    expect((await log.admin.describeTopics(['t']))[0].partitions[0]).toMatchObject({
      startOffset: 4,
      endOffset: 10,
    });
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: 'earliest' }]))).toEqual([4]);
    expect(texts(await readAll(log, 't'))).toEqual(['4', '5', '6', '7', '8', '9']);
  });

  test('never moves back', async () => {
    const log = await logOf(10);
    await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 4 }]);
    expect(await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 2 }])).toEqual([
      { topic: 't', partition: 0, startOffset: 4 },
    ]);
    expect(await startOf(log)).toBe(4);
  });

  test("'latest' deletes all that there are, and what comes goes on behind", async () => {
    const log = await logOf(10);
    expect(await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 'latest' }])).toEqual(
      [{ topic: 't', partition: 0, startOffset: 10 }],
    );
    await settle();
    expect((await log.admin.describeTopics(['t']))[0].partitions[0]).toMatchObject({
      bytes: 0,
      segments: 0,
    });
    await log.producer().send('t', { value: 'next' });
    expect(texts(await readAll(log, 't'))).toEqual(['next']);
  });

  test('of several partitions, each its own', async () => {
    const log = await logWith(topic('t', { partitions: 3 }));
    for (const partition of [0, 1, 2]) {
      await log.producer().sendBatch(
        't',
        numbered(5).map((record) => ({ ...record, partition })),
      );
    }
    const starts = await log.admin.deleteRecords([
      { topic: 't', partition: 2, before: 'latest' },
      { topic: 't', partition: 0, before: 2 },
    ]);
    expect(starts).toEqual([
      { topic: 't', partition: 2, startOffset: 5 },
      { topic: 't', partition: 0, startOffset: 2 },
    ]);
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: 'earliest' }]))).toEqual([
      2, 0, 5,
    ]);
  });

  test('of several topics, on disk and in memory', async () => {
    const log = await logWith('t', 'u', topic('m', { storage: 'memory' }));
    for (const name of ['t', 'u', 'm']) await log.producer().sendBatch(name, numbered(5));
    const starts = await log.admin.deleteRecords([
      { topic: 'm', partition: 0, before: 3 },
      { topic: 'u', partition: 0, before: 'latest' },
      { topic: 't', partition: 0, before: 1 },
    ]);
    expect(starts.map(({ topic: of, startOffset }) => [of, startOffset])).toEqual([
      ['m', 3],
      ['u', 5],
      ['t', 1],
    ]);
    const refused = log.admin.deleteRecords([
      { topic: 't', partition: 0, before: 2 },
      { topic: 'm', partition: 0, before: 6 },
    ]);
    await expect(refused).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { topic: 'm', partition: 0, offset: 6, endOffset: 5 },
    });
    expect(await startOf(log)).toBe(1);
    expect(await log.admin.deleteRecords([])).toEqual([]);
  });

  test('is the first offset that a time can lead to', async () => {
    const log = await logWith('t');
    const records = numbered(10).map((record, i) => ({ ...record, timestamp: 1_000 * i }));
    await log.producer().sendBatch('t', records);
    await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 5 }]);
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: new Date(2_000) }]))).toEqual([
      5,
    ]);
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: new Date(7_000) }]))).toEqual([
      7,
    ]);
  });
});

test('a member of a group that is behind goes on by its `from`, and is told the range', async () => {
  const log = await logOf(10);
  const options = { group: 'g', topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;
  const before = log.consumer(options);
  await take(before, 3);
  await before.commit([{ ...first, offset: 3 }]);
  await before.close();
  await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 6 }]);
  const consumer = log.consumer(options);
  const resets: ResetEvent[] = [];
  consumer.on('reset', (event) => void resets.push(event));
  expect(texts(await take(consumer, 4))).toEqual(['6', '7', '8', '9']);
  expect(resets).toEqual([{ ...first, outOfRange: 3, startOffset: 6, endOffset: 10, offset: 6 }]);
});

describe('what cannot be deleted', () => {
  test('beyond the end: OFFSET_OUT_OF_RANGE, and nothing changes', async () => {
    const log = await logOf(10);
    await expect(
      log.admin.deleteRecords([{ topic: 't', partition: 0, before: 11 }]),
    ).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { topic: 't', partition: 0, offset: 11, endOffset: 10 },
    });
    expect(await startOf(log)).toBe(0);
  });

  test('one beyond the end: of the others nothing is deleted either', async () => {
    const log = await logWith(topic('t', { partitions: 3 }));
    const records = [0, 1, 2].flatMap((partition) =>
      numbered(5).map((record) => ({ ...record, partition })),
    );
    await log.producer().sendBatch('t', records);
    const deleting = log.admin.deleteRecords([
      { topic: 't', partition: 0, before: 'latest' },
      { topic: 't', partition: 1, before: 6 },
      { topic: 't', partition: 2, before: 3 },
    ]);
    await expect(deleting).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { topic: 't', partition: 1, offset: 6, endOffset: 5 },
    });
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 't', at: 'earliest' }]))).toEqual([
      0, 0, 0,
    ]);
  });

  test('of a topic that does not exist: UNKNOWN_TOPIC', async () => {
    const log = await logWith();
    await expect(
      log.admin.deleteRecords([{ topic: 't', partition: 0, before: 0 }]),
    ).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });

  test.each<[string, unknown, string]>([
    [
      'no array',
      { topic: 't', partition: 0, before: 1 },
      'deleteRecords() takes an array of { topic, partition, before }',
    ],
    ['a topic alone', 't', 'deleteRecords() takes an array'],
    ['no topic', [{ partition: 0, before: 1 }], 'a topic name must be'],
    ['null in it', [null], 'deleteRecords() takes { topic, partition, before }, got null'],
    [
      'a partition that is none',
      [{ topic: 't', partition: 1, before: 1 }],
      'partition must be an integer',
    ],
    ['a text', [{ topic: 't', partition: '0', before: 1 }], 'partition must be an integer'],
    [
      'no before',
      [{ topic: 't', partition: 0 }],
      "unless it is 'latest', must be an integer of at least 0, got undefined",
    ],
    [
      'no partition',
      [{ topic: 't', before: 1 }],
      'partition must be an integer of at least 0, got undefined',
    ],
    [
      'one twice',
      [
        { topic: 't', partition: 0, before: 1 },
        { topic: 't', partition: 0, before: 2 },
      ],
      'the partition "t/0" twice',
    ],
    ['-1', [{ topic: 't', partition: 0, before: -1 }], 'must be an integer of at least 0, got -1'],
    [
      'NaN',
      [{ topic: 't', partition: 0, before: Number.NaN }],
      'must be an integer of at least 0, got NaN',
    ],
    [
      "'earliest'",
      [{ topic: 't', partition: 0, before: 'earliest' }],
      'must be an integer of at least 0, got "earliest"',
    ],
  ])('%s is refused', async (_, records, message) => {
    const log = await logOf(10);
    await expect(log.admin.deleteRecords(records as never)).rejects.toThrow(message);
    expect(await startOf(log)).toBe(0);
  });
});
