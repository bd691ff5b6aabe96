import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { SendBatchError, string, topic } from '../../../src/index.ts';
import type { Compression, Log, ProducerOptions } from '../../../src/index.ts';
import { ATTRIBUTE, FIELD, viewOf } from '../../../src/record/batch-format.ts';
import { RecordBatch, readBatches } from '../../../src/record/batch-reader.ts';
import { crcMatches } from '../../../src/record/batch-seal.ts';
import { batchOf, compactedBatch, recordOf, resealed } from '../../support/batches.ts';
import type { Bytes } from '../../support/batches.ts';
import { asKafkaRecord, batchesOf, kafkaRecords, kafkaSegment } from '../../support/kafka-logs.ts';
import {
  countOf,
  logWith,
  numbered,
  openTwoTabs,
  readAll,
  take,
  texts,
} from '../../support/log-fixture.ts';
import { sentBy, stubbedLog } from '../../support/stub-broker.ts';
import { readFixture } from '../../record/fixture-files.ts';
import { bench, fate, storedAndLost } from './producer-fixture.ts';
import { settle } from '../../support/waiting.ts';

const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4'];

/** A batch of these values. */
const batch = (...values: readonly string[]): Bytes =>
  batchOf(
    values.map((value) => recordOf({ value: new TextEncoder().encode(value), timestamp: 5 })),
  );

const joined = (...parts: readonly Uint8Array[]): Bytes => Uint8Array.from(Buffer.concat(parts));

const values = async (log: Log, name = 't'): Promise<(string | null)[]> =>
  texts(await readAll(log, name));

/** The bytes that a partition has, batch for batch. */
async function stored(log: Log, name = 't'): Promise<Bytes[]> {
  const file = await new Response(
    log.admin.exportPartition({ topic: name, partition: 0 }) as BodyInit,
  ).arrayBuffer();
  return [...readBatches(new Uint8Array(file))].map(({ bytes }) => Uint8Array.from(bytes));
}

/** All of a batch but its base offset. */
const afterOffset = (bytes: Uint8Array): Uint8Array => bytes.subarray(FIELD.batchLength);

async function failureOf(sent: Promise<unknown>): Promise<SendBatchError> {
  const error: unknown = await sent.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SendBatchError);
  return error as SendBatchError;
}

describe('batches are stored byte for byte', () => {
  test.each(COMPRESSIONS)('of another log, compressed with %s', async (compression) => {
    const source = await logWith('t');
    const producer = source.producer({ compression, batchBytes: 1000 });
    await producer.sendBatch('t', numbered(500));
    const batches = await stored(source);
    expect(batches.length).toBeGreaterThan(1);
    const log = await logWith('t');
    const placed = await log.producer({ compression: 'gzip' }).sendRaw('t', 0, joined(...batches));
    expect(await stored(log)).toEqual(batches);
    let next = 0;
    for (const { offset, nextOffset, recordCount, partition, topic: name } of placed) {
      expect({ offset, nextOffset }).toEqual({ offset: next, nextOffset: next + recordCount });
      expect({ partition, name }).toEqual({ partition: 0, name: 't' });
      next = nextOffset;
    }
    expect(next).toBe(500);
    expect(placed).toHaveLength(batches.length);
  });

  test.each(['codec-none', 'codec-gzip', 'codec-snappy', 'codec-lz4', 'codec-zstd'])(
    'of a Kafka broker: %s',
    async (name) => {
      const log = await logWith('t');
      const segment = kafkaSegment(name);
      await log.producer().sendRaw('t', 0, segment);
      expect(await stored(log)).toEqual(batchesOf(segment));
      const messages = await readAll(log, 't');
      expect(messages.map(asKafkaRecord)).toEqual(kafkaRecords(name));
    },
  );

  test('behind others, with their base offset alone changed', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    await producer.sendBatch('t', numbered(7));
    const [placed] = await producer.sendRaw('t', 0, batch('a', 'b'));
    expect(placed).toEqual({
      topic: 't',
      partition: 0,
      offset: 7,
      nextOffset: 9,
      recordCount: 2,
      timestamp: 5,
    });
    const last = (await stored(log)).at(-1)!;
    expect(new RecordBatch(last).baseOffset).toBe(7);
    expect(afterOffset(last)).toEqual(afterOffset(batch('a', 'b')));
    expect(crcMatches(last)).toBe(true);
  });

  test('in order with what is sent before and after, in the same turn', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    await Promise.all([
      producer.send('t', { value: '0' }),
      producer.sendRaw('t', 0, joined(batch('1', '2'), batch('3'))),
      producer.send('t', { value: '4' }),
      producer.sendRaw('t', 0, batch('5')),
      producer.sendBatch('t', [{ value: '6' }, { value: '7' }]),
    ]);
    expect(await values(log)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  });

  test('as they are at the call', async () => {
    const log = await logWith('t');
    const bytes = batch('a');
    const sent = log.producer().sendRaw('t', 0, bytes);
    bytes.fill(0);
    await sent;
    expect(await values(log)).toEqual(['a']);
  });

  test('of a buffer, a part of one, and a Buffer of Node', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    const bytes = batch('a');
    await producer.sendRaw('t', 0, bytes.buffer);
    await producer.sendRaw('t', 0, joined(Uint8Array.of(1, 2, 3), bytes, bytes).subarray(3));
    await producer.sendRaw('t', 0, Buffer.from(bytes));
    expect(await values(log)).toEqual(['a', 'a', 'a', 'a']);
    expect(new RecordBatch(bytes).recordCount).toBe(1);
  });

  test('with the gaps that compaction has left', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    const gaps = readFixture('recordbatch/offset_gaps_compacted.bin');
    const before = new RecordBatch(gaps);
    const [placed] = await producer.sendRaw('t', 0, gaps);
    expect(placed!.nextOffset).toBe(before.nextOffset - before.baseOffset);
    expect(placed!.recordCount).toBeLessThan(placed!.nextOffset);
    const after = await producer.send('t', { value: 'after' });
    expect(after.offset).toBe(placed!.nextOffset);
    const consumer = log.consumer({ topics: ['t'], from: 'earliest' });
    let count = 0;
    for await (const message of consumer) {
      count++;
      if (message.offset === after.offset) break;
    }
    expect(count).toBe(before.recordCount + 1);
  });

  test('with the producer, the epoch and the sequence of their log, which nobody looks at', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    const foreign = batchOf([recordOf()], { producer: { id: 7, epoch: 3, sequence: 41 } });
    const places = [
      await producer.sendRaw('t', 0, foreign),
      await producer.sendRaw('t', 0, foreign),
      await log.producer().sendRaw('t', 0, foreign),
      await log.producer({ idempotent: false }).sendRaw('t', 0, foreign),
    ];
    expect(places.map(([place]) => place!.offset)).toEqual([0, 1, 2, 3]);
    for (const bytes of await stored(log)) expect(afterOffset(bytes)).toEqual(afterOffset(foreign));
  });

  test('with the time of their append, where the topic has no other', async () => {
    const appended = topic('appended', { timestampType: 'append' });
    const log = await logWith('t', appended);
    const bytes = batchOf([recordOf({ timestamp: 1 })], { appendTime: 77 });
    expect(await log.producer().sendRaw('t', 0, bytes)).toMatchObject([{ timestamp: 77 }]);
    expect(await readAll(log, 't')).toMatchObject([{ timestamp: 77 }]);
    const [placed] = await log.producer().sendRaw(appended, 0, bytes);
    expect(placed!.timestamp).toBeGreaterThan(77);
    expect(await readAll(log, 'appended')).toMatchObject([{ timestamp: placed!.timestamp }]);
    expect(crcMatches((await stored(log, 'appended'))[0]!)).toBe(true);
  });

  test('in a topic in memory, also of another tab', async () => {
    const memory = topic('memory', { storage: 'memory' });
    const [first, second] = await openTwoTabs(memory);
    const isFirst = await first.producer().sendRaw(memory, 0, batch('a'));
    const isSecond = await second.producer().sendRaw(memory, 0, batch('b'));
    expect([isFirst, isSecond]).toMatchObject([[{ offset: 0 }], [{ offset: 1 }]]);
    expect(await values(second, 'memory')).toEqual(['a', 'b']);
  });
});

describe('batches are stored once', () => {
  test('where an answer was lost', async () => {
    const { world, host, producer, values: valuesOf } = await bench({});
    fate(host, storedAndLost, storedAndLost);
    const sent = producer.sendRaw('t', 0, joined(batch('a'), batch('b')));
    const behind = producer.send('t', { value: 'c', partition: 0 });
    expect(await world.passing(sent)).toMatchObject([{ offset: 0 }, { offset: 1 }]);
    expect(await world.passing(behind)).toMatchObject({ offset: 2 });
    expect(await valuesOf()).toEqual(['a', 'b', 'c']);
  });

  test('or, of a producer that is not idempotent, perhaps', async () => {
    const { world, host, producer } = await bench({ idempotent: false });
    fate(host, storedAndLost);
    const error = await world.passing(failureOf(producer.sendRaw('t', 0, batch('a'))));
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  });
});

describe('expectedOffset', () => {
  test('is that of the first batch; those after it follow', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    await producer.send('t', { value: '0' });
    const batches = joined(batch('1', '2'), batch('3'));
    const placed = await producer.sendRaw('t', 0, batches, { expectedOffset: 1 });
    expect(placed.map(({ offset }) => offset)).toEqual([1, 3]);
    const error = await failureOf(producer.sendRaw('t', 0, batches, { expectedOffset: 1 }));
    expect(error).toMatchObject({ code: 'CONFLICT', details: { expectedOffset: 1, endOffset: 4 } });
    expect(error.results).toMatchObject([{ code: 'CONFLICT' }, { code: 'CONFLICT' }]);
    expect(await values(log)).toEqual(['0', '1', '2', '3']);
  });

  test('lets a mirror begin again where it does not know: nothing is stored twice', async () => {
    const source = await logWith('t');
    await source.producer({ batchBytes: 1 }).sendBatch('t', numbered(10));
    const batches = await stored(source);
    const log = await logWith('t');
    const mirror = (some: readonly Bytes[]): Promise<unknown> =>
      log.producer().sendRaw('t', 0, joined(...some), { expectedOffset: 0 });
    await mirror(batches.slice(0, 6));
    const { results } = await failureOf(mirror(batches));
    const offsets = results.map((result) => ('code' in result ? result.code : result.offset));
    expect(offsets).toEqual([...Array.from({ length: 6 }, () => 'CONFLICT'), 6, 7, 8, 9]);
    expect(await stored(log)).toEqual(batches);
  });
});

describe('keepOffsets', () => {
  const mirror = topic('t', { mirrorOf: 'x' });

  /** Batches of a record each, with other offsets between them. */
  async function source(): Promise<Bytes[]> {
    const log = await logWith('t');
    const producer = log.producer({ batchBytes: 1 });
    for (let i = 0; i < 10; i++) await producer.sendBatch('t', [{ value: `${i}` }]);
    const all = await stored(log);
    return [all[4]!, all[5]!, all[8]!];
  }

  test('stores batches where they were, behind gaps', async () => {
    const batches = await source();
    const log = await logWith(mirror);
    const producer = log.producer();
    const options = { expectedOffset: 0, keepOffsets: true };
    const placed = await producer.sendRaw('t', 0, joined(...batches), options);
    expect(placed.map(({ offset, nextOffset }) => [offset, nextOffset])).toEqual([
      [4, 5],
      [5, 6],
      [8, 9],
    ]);
    const read = await take(log.consumer({ topics: ['t'], from: 'earliest' }), 3);
    expect(read.map(({ offset }) => offset)).toEqual([4, 5, 8]);
    expect(texts(read)).toEqual(['4', '5', '8']);
    expect(await stored(log)).toEqual(batches);
    await expect(producer.send('t', { value: 'next' })).rejects.toMatchObject({
      code: 'TOPIC_READ_ONLY',
    });
    await log.admin.alterTopics([{ topic: 't', config: { mirrorOf: null } }]);
    expect(await producer.send('t', { value: 'next' })).toMatchObject({ offset: 9 });
    expect((await log.admin.scrub()).faults).toEqual([]);
  });

  test('is refused of a topic that is no mirror', async () => {
    const [first] = await source();
    const log = await logWith('t');
    const sent = log.producer().sendRaw('t', 0, first!, { expectedOffset: 0, keepOffsets: true });
    expect(await failureOf(sent)).toMatchObject({ code: 'INVALID_CONFIG' });
  });

  test('is CONFLICT where the partition ends elsewhere', async () => {
    const batches = await source();
    const log = await logWith(mirror);
    const producer = log.producer();
    await producer.sendRaw('t', 0, batches[0]!, { expectedOffset: 0, keepOffsets: true });
    for (const expectedOffset of [4, 6]) {
      const sent = producer.sendRaw('t', 0, batches[2]!, { expectedOffset, keepOffsets: true });
      expect(await failureOf(sent)).toMatchObject({ code: 'CONFLICT', details: { endOffset: 5 } });
    }
    expect(await stored(log)).toEqual(batches.slice(0, 1));
  });

  test('of a topic in memory, too', async () => {
    const batches = await source();
    const log = await logWith(topic('t', { mirrorOf: 'x', storage: 'memory' }));
    const [place] = await log
      .producer()
      .sendRaw('t', 0, batches[1]!, { expectedOffset: 0, keepOffsets: true });
    expect(place).toMatchObject({ offset: 5 });
    const [read] = await take(log.consumer({ topics: ['t'], from: 'earliest' }), 1);
    expect(read).toMatchObject({ offset: 5 });
  });
});

describe('is refused, and nothing is sent:', () => {
  const transactional = batchOf([recordOf()], {
    attributes: ATTRIBUTE.transactional,
    producer: { id: 1, epoch: 0, sequence: 0 },
  });
  const control = readFixture('recordbatch/control_commit.bin');
  const good = batch('a');
  const truncated = good.subarray(0, good.length - 1);
  const old = good.slice();
  viewOf(old).setInt8(FIELD.magic, 1);

  test.each<[string, Uint8Array, object]>([
    ['a batch of a transaction', joined(good, transactional), /transactions.*byte \d\d.*is of a/],
    ['a control batch', control, /transactions.*byte 0 is a control batch/],
    ['a batch that is cut', joined(good, truncated), { code: 'BATCH_CORRUPT' }],
    ['less than a length', good.subarray(0, 5), { code: 'BATCH_CORRUPT' }],
    ['bytes that are no batch', new Uint8Array(200), { code: 'BATCH_CORRUPT' }],
    ['an older format', old, { code: 'BATCH_CORRUPT' }],
    ['a batch without records', compactedBatch(3), { code: 'BATCH_CORRUPT' }],
    [
      'an unknown codec',
      readFixture('recordbatch/unknown_codec_7.bin'),
      { code: 'UNSUPPORTED_CODEC' },
    ],
  ])('%s', async (_, bytes, told) => {
    const { log, host } = await stubbedLog('t');
    const sent = log.producer().sendRaw('t', 0, bytes);
    if (told instanceof RegExp) {
      await expect(sent).rejects.toBeInstanceOf(TypeError);
      await expect(sent).rejects.toThrow(told);
    } else {
      await expect(sent).rejects.toMatchObject(told);
      await expect(sent).rejects.not.toBeInstanceOf(SendBatchError);
    }
    expect(sentBy(host)).toEqual([]);
  });

  test('a partition or a topic that does not exist', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    for (const partition of [1, -1, 0.5, '0' as never, undefined as never]) {
      await expect(producer.sendRaw('t', partition, good)).rejects.toBeInstanceOf(RangeError);
    }
    await expect(producer.sendRaw('none', 0, good)).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    expect(await countOf(log, 't')).toBe(0);
  });

  test('anything of a producer that is closed, or has a transactional id', async () => {
    const log = await logWith('t');
    const closed = log.producer();
    await closed.close();
    await expect(closed.sendRaw('t', 0, good)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(
      log.producer({ transactionalId: 'x' }).sendRaw('t', 0, good),
    ).rejects.toBeInstanceOf(TypeError);
  });

  test('no bytes are no batches', async () => {
    const log = await logWith('t');
    expect(await log.producer().sendRaw('t', 0, new Uint8Array())).toEqual([]);
  });
});

describe('the worker refuses alone', () => {
  const damaged = (bytes: Bytes): Bytes => {
    const copy = bytes.slice();
    copy[copy.length - 1]! ^= 1;
    return copy;
  };

  test('a batch whose CRC is wrong', async () => {
    const log = await logWith('t');
    const bytes = joined(batch('a'), damaged(batch('b')), batch('c'));
    const error = await failureOf(log.producer().sendRaw('t', 0, bytes));
    expect(error.results).toMatchObject([
      { offset: 0, nextOffset: 1 },
      { code: 'BATCH_CORRUPT' },
      { offset: 1, nextOffset: 2 },
    ]);
    expect(error.message).toContain('its CRC is wrong');
    expect(await values(log)).toEqual(['a', 'c']);
  });

  test('records that no reader could read, whatever the CRC', async () => {
    const log = await logWith('t');
    for (const name of ['key_length_overrun', 'count_too_high', 'count_too_low']) {
      const bytes = readFixture(`recordbatch/${name}.bin`);
      const error: unknown = await log
        .producer()
        .sendRaw('t', 0, bytes)
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'BATCH_CORRUPT' });
    }
    const late = resealed(batch('a'), (_, view) => view.setBigInt64(FIELD.maxTimestamp, 4n));
    const error = await failureOf(log.producer().sendRaw('t', 0, late));
    expect(error.message).toContain('max timestamp');
    expect(await countOf(log, 't')).toBe(0);
  });

  test('a producer id that an import of the partition would refuse', async () => {
    const log = await logWith('t');
    const unsafe = resealed(batch('a'), (_, view) =>
      view.setBigInt64(FIELD.producerId, 2n ** 63n - 1n),
    );
    const error = await failureOf(log.producer().sendRaw('t', 0, unsafe));
    expect(error).toMatchObject({ code: 'BATCH_CORRUPT' });
    expect(await countOf(log, 't')).toBe(0);
  });

  test('records that break the rules of their topic', async () => {
    const small = topic('small', { value: string(), maxRecordBytes: 3 });
    const compacted = topic('compacted', { value: string(), cleanup: 'compact' });
    const log = await logWith(small, compacted);
    const large = await failureOf(
      log.producer().sendRaw(small, 0, joined(batch('abc'), batch('abcd'))),
    );
    expect(large.results).toMatchObject([{ offset: 0 }, { code: 'RECORD_TOO_LARGE' }]);
    const keyless = await failureOf(log.producer().sendRaw(compacted, 0, batch('a')));
    expect(keyless).toMatchObject({ code: 'INVALID_RECORD' });
  });
});

describe('a signal', () => {
  const reason = new Error('not wanted');

  async function held(options: ProducerOptions): Promise<{
    readonly log: Log;
    readonly producer: ReturnType<Log['producer']>;
    readonly open: () => void;
    readonly arrived: Promise<void>;
  }> {
    const { log, host } = await stubbedLog('t');
    await log.admin.listOffsets([{ topic: 't', at: 'latest' }]);
    const gate = deferred();
    const come = deferred();
    host.answer('produce', async (request, real) => {
      come.resolve();
      await gate.promise;
      return real(request);
    });
    return { log, producer: log.producer(options), open: gate.resolve, arrived: come.promise };
  }

  test('withdraws batches that wait', async () => {
    const { log, producer, open, arrived } = await held({ bufferBytes: 1 });
    const aborting = new AbortController();
    const { signal } = aborting;
    const first = producer.send('t', { value: 'a' });
    const second = producer.sendRaw('t', 0, batch('b'), { signal });
    await arrived;
    aborting.abort(reason);
    await expect(second).rejects.toBe(reason);
    open();
    await first;
    await producer.flush();
    expect(await values(log)).toEqual(['a']);
    await expect(producer.sendRaw('t', 0, batch('b'), { signal })).rejects.toBe(reason);
  });

  test('and not those that are under way', async () => {
    const { producer, open, arrived } = await held({});
    const aborting = new AbortController();
    const sent = producer.sendRaw('t', 0, batch('a'), { signal: aborting.signal });
    await arrived;
    aborting.abort(reason);
    await settle();
    open();
    expect(await sent).toMatchObject([{ offset: 0 }]);
  });
});
