import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Log, ResetEvent } from '../../../src/index.ts';
import {
  AN_HOUR_MS,
  logWith,
  numbered,
  readAll,
  settle,
  take,
  texts,
} from '../../support/log-fixture.ts';

const first = { topic: 't', partition: 0 };

async function logOf(count: number): Promise<Log> {
  const log = await logWith('t');
  await log.producer().sendBatch('t', numbered(count));
  return log;
}

async function startOf(log: Log): Promise<number> {
  return (await log.admin.describeTopic('t')).partitions[0]!.startOffset;
}

describe('the start', () => {
  test('moves, and is told', async () => {
    const log = await logOf(10);
    expect(await log.admin.deleteRecords('t', [{ partition: 0, before: 4 }])).toEqual([4]);
    expect((await log.admin.describeTopic('t')).partitions[0]).toMatchObject({
      startOffset: 4,
      endOffset: 10,
    });
    expect(await log.admin.listOffsets('t', 'earliest')).toEqual([4]);
    expect(texts(await readAll(log, 't'))).toEqual(['4', '5', '6', '7', '8', '9']);
  });

  test('never moves back', async () => {
    const log = await logOf(10);
    await log.admin.deleteRecords('t', [{ partition: 0, before: 4 }]);
    expect(await log.admin.deleteRecords('t', [{ partition: 0, before: 2 }])).toEqual([4]);
    expect(await startOf(log)).toBe(4);
  });

  test("'latest' deletes all that there are, and what comes goes on behind", async () => {
    const log = await logOf(10);
    expect(await log.admin.deleteRecords('t', [{ partition: 0, before: 'latest' }])).toEqual([10]);
    await settle();
    expect((await log.admin.describeTopic('t')).partitions[0]).toMatchObject({
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
    const starts = await log.admin.deleteRecords('t', [
      { partition: 2, before: 'latest' },
      { partition: 0, before: 2 },
    ]);
    expect(starts).toEqual([5, 2]);
    expect(await log.admin.listOffsets('t', 'earliest')).toEqual([2, 0, 5]);
  });

  test('is the first offset that a time can lead to', async () => {
    const log = await logWith('t');
    const records = numbered(10).map((record, i) => ({ ...record, timestamp: 1_000 * i }));
    await log.producer().sendBatch('t', records);
    await log.admin.deleteRecords('t', [{ partition: 0, before: 5 }]);
    expect(await log.admin.listOffsets('t', new Date(2_000))).toEqual([5]);
    expect(await log.admin.listOffsets('t', new Date(7_000))).toEqual([7]);
  });
});

test('a member of a group that is behind goes on by its `from`, and is told the range', async () => {
  const log = await logOf(10);
  const options = { group: 'g', topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;
  const before = log.consumer(options);
  await take(before, 3);
  await before.commit([{ ...first, offset: 3 }]);
  await before.close();
  await log.admin.deleteRecords('t', [{ partition: 0, before: 6 }]);
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
      log.admin.deleteRecords('t', [{ partition: 0, before: 11 }]),
    ).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { partition: 0, offset: 11, endOffset: 10 },
    });
    expect(await startOf(log)).toBe(0);
  });

  test('one beyond the end: of the others nothing is deleted either', async () => {
    const log = await logWith(topic('t', { partitions: 3 }));
    const records = [0, 1, 2].flatMap((partition) =>
      numbered(5).map((record) => ({ ...record, partition })),
    );
    await log.producer().sendBatch('t', records);
    const deleting = log.admin.deleteRecords('t', [
      { partition: 0, before: 'latest' },
      { partition: 1, before: 6 },
      { partition: 2, before: 3 },
    ]);
    await expect(deleting).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      details: { partition: 1, offset: 6, endOffset: 5 },
    });
    expect(await log.admin.listOffsets('t', 'earliest')).toEqual([0, 0, 0]);
  });

  test('of a topic that does not exist: UNKNOWN_TOPIC', async () => {
    const log = await logWith();
    await expect(log.admin.deleteRecords('t', [])).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });

  test.each<[string, unknown, string]>([
    ['no array', { partition: 0, before: 1 }, 'deleteRecords() takes an array of partitions'],
    ['null in it', [null], 'deleteRecords() takes'],
    ['a partition that is none', [{ partition: 1, before: 1 }], 'partition must be an integer'],
    ['a text', [{ partition: '0', before: 1 }], 'partition must be an integer'],
    [
      'no before',
      [{ partition: 0 }],
      "unless it is 'latest', must be an integer of at least 0, got undefined",
    ],
    ['no partition', [{ before: 1 }], 'partition must be an integer from 0 to 0, got undefined'],
    [
      'one twice',
      [
        { partition: 0, before: 1 },
        { partition: 0, before: 2 },
      ],
      'partition 0 twice',
    ],
    ['-1', [{ partition: 0, before: -1 }], 'must be an integer of at least 0, got -1'],
    ['NaN', [{ partition: 0, before: Number.NaN }], 'must be an integer of at least 0, got NaN'],
    [
      "'earliest'",
      [{ partition: 0, before: 'earliest' }],
      'must be an integer of at least 0, got "earliest"',
    ],
  ])('%s is refused', async (_, partitions, message) => {
    const log = await logOf(10);
    await expect(log.admin.deleteRecords('t', partitions as never)).rejects.toThrow(message);
    expect(await startOf(log)).toBe(0);
  });
});
