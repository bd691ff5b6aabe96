import { describe, expect, test } from 'vitest';
import type { ImportedPartition, LogFile, Log, TopicLike } from '../../../src/index.ts';
import { topic } from '../../../src/index.ts';
import { ATTRIBUTE, FIELD, viewOf } from '../../../src/record/batch-format.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { placeBatch } from '../../../src/record/batch-seal.ts';
import { batchOf, readRecords, recordOf } from '../../support/batches.ts';
import {
  KAFKA_LOGS,
  asKafkaRecord,
  batchesOf,
  kafkaRecords,
  kafkaSegment,
  kafkaSegments,
} from '../../support/kafka-logs.ts';
import { logWith, offsetsOf, take, texts } from '../../support/log-fixture.ts';
import { asDecoded, decodedRecords, kafkajsDecode } from '../../record/kafkajs-codec.ts';

const START = 1_700_000_000_000;

const TO = { topic: 'to', partition: 0 };

async function fileOf(log: Log, name: string): Promise<Buffer> {
  const stream = log.admin.exportPartition({ topic: name, partition: 0 });
  return Buffer.from(await new Response(stream as BodyInit).arrayBuffer());
}

/** Every message of a topic, and of its end a record that is sent now. */
async function readToEnd(log: Log, to: TopicLike, count: number): Promise<unknown[]> {
  await log.producer().send(to, { value: 'the end' });
  const consumer = log.consumer({ topics: [to], from: 'earliest' });
  const messages = await take(consumer, count + 1);
  await consumer.close();
  expect(texts(messages.slice(-1) as never)).toEqual(['the end']);
  return messages.slice(0, -1).map((message) => asKafkaRecord(message as never));
}

async function importing(file: LogFile | readonly LogFile[]): Promise<[Log, ImportedPartition]> {
  const log = await logWith('to');
  return [log, await log.admin.importPartition(TO, file)];
}

async function refusal(file: LogFile | readonly LogFile[]): Promise<Error> {
  const log = await logWith('to');
  const imported = log.admin.importPartition(TO, file);
  const error = await imported.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'INVALID_LOG_FILE' });
  expect(await log.admin.describeTopics(['to'])).toMatchObject([
    {
      partitions: [{ startOffset: 0, endOffset: 0, bytes: 0, segments: 0 }],
    },
  ]);
  return error as Error;
}

/** Batches that must be stored: markers, and those whose records a consumer of Kafka got. */
function keptOf(name: string): Buffer {
  const read = new Set(kafkaRecords(name).map(({ offset }) => offset));
  const batches = kafkaSegments(name).flatMap(batchesOf);
  const isKept = (bytes: Uint8Array): boolean => {
    const [batch] = readBatches(bytes);
    if (batch!.isControl || !batch!.isTransactional || batch!.recordCount === 0) return true;
    return read.has(batch!.nextOffset - 1);
  };
  return Buffer.concat(batches.filter(isKept));
}

describe.each(KAFKA_LOGS)('%s, as Kafka wrote it,', (name) => {
  const expected = kafkaRecords(name);

  test("reads as Kafka's consumer read it", async () => {
    const [log, imported] = await importing(kafkaSegments(name));
    expect(imported).toMatchObject({
      records: expected.length,
      startOffset: expected[0]!.offset,
    });
    expect(await readToEnd(log, 'to', expected.length)).toEqual(expected);
  });

  test('is exported as it was, and imported again', async () => {
    const [log] = await importing(kafkaSegments(name));
    const file = await fileOf(log, 'to');
    expect(file.equals(keptOf(name))).toBe(true);
    const [again, imported] = await importing(file);
    expect(imported.records).toBe(expected.length);
    expect((await fileOf(again, 'to')).equals(file)).toBe(true);
    expect(await readToEnd(again, 'to', expected.length)).toEqual(expected);
  });

  test('is found by time', async () => {
    const [log] = await importing(kafkaSegments(name));
    for (const { timestamp } of expected) {
      const first = expected.find((record) => record.timestamp >= timestamp)!;
      expect(
        offsetsOf(await log.admin.listOffsets([{ topic: 'to', at: new Date(timestamp) }])),
      ).toEqual([first.offset]);
    }
  });

  test('is read from any offset, in a gap and at a marker too', async () => {
    const [log, { startOffset, endOffset }] = await importing(kafkaSegments(name));
    await log.producer().send('to', { value: 'the end' });
    for (let offset = startOffset; offset < endOffset; offset++) {
      const consumer = log.consumer({ topics: ['to'], from: 'earliest' });
      await consumer.seek(offset, { topic: 'to', partition: 0 });
      const [message] = await take(consumer, 1);
      const first = expected.find((record) => record.offset >= offset);
      expect(message!.offset).toBe(first?.offset ?? endOffset);
      await consumer.close();
    }
    expect(endOffset).toBeGreaterThan(startOffset);
  });
});

describe('an import tells what it left out:', () => {
  const nothing = { abortedRecords: 0, openRecords: 0, paddingBytes: 0, truncatedBytes: 0 };

  test.each([
    ['codec-zstd', 28, undefined],
    ['compacted', 57, undefined],
    ['transactions', 16, { ...nothing, abortedRecords: 4 }],
    ['open-transaction', 18, { ...nothing, abortedRecords: 4, openRecords: 1 }],
    ['two-segments', 10, { ...nothing, abortedRecords: 1 }],
    ['preallocated', 12, { ...nothing, paddingBytes: 8192 - 913 }],
  ])('%s', async (name, endOffset, leftOut) => {
    const [, imported] = await importing(kafkaSegments(name));
    expect(imported).toEqual({
      ...TO,
      startOffset: kafkaRecords(name)[0]!.offset,
      endOffset,
      records: kafkaRecords(name).length,
      ...(leftOut && { leftOut }),
    });
  });

  test('the last batch, where the file is cut within it', async () => {
    const file = kafkaSegment('codec-none');
    const last = batchesOf(file).at(-1)!.length;
    for (let cut = 1; cut < last; cut++) {
      const [log, imported] = await importing(file.subarray(0, -cut));
      expect(imported).toEqual({
        ...TO,
        startOffset: 0,
        endOffset: 24,
        records: 24,
        leftOut: { ...nothing, truncatedBytes: last - cut },
      });
      await log.close();
    }
  });

  test('the last batch, where zeros follow the part of it that was written', async () => {
    const file = kafkaSegment('preallocated');
    const [first, second, third] = batchesOf(file) as [Uint8Array, Uint8Array, Uint8Array];
    const whole = first.length + second.length;
    for (const written of [8, 16, 40, 61, 100, third.length - 12]) {
      const torn = file.slice().fill(0, whole + written);
      const [log, { endOffset, leftOut }] = await importing(torn);
      expect(endOffset).toBe(8);
      expect(leftOut!.truncatedBytes + leftOut!.paddingBytes).toBe(8192 - whole);
      await log.close();
    }
  });

  test('records of transactions that end in a segment which is not there', async () => {
    const [first, second] = kafkaSegments('two-segments') as [Uint8Array, Uint8Array];
    expect((await importing(first))[1]).toMatchObject({
      records: 4,
      endOffset: 6,
      leftOut: { openRecords: 2 },
    });
    expect((await importing(second))[1]).toMatchObject({ startOffset: 6, records: 2 });
  });
});

describe('segments of one partition', () => {
  const segments = kafkaSegments('two-segments');

  test('come in any order, as anything that holds bytes', async () => {
    const [first, second] = segments as [(typeof segments)[0], (typeof segments)[0]];
    const stream = new Blob([first]).stream() as ReadableStream<Uint8Array>;
    const [log, imported] = await importing([new Blob([second]), stream]);
    expect(imported).toMatchObject({ startOffset: 0, endOffset: 10, records: 7 });
    expect((await fileOf(log, 'to')).equals(keptOf('two-segments'))).toBe(true);
  });

  test('may be joined by one that is empty, or preallocated', async () => {
    const [, imported] = await importing([new Uint8Array(), ...segments, new Uint8Array(4096)]);
    expect(imported).toMatchObject({ records: 7, leftOut: { paddingBytes: 4096 } });
  });

  test('are each passed once', async () => {
    const error = await refusal([...segments, segments[1]!]);
    expect(error).toMatchObject({ details: { at: 0, file: 2, baseOffset: 6 } });
    expect(error.message).toMatch(
      /byte 0 of file 3 of 3: it begins at offset 6, not at 10 or later/,
    );
    expect(error.message).toMatch(/pass each segment once/);
  });

  test('are whole, but for the last one', async () => {
    const [first, second] = segments as [Uint8Array, Uint8Array];
    const error = await refusal([second, first.subarray(0, -1)]);
    expect(error).toMatchObject({ details: { at: 364, file: 1, baseOffset: 5 } });
    expect(error.message).toMatch(/byte 364 of file 2 of 2: .*125 bytes, and 124 are left/);
    expect((await importing([second.subarray(0, -1), first]))[1]).toMatchObject({
      endOffset: 9,
      leftOut: { truncatedBytes: 147 },
    });
  });

  test('are 256 MiB together, at the most', async () => {
    const half = Object.defineProperty(new Blob(), 'size', { value: 2 ** 27 + 1 });
    await expect(refusal([half, half])).rejects.toThrow();
    const log = await logWith('to');
    await expect(log.admin.importPartition(TO, [half, half])).rejects.toThrow(
      /268435456 at the most, got 268435458/,
    );
  });
});

describe('a file is refused, which byte, which batch and what to do is told:', () => {
  const file = kafkaSegment('codec-none');
  const [first, second] = batchesOf(file) as [Uint8Array, Uint8Array];

  test('other bytes than were written', async () => {
    const damaged = file.slice();
    damaged[first.length + 80]! ^= 1;
    const error = await refusal(damaged);
    expect(error).toMatchObject({ details: { at: first.length, file: 0, baseOffset: 8 } });
    expect(error.message).toMatch(`the batch at byte ${first.length}: its CRC is wrong.`);
    expect(error.message).toMatch(`pass what is before, file.slice(0, ${first.length})`);
    const [, imported] = await importing(damaged.slice(0, first.length));
    expect(imported).toMatchObject({ records: 8 });
  });

  test('no batch is whole', async () => {
    const error = await refusal(first.subarray(0, -1));
    expect(error.message).toMatch(/byte 0: by its header it has \d+ bytes, and \d+ are left/);
  });

  test.each([
    ['an offset index', new Uint8Array(64).fill(1), /pass the \.log files/],
    ['text', new TextEncoder().encode('{"orders":[]}'.repeat(9)), /pass the \.log files/],
    ['zeros alone', new Uint8Array(4096), /4096 zeros, and no batch/],
  ])('%s', async (_, other, why) => {
    expect((await refusal(other)).message).toMatch(why);
  });

  test.each([0, 1])('message format %s', async (magic) => {
    // A message set: offset, size, CRC, magic, attributes, timestamp (from 1 on), key, value.
    const old = new Uint8Array(12 + 22 + magic * 8);
    const view = viewOf(old);
    view.setInt32(8, old.length - 12);
    view.setInt8(16, magic);
    const error = await refusal(old);
    expect(error.message).toMatch(`it is of message format ${magic}, of Kafka before 0.11`);
    expect(error.message).toMatch(/have Kafka write the records anew/);
  });

  test('an offset that no number has', async () => {
    const far = Uint8Array.from(second);
    viewOf(far).setBigInt64(FIELD.baseOffset, 2n ** 53n + 1n);
    const error = await refusal(far);
    expect(error.message).toMatch(/it begins at offset 9007199254740993, beyond 2\^52/);
    expect(error.message).toMatch(/copy the records to a new topic/);
    expect(error).toMatchObject({ details: { at: 0, baseOffset: '9007199254740993' } });
  });

  test('records that are all of a transaction without an end', async () => {
    const open = batchesOf(kafkaSegment('open-transaction')).at(-2)!;
    const error = await refusal(open);
    expect(error.message).toMatch(/of its 1 records none is known to be committed/);
    expect(error.message).toMatch(/pass the next segments too/);
  });

  test('a gap that no compaction leaves', async () => {
    const far = Uint8Array.from(second);
    viewOf(far).setBigInt64(FIELD.baseOffset, 2n ** 41n);
    const error = await refusal(new Uint8Array([...first, ...far]));
    expect(error.message).toMatch(/begins at offset 2199023255552, and the one before ends at 8/);
  });

  test('gaps that no compaction leaves, each of which it could leave', async () => {
    const one = batchOf([recordOf({ value: 'a' })]);
    const places = [0, 1, 2].map((i) => i * 2 ** 39);
    const files = places.map((baseOffset) => placed(one, baseOffset));
    const [, imported] = await importing(Uint8Array.from(Buffer.concat(files)));
    expect(imported).toMatchObject({ records: 3 });
    const error = await refusal(Buffer.concat([...files, placed(one, 3 * 2 ** 39)]));
    expect(error.message).toMatch(/and 1099511627774 offsets are missing before that/);
    expect(error).toMatchObject({ details: { at: 3 * one.length } });
  });
});

/** A copy of the batch that begins at `baseOffset`. */
function placed(batch: Uint8Array, baseOffset: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(batch);
  placeBatch(copy, baseOffset);
  return copy;
}

test('a gap of more offsets than a batch can cover is read over', async () => {
  const far = 3 * 2 ** 31;
  const one = batchOf([recordOf({ value: 'a' })]);
  const two = batchOf([recordOf({ value: 'b' })], { baseOffset: far });
  const [log, imported] = await importing(new Uint8Array([...one, ...two]));
  expect(imported).toEqual({ ...TO, startOffset: 0, endOffset: far + 1, records: 2 });
  expect(await readToEnd(log, 'to', 2)).toMatchObject([{ offset: 0 }, { offset: far }]);
  const end = batchOf([recordOf({ value: 'the end' })], { baseOffset: far + 1 });
  const exported = await fileOf(log, 'to');
  expect(exported.subarray(0, one.length + two.length)).toEqual(Buffer.concat([one, two]));
  expect(exported.length).toBe(one.length + two.length + end.length);
});

test('a control record of another kind ends no transaction, and nobody gets it', async () => {
  const producer = { id: 7, epoch: 0, sequence: 0 };
  const control = (baseOffset: number, type: number): Uint8Array =>
    batchOf([recordOf({ key: Uint8Array.of(0, 0, 0, type), value: new Uint8Array(6) })], {
      baseOffset,
      producer,
      attributes: ATTRIBUTE.transactional | ATTRIBUTE.control,
    });
  const [LEADER_CHANGE, COMMIT] = [2, 1];
  const open = [
    ...batchOf([recordOf({ value: 'a' })], { producer, attributes: ATTRIBUTE.transactional }),
    ...control(1, LEADER_CHANGE),
    ...batchOf([recordOf({ value: 'b' })], { baseOffset: 2 }),
  ];
  const [, imported] = await importing(Uint8Array.from(open));
  expect(imported).toMatchObject({ records: 1, endOffset: 3, leftOut: { openRecords: 1 } });
  const [log, committed] = await importing(Uint8Array.from([...open, ...control(3, COMMIT)]));
  expect(committed).toEqual({ ...TO, startOffset: 0, endOffset: 4, records: 2 });
  expect(await readToEnd(log, 'to', 2)).toMatchObject([{ offset: 0 }, { offset: 2 }]);
});

test.each(['codec-none', 'codec-gzip', 'append-time', 'transactions'])(
  'KafkaJS reads what is exported of %s as tablog does',
  async (name) => {
    const [log] = await importing(kafkaSegments(name));
    for (const { bytes, isControl, codec } of readBatches(await fileOf(log, 'to'))) {
      if (isControl || (codec !== 'none' && codec !== 'gzip')) continue;
      expect(decodedRecords(await kafkajsDecode(bytes))).toEqual(asDecoded(readRecords(bytes)));
    }
  },
);

describe('into memory, and with a topic of its own', () => {
  test('is as on disk', async () => {
    const to = topic('to', { storage: 'memory' });
    const log = await logWith(to);
    const imported = await log.admin.importPartition(
      { topic: to, partition: 0 },
      kafkaSegments('transactions'),
    );
    expect(imported).toMatchObject({ records: 8 });
    const consumer = log.consumer({ topics: ['to'], from: 'earliest' });
    const read = (await take(consumer, 8)).map((message) => asKafkaRecord(message as never));
    expect(read.every(({ timestamp }) => timestamp >= START)).toBe(true);
    expect(read.map(({ value }) => value)).toEqual(
      kafkaRecords('transactions').map(({ value }) => value),
    );
  });
});
