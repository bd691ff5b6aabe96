import { describe, expect, test } from 'vitest';
import { string, topic } from '../../../src/index.ts';
import type { Compression, Log } from '../../../src/index.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { asKafkaRecord, kafkaRecords, kafkaSegments } from '../../support/kafka-logs.ts';
import { logWith, numbered, readAll, take, texts } from '../../support/log-fixture.ts';
import { webhookEvents } from '../../support/webhook-events.ts';

const WRITTEN = ['gzip', 'snappy', 'lz4'] as const;
const READ = [...WRITTEN, 'zstd'] as const;

const events = webhookEvents().slice(0, 200);

async function codecsOf(log: Log, name: string): Promise<string[]> {
  const stream = log.admin.exportPartition({ topic: name, partition: 0 });
  const file = new Uint8Array(await new Response(stream as BodyInit).arrayBuffer());
  return [...readBatches(file)].map(({ codec }) => codec);
}

async function bytesOf(log: Log, name: string): Promise<number> {
  return (await log.admin.describeTopics([name]))[0].partitions[0]!.bytes;
}

describe.each(WRITTEN)('a producer with %s', (compression: Compression) => {
  test('is read as it was sent, and takes less room', async () => {
    const log = await logWith('plain', 'packed');
    await log.producer().sendBatch('plain', events);
    await log.producer({ compression }).sendBatch('packed', events);
    expect(texts(await readAll(log, 'packed'))).toEqual(events.map(({ value }) => value));
    expect(new Set(await codecsOf(log, 'packed'))).toEqual(new Set([compression]));
    expect(await bytesOf(log, 'packed')).toBeLessThan((await bytesOf(log, 'plain')) / 3);
  });

  test('stores as it is what would not be smaller', async () => {
    const log = await logWith('packed');
    await log.producer({ compression }).send('packed', { value: 'v' });
    expect(await codecsOf(log, 'packed')).toEqual(['none']);
  });

  test('makes batches of 256 KiB, as others do of 1 MiB', async () => {
    const log = await logWith('packed');
    const record = { value: 'x'.repeat(100_000) };
    const records = Array.from({ length: 10 }, () => record);
    await log.producer({ compression }).sendBatch('packed', records);
    expect((await codecsOf(log, 'packed')).length).toBeGreaterThanOrEqual(4);
  });

  test('sends to a topic in memory, and in a transaction', async () => {
    const memory = topic('memory', { value: string(), storage: 'memory' });
    const log = await logWith(memory, 'disk');
    const producer = log.producer({ compression });
    await producer.sendBatch(memory, numbered(100));
    await producer.transaction(async (tx) => {
      for (const record of numbered(100)) tx.send('disk', record);
    });
    const all = numbered(100).map(({ value }) => value);
    expect((await readAll(log, memory)).map(({ value }) => value)).toEqual(all);
    expect(texts(await readAll(log, 'disk'))).toEqual(all);
    expect(await codecsOf(log, 'disk')).toEqual([compression]);
  });
});

describe.each(READ)('records in %s', (codec) => {
  const name = `codec-${codec}`;
  const expected = kafkaRecords(name);

  async function logWithFile(): Promise<Log> {
    const log = await logWith('to', 'dead');
    await log.admin.importPartition({ topic: 'to', partition: 0 }, kafkaSegments(name));
    return log;
  }

  test('come in batches', async () => {
    const log = await logWithFile();
    const consumer = log.consumer({ topics: ['to'], from: 'earliest' });
    const read: unknown[] = [];
    for await (const { messages } of consumer.batches({ max: 10 })) {
      read.push(...messages.map(asKafkaRecord));
      if (read.length >= expected.length) break;
    }
    expect(read).toEqual(expected);
  });

  test('are dead letters byte for byte', async () => {
    const log = await logWithFile();
    const consumer = log.consumer({ topics: ['to'], from: 'earliest', group: 'g' });
    const running = consumer.run({
      eachMessage: () => Promise.reject(new Error('no')),
      onError: 'deadLetter',
      deadLetterTopic: 'dead',
    });
    const letters = await take(
      log.consumer({ topics: ['dead'], from: 'earliest' }),
      expected.length,
    );
    await consumer.close();
    await running;
    const bodies = letters.map(asKafkaRecord).map(({ key, value }) => ({ key, value }));
    expect(bodies).toEqual(expected.map(({ key, value }) => ({ key, value })));
  });
});
