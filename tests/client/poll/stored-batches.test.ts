import { describe, expect, test } from 'vitest';
import { deleteLog, json, topic } from '../../../src/index.ts';
import type { Consumer, ConsumerOptions, Log, RawBatch } from '../../../src/index.ts';
import { ATTRIBUTE } from '../../../src/record/batch-format.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { batchOf, readRecords, recordOf } from '../../support/batches.ts';
import { Member, committed, joined, openTabs } from '../../support/group-fixture.ts';
import { KAFKA_LOGS, kafkaSegments } from '../../support/kafka-logs.ts';
import {
  AN_HOUR_MS,
  logWith,
  memoryHost,
  numbered,
  openTab,
  take,
  texts,
} from '../../support/log-fixture.ts';
import { compactingHost } from '../table/table-fixture.ts';
import { eventually, latch, settle } from '../../support/waiting.ts';

const where = { topic: 't', partition: 0 };

/** A log with batches of so many records each in its topic 't'. */
async function logOf(...counts: number[]): Promise<Log> {
  const log = await logWith('t');
  await fill(log, ...counts);
  return log;
}

async function fill(log: Log, ...counts: number[]): Promise<void> {
  const producer = log.producer();
  for (const count of counts) await producer.sendBatch('t', numbered(count));
}

function consumerOf(log: Log, options: Partial<ConsumerOptions<'t'>> = {}): Consumer<'t'> {
  return log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS, ...options });
}

async function takeRaw(consumer: Consumer<'t'>, count: number): Promise<RawBatch<'t'>[]> {
  const batches: RawBatch<'t'>[] = [];
  for await (const batch of consumer.batches({ raw: true })) {
    if (batches.push(batch) === count) break;
  }
  return batches;
}

async function fileOf(log: Log, name = 't'): Promise<Buffer> {
  const stream = log.admin.exportPartition({ topic: name, partition: 0 });
  return Buffer.from(await new Response(stream as BodyInit).arrayBuffer());
}

/** The values of a batch's records, as text. */
function valuesOf({ bytes }: RawBatch): string[] {
  return readRecords(bytes).map(({ value }) => Buffer.from(value!, 'hex').toString());
}

/** 'first-last of base', and so on. */
function ranges(batches: readonly RawBatch[]): string[] {
  return batches.map(
    ({ firstOffset, lastOffset, baseOffset }) => `${firstOffset}-${lastOffset} of ${baseOffset}`,
  );
}

describe('a raw batch', () => {
  test('is what is stored, byte for byte, and tells where it is from and how much is left', async () => {
    const log = await logOf(3, 2);
    const batches = await takeRaw(consumerOf(log), 2);
    const [first, second] = batches;
    expect(first).toMatchObject({
      topic: 't',
      partition: 0,
      recordCount: 3,
      baseOffset: 0,
      firstOffset: 0,
      lastOffset: 2,
      endOffset: 5,
      lag: 2,
    });
    expect(second).toMatchObject({ recordCount: 2, baseOffset: 3, lastOffset: 4, lag: 0 });
    expect(Buffer.concat(batches.map(({ bytes }) => bytes))).toEqual(await fileOf(log));
    expect(first!.signal.aborted).toBe(false);
  });

  test('stays compressed', async () => {
    const log = await logWith('t');
    const records = numbered(500).map(() => ({ value: 'the same text again and again' }));
    for (const compression of ['gzip', 'snappy', 'lz4'] as const) {
      await log.producer({ compression }).sendBatch('t', records);
    }
    const batches = await takeRaw(consumerOf(log), 3);
    const codecs = batches
      .flatMap(({ bytes }) => [...readBatches(bytes)])
      .map(({ codec }) => codec);
    expect(codecs).toEqual(['gzip', 'snappy', 'lz4']);
    expect(Buffer.concat(batches.map(({ bytes }) => bytes))).toEqual(await fileOf(log));
  });

  test('is not decoded: what its serdes say counts for nothing', async () => {
    const log = await logWith('t');
    await log.producer().send('t', { value: '{no JSON' });
    const t = topic('t', { value: json() });
    const consumer = log.consumer({ topics: [t], from: 'earliest', onDecodeError: 'fail' });
    const { value } = await consumer.batches({ raw: true }).next();
    expect(valuesOf(value!)).toEqual(['{no JSON']);
  });

  test('comes from all partitions in turn', async () => {
    const log = await logWith(topic('t', { partitions: 2 }));
    const producer = log.producer();
    for (let i = 0; i < 6; i++) await producer.send('t', { value: 'v', partition: i % 2 });
    const partitions = (await takeRaw(consumerOf(log), 6)).map(({ partition }) => partition);
    expect(new Set(partitions.slice(0, 2))).toEqual(new Set([0, 1]));
    expect(partitions.slice(2, 4)).toEqual(partitions.slice(0, 2));
  });

  test('is waited for', async () => {
    const log = await logWith('t');
    const consumer = consumerOf(log);
    await consumer.ready;
    const reading = takeRaw(consumer, 1);
    await settle();
    await fill(log, 2);
    expect(ranges(await reading)).toEqual(['0-1 of 0']);
  });
});

test('raw batches are forwarded as they come: a copy has the same bytes', async () => {
  const log = await logWith('t', 'copy');
  for (const compression of ['none', 'gzip'] as const) {
    await log.producer({ compression }).sendBatch('t', numbered(500));
  }
  const producer = log.producer();
  for await (const { partition, bytes, lag } of consumerOf(log).batches({ raw: true })) {
    await producer.sendRaw('copy', partition, bytes);
    if (lag === 0) break;
  }
  expect(await fileOf(log, 'copy')).toEqual(await fileOf(log));
});

describe('a batch that begins before the position', () => {
  test('after a seek comes whole, and says so', async () => {
    const log = await logOf(3, 4, 2);
    const consumer = consumerOf(log, { from: 5 });
    expect(ranges(await takeRaw(consumer, 2))).toEqual(['5-6 of 3', '7-8 of 7']);
    await consumer.seek(1);
    const [batch] = await takeRaw(consumer, 1);
    expect(ranges([batch!])).toEqual(['1-2 of 0']);
    expect(batch!.recordCount).toBe(3);
    expect(valuesOf(batch!)).toEqual(['0', '1', '2']);
  });

  test('because messages of it were read comes whole, and messages go on after it', async () => {
    const log = await logOf(4, 3);
    const consumer = consumerOf(log);
    expect(texts(await take(consumer, 2))).toEqual(['0', '1']);
    expect(ranges(await takeRaw(consumer, 1))).toEqual(['2-3 of 0']);
    expect(consumer.position(where)).toBe(4);
    expect((await take(consumer, 2)).map(({ offset }) => offset)).toEqual([4, 5]);
    expect(ranges(await takeRaw(consumer, 1))).toEqual(['6-6 of 4']);
  });

  test('is not given where all of its messages were read', async () => {
    const log = await logOf(2, 3);
    const consumer = consumerOf(log);
    await take(consumer, 2);
    expect(ranges(await takeRaw(consumer, 1))).toEqual(['2-4 of 2']);
  });
});

describe('left out', () => {
  test.each(KAFKA_LOGS)(
    'are control batches and gaps: of %s the rest is as it was',
    async (name) => {
      const log = await logWith('t');
      await log.admin.importPartition(where, kafkaSegments(name));
      const stored = [...readBatches(await fileOf(log))].filter(
        ({ isControl, recordCount }) => !isControl && recordCount > 0,
      );
      const batches = await takeRaw(consumerOf(log), stored.length);
      expect(batches.map(({ bytes }) => Buffer.from(bytes))).toEqual(
        stored.map(({ bytes }) => Buffer.from(bytes)),
      );
    },
  );

  test('a marker at the end moves the position', async () => {
    const log = await logWith('t');
    const producer = { id: 7, epoch: 0, sequence: 0 };
    const { transactional, control } = ATTRIBUTE;
    const marker = batchOf(
      [recordOf({ key: Uint8Array.of(0, 0, 0, 1), value: new Uint8Array(6) })],
      { baseOffset: 1, producer, attributes: transactional | control },
    );
    const records = batchOf([recordOf({ value: 'a' })], { producer, attributes: transactional });
    await log.admin.importPartition(where, new Uint8Array([...records, ...marker]));
    const consumer = consumerOf(log, { maxWaitMs: 0 });
    const batches = consumer.batches({ raw: true });
    expect(ranges([(await batches.next()).value as RawBatch])).toEqual(['0-0 of 0']);
    const next = batches.next();
    await eventually(() => expect(consumer.position(where)).toBe(2));
    await fill(log, 1);
    expect(ranges([(await next).value as RawBatch])).toEqual(['2-2 of 2']);
  });

  test('batches that compaction has emptied', async () => {
    const host = compactingHost();
    const first = await openTab(host);
    await first.admin.createTopics([topic('t', { cleanup: 'compact' })]);
    const producer = first.producer();
    for (let i = 0; i < 4; i++) await producer.send('t', { key: 'k', value: String(i) });
    await host.compact('t');
    const log = await openTab(host, first.name); // its broker reads what is stored
    const [batch] = await takeRaw(consumerOf(log), 1);
    expect(valuesOf(batch!)).toEqual(['3']);
    expect(batch).toMatchObject({ recordCount: 1, firstOffset: 3, lastOffset: 3 });
  });
});

describe('in a group', () => {
  test('a batch is committed as its records when the next one is asked for', async () => {
    const log = await logOf(3, 2);
    const consumer = consumerOf(log, { group: 'g' });
    const batches = consumer.batches({ raw: true });
    await batches.next();
    await settle();
    expect(await committed(log)).toEqual({ 't/0': 0 });
    await batches.next();
    await eventually(async () => expect(await committed(log)).toEqual({ 't/0': 3 }));
    await batches.return();
    await consumer.close();
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('a batch that was in hand when the loop was left comes again, and so does half of one', async () => {
    const log = await logOf(3, 2);
    const consumer = consumerOf(log, { group: 'g' });
    await take(consumer, 2); // the second one is in hand when the loop is left
    expect(ranges(await takeRaw(consumer, 1))).toEqual(['1-2 of 0']);
    expect(ranges(await takeRaw(consumer, 2))).toEqual(['1-2 of 0', '3-4 of 3']);
    expect(ranges(await takeRaw(consumer, 1))).toEqual(['3-4 of 3']);
  });

  test('commit() commits it, and it does not come again', async () => {
    const log = await logOf(3, 2);
    const consumer = consumerOf(log, { group: 'g', commit: 'manual' });
    for await (const batch of consumer.batches({ raw: true })) {
      await batch.commit();
      break;
    }
    expect(await committed(log)).toEqual({ 't/0': 3 });
    expect(ranges(await takeRaw(consumer, 1))).toEqual(['3-4 of 3']);
    const own = consumerOf(log);
    const [batch] = await takeRaw(own, 1);
    await expect(batch!.commit()).rejects.toThrow(/needs a consumer with a group/);
  });

  test('a transaction commits it', async () => {
    const log = await logWith('t', 'copy');
    await fill(log, 3);
    const consumer = consumerOf(log, { group: 'g', commit: 'manual' });
    for await (const { recordCount } of consumer.batches({ raw: true })) {
      await log.producer().transaction((tx) => {
        tx.send('copy', { value: String(recordCount) });
        tx.commitOffsets(consumer);
      });
      break;
    }
    expect(await committed(log)).toEqual({ 't/0': 3 });
  });

  test('a rebalance waits for the batch in hand, and each batch is read once', async () => {
    const [first, second] = await openTabs(2, topic('t', { partitions: 2 }));
    for (const partition of [0, 0, 1, 1]) {
      await first!.producer().send('t', { value: 'v', partition });
    }
    const done: string[] = [];
    const loop = async ({ consumer }: Member, each: () => unknown): Promise<void> => {
      for await (const { partition, baseOffset } of consumer.batches({ raw: true })) {
        await each();
        done.push(`${partition}@${baseOffset}`);
      }
    };
    const a = await joined(first!, { topics: ['t'] });
    const gate = latch();
    void loop(a, () => gate.opened);
    await settle();
    const b = new Member(second!, { topics: ['t'] });
    void loop(b, () => {});
    await settle();
    expect(done).toEqual([]);
    gate.open();
    await eventually(() => expect([a.owns.length, b.owns.length, done.length]).toEqual([1, 1, 4]));
    expect(new Set(done)).toEqual(new Set(['0@0', '0@1', '1@0', '1@1']));
  });

  test('a batch that was in hand when its consumer closed comes again at the next member', async () => {
    const [first, second] = await openTabs(2, topic('t', { partitions: 1 }));
    await fill(first!, 3, 2);
    const a = await joined(first!, { topics: ['t'] });
    const { value: batch } = await a.consumer.batches({ raw: true }).next();
    const b = await joined(second!, { topics: ['t'] });
    expect(b.owns).toEqual([]);
    await a.consumer.close();
    expect(batch!.signal.aborted).toBe(true);
    await eventually(() => expect(b.owns).toEqual(['t/0']));
    expect(ranges(await takeRaw(b.consumer as never, 2))).toEqual(['0-2 of 0', '3-4 of 3']);
  });
});

describe('the loop of raw batches', () => {
  test('ends when the consumer closes, and throws when its log is deleted', async () => {
    const log = await logOf(1);
    const consumer = consumerOf(log);
    const ended = takeRaw(consumer, 2);
    await settle();
    await consumer.close();
    expect(await ended).toHaveLength(1);
    const host = memoryHost();
    const doomed = await openTab(host);
    await doomed.admin.createTopics(['t']);
    const reading = Promise.allSettled([takeRaw(consumerOf(doomed), 1)]);
    await settle();
    await deleteLog(doomed.name, { host });
    const reason = { code: 'CLOSED', details: { reason: 'deleted' } };
    expect(await reading).toMatchObject([{ reason }]);
  });

  test('heeds pause, and reads alone', async () => {
    const log = await logOf(1);
    const consumer = consumerOf(log);
    await consumer.ready;
    consumer.pause();
    const reading = takeRaw(consumer, 1);
    await settle();
    await expect(take(consumer, 1)).rejects.toThrow(/one loop at a time/);
    consumer.resume();
    expect(await reading).toHaveLength(1);
    expect(await take(consumer, 0)).toEqual([]);
  });

  test('takes no options of batches of messages', async () => {
    const log = await logOf(1);
    const consumer = consumerOf(log);
    const batches = (options: object): unknown => consumer.batches(options as { raw: true });
    expect(() => batches({ raw: true, max: 5 })).toThrow(/raw: true.* has no option "max"/);
    expect(() => batches({ raw: true, maxWaitMs: 5 })).toThrow(/no option "maxWaitMs"/);
    for (const raw of [1, 0, null, 'yes']) expect(() => batches({ raw })).toThrow(/raw must be/);
    expect(() => batches({ row: true })).toThrow(/raw/);
    expect((await consumer.batches({ raw: false, max: 5 }).next()).value!.messages).toHaveLength(1);
  });
});
