import { METADATA_MAX_AGE_MS } from '../../../src/client/topics/topic-metadata.ts';
import { describe, expect, test, vi } from 'vitest';
import {
  INTERNAL,
  OUTCOME_UNKNOWN,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../../../src/base/error-rules.ts';
import type { ErrorRule } from '../../../src/base/error-rule.ts';
import type { FetchedPartition } from '../../../src/protocol/fetch.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import { TablogError, topic } from '../../../src/index.ts';
import type { Log, ResetEvent } from '../../../src/index.ts';
import { logWith, numbered, openTwoTabs, take, texts } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle, stopTime } from '../../support/waiting.ts';

describe('an offset beyond the end', () => {
  test('is OFFSET_OUT_OF_RANGE, again and again, until somebody seeks', async () => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(3));
    const consumer = log.consumer({ topics: ['t'], from: 5, maxWaitMs: 20 });
    for (let i = 0; i < 2; i++) {
      await expect(take(consumer, 1)).rejects.toMatchObject({
        code: 'OFFSET_OUT_OF_RANGE',
        details: { topic: 't', partition: 0, offset: 5, startOffset: 0, endOffset: 3 },
      });
    }
    await consumer.seek('earliest');
    expect(texts(await take(consumer, 3))).toEqual(['0', '1', '2']);
  });

  test('by seek too', async () => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(3));
    const consumer = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: 20 });
    await consumer.seek(4);
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
    await consumer.seek(2);
    expect(texts(await take(consumer, 1))).toEqual(['2']);
  });

  test('of one partition does not hold back what is read before it', async () => {
    const log = await logWith(topic('t', { partitions: 2 }));
    await log.producer().sendBatch(
      't',
      numbered(3).map((record) => ({ ...record, partition: 1 })),
    );
    const consumer = log.consumer({ topics: ['t'], from: 2, maxWaitMs: 20 });
    const error: unknown = await take(consumer, 2).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', details: { partition: 0 } });
    await consumer.seek('latest', { topic: 't', partition: 0 });
    await consumer.seek('earliest', { topic: 't', partition: 1 });
    expect(texts(await take(consumer, 3))).toEqual(['0', '1', '2']);
  });
});

describe('a topic that is not there', () => {
  test('is UNKNOWN_TOPIC for ready and for whoever reads', async () => {
    const log = await logWith('t');
    const consumer = log.consumer({ topics: ['t', 'nowhere'], mustExist: true });
    const unknown = { code: 'UNKNOWN_TOPIC', details: { topic: 'nowhere' } };
    await expect(consumer.ready).rejects.toMatchObject(unknown);
    await expect(take(consumer, 1)).rejects.toMatchObject(unknown);
    await expect(consumer.batches().next()).rejects.toMatchObject(unknown);
    await expect(consumer.run({ eachMessage() {} })).rejects.toMatchObject(unknown);
    await expect(consumer.seek('earliest')).rejects.toMatchObject(unknown);
  });

  test('is no unhandled rejection when nobody looks', async () => {
    const unhandled = vi.fn<(reason: unknown) => void>();
    process.on('unhandledRejection', unhandled);
    const log = await logWith();
    log.consumer({ topics: ['nowhere'], mustExist: true });
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test.each([
    ['this tab', 0],
    ['another tab', 1],
  ])('any more, because %s deleted it, ends the loop with UNKNOWN_TOPIC', async (_, deleter) => {
    const tabs = await openTwoTabs('t');
    await tabs[0].producer().send('t', { value: 'v' });
    const consumer = tabs[0].consumer({ topics: ['t'], from: 'earliest', maxWaitMs: 1000 });
    expect(await take(consumer, 1)).toHaveLength(1);
    const waiting = take(consumer, 1);
    const failed = expect(waiting).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
      details: { topic: 't', partition: 0, offset: 1 },
    });
    await settle();
    await tabs[deleter]!.admin.deleteTopics(['t']);
    await tabs[deleter]!.admin.createTopics(['t']); // of the same name: not the one that was read
    await failed;
  });

  test('any more: a paused partition of it lets the others go on', async () => {
    const log = await logWith('gone', 'kept');
    const consumer = log.consumer({ topics: ['gone', 'kept'], from: 'earliest', maxWaitMs: 20 });
    await consumer.ready;
    await log.admin.deleteTopics(['gone']);
    await log.producer().send('kept', { value: 'v' });
    consumer.pause({ topic: 'gone', partition: 0 });
    expect(texts(await take(consumer, 1))).toEqual(['v']);
  });
});

const AWAY: [string, ErrorRule][] = [
  ['a busy disk', STORAGE_UNAVAILABLE],
  ['a database that is held', STORAGE_TIMEOUT],
  ['an answer that is lost', OUTCOME_UNKNOWN],
];

/** A log whose topic 't' has two records, 0 and 1, in each of its partitions. */
async function filled(partitions: number): Promise<{ readonly host: StubHost; readonly log: Log }> {
  const { log, host } = await stubbedLog(topic('t', { partitions }));
  const producer = log.producer();
  for (let partition = 0; partition < partitions; partition++) {
    const record = { value: 'v', partition };
    await producer.sendBatch('t', [record, record]);
  }
  return { host, log };
}

/** What was fetched, with an error in place of what came of these partitions. */
function failing(
  fetched: readonly FetchedPartition[],
  partitions: readonly number[],
  rule: ErrorRule,
): FetchedPartition[] {
  const error = toErrorData(new TablogError(rule, 'it is away'));
  return fetched.map((part) => {
    const { topicId, partition, offset } = part;
    return partitions.includes(partition) ? { topicId, partition, offset, error } : part;
  });
}

describe.each(AWAY)('a loop outlives %s', (_, rule) => {
  test('of whole fetches', async () => {
    const { host, log } = await filled(2);
    let left = 3;
    host.answer('fetch', async (request, real) => {
      if (left-- > 0) throw new TablogError(rule, 'it is away');
      return real(request);
    });
    const messages = await take(log.consumer({ topics: ['t'], from: 'earliest' }), 4);
    const places = messages.map(({ partition, offset }) => `${partition}/${offset}`);
    expect(places.toSorted()).toEqual(['0/0', '0/1', '1/0', '1/1']);
    expect(left).toBeLessThan(0);
  });

  test('of a partition', async () => {
    const { host, log } = await filled(2);
    let left = 3;
    host.answer('fetch', async (request, real) => {
      const fetched = await real(request);
      const isHit = fetched.some(({ partition }) => partition === 0);
      return isHit && left-- > 0 ? failing(fetched, [0], rule) : fetched;
    });
    const messages = await take(log.consumer({ topics: ['t'], from: 'earliest' }), 4);
    const places = messages.map(({ partition, offset }) => `${partition}/${offset}`);
    expect(places).toEqual(['1/0', '1/1', '0/0', '0/1']);
    expect(left).toBeLessThan(0);
  });
});

test('partitions that fail do not keep the others waiting for their back-off', async () => {
  const { log, host } = await stubbedLog(topic('t', { partitions: 3 }));
  const failed: number[] = [];
  host.answer('fetch', async (request, real) => {
    const fetched = await real(request);
    failed.push(...fetched.map(({ partition }) => partition).filter((partition) => partition < 2));
    return failing(fetched, [0, 1], STORAGE_UNAVAILABLE);
  });
  await stopTime(); // no back-off ends
  const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
  const messages = consumer[Symbol.asyncIterator]();
  const next = messages.next();
  const producer = log.producer();
  for (const partition of [0, 1]) {
    await producer.send('t', { value: 'v', partition });
    while (!failed.includes(partition)) await settle(); // in an answer of its own
  }
  await producer.send('t', { value: 'v', partition: 2 });
  expect((await next).value).toMatchObject({ partition: 2, offset: 0 });
  await consumer.close();
  expect(failed).toEqual([0, 1]);
});

test('a fetch that is refused ends the loop with its error, and the next loop goes on', async () => {
  const { log, host } = await stubbedLog('t');
  await log.producer().sendBatch('t', numbered(2));
  const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
  const bug = new TablogError(INTERNAL, 'a bug of the worker');
  host.answer('fetch', () => Promise.reject(bug));
  await expect(take(consumer, 1)).rejects.toBe(bug);
  host.answer('fetch', undefined);
  expect(texts(await take(consumer, 2))).toEqual(['0', '1']);
});

describe('partitions that are added while it reads', () => {
  test.each([
    ['this tab', 0],
    ['another tab', 1],
  ])('by %s are read from their beginning', async (_, adder) => {
    const tabs = await openTwoTabs('t');
    const consumer = tabs[0].consumer({ topics: ['t'], maxWaitMs: 1000 });
    await consumer.ready;
    const reading = take(consumer, 3);
    await tabs[adder]!.admin.createPartitions([{ topic: 't', partitions: 3 }]);
    const producer = tabs[adder]!.producer();
    for (const partition of [2, 1, 2]) await producer.send('t', { value: 'v', partition });
    const places = (await reading).map(({ partition, offset }) => `${partition}/${offset}`);
    expect(places.sort()).toEqual(['1/0', '2/0', '2/1']);
  });

  test('to one topic, after another was deleted', async () => {
    const log = await logWith('gone', 'grown');
    const consumer = log.consumer({ topics: ['gone', 'grown'], from: 'earliest', maxWaitMs: 20 });
    await consumer.ready;
    consumer.pause({ topic: 'gone', partition: 0 });
    await log.admin.deleteTopics(['gone']);
    await log.admin.createPartitions([{ topic: 'grown', partitions: 2 }]);
    await log.producer().send('grown', { value: 'v', partition: 1 });
    expect(texts(await take(consumer, 1))).toEqual(['v']);
  });

  test('by another tab, though its hint is lost, are seen when what is known is old', async () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    const [mine, other] = await openTwoTabs('t').finally(() => vi.unstubAllGlobals());
    const consumer = mine.consumer({ topics: ['t'], maxWaitMs: 20 });
    await consumer.ready;
    await other.admin.createPartitions([{ topic: 't', partitions: 2 }]);
    await other.producer().send('t', { value: 'v', partition: 1 });
    const { now } = Date;
    const later = vi.spyOn(Date, 'now').mockImplementation(() => now() + METADATA_MAX_AGE_MS);
    const read = await take(consumer, 1).finally(() => later.mockRestore());
    expect(texts(read)).toEqual(['v']);
  });
});

test('records of another tab arrive though the hint is lost', async () => {
  vi.stubGlobal('BroadcastChannel', undefined);
  const [mine, other] = await openTwoTabs('t').finally(() => vi.unstubAllGlobals());
  const consumer = mine.consumer({ topics: ['t'], maxWaitMs: 20 });
  await consumer.ready;
  const reading = take(consumer, 1);
  await other.producer().send('t', { value: 'v' });
  expect(texts(await reading)).toEqual(['v']);
});

test('a place whose records were deleted: the reader goes where from says, and is told the range', async () => {
  const log = await logWith('t');
  const producer = log.producer();
  for (const { value } of numbered(10)) await producer.send('t', { value });
  const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
  const resets: ResetEvent[] = [];
  consumer.on('reset', (event) => void resets.push(event));
  await consumer.ready;
  consumer.pause();
  await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 7 }]);
  await consumer.seek(2);
  consumer.resume();
  expect((await take(consumer, 3)).map(({ offset }) => offset)).toEqual([7, 8, 9]);
  const range = { outOfRange: 2, startOffset: 7, endOffset: 10, offset: 7 };
  expect(resets).toEqual([{ topic: 't', partition: 0, ...range }]);
});

test('a record without a key in a compacted topic is INVALID_RECORD, and fails alone', async () => {
  const log = await logWith(topic('t', { cleanup: 'compact' }));
  const producer = log.producer();
  const sends = [{ key: 'a', value: '1' }, { value: '2' }, { key: 'b', value: '3' }];
  const settled = await Promise.allSettled(sends.map((record) => producer.send('t', record)));
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(settled[1]).toMatchObject({ reason: { code: 'INVALID_RECORD', details: { topic: 't' } } });
});
