import { Partitioners } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { bytes, string, topic } from '../../../src/index.ts';
import type { Partitioner, RecordMetadata } from '../../../src/index.ts';
import { countOf, logWith, numbered } from '../../support/log-fixture.ts';
import { webhookEvents } from '../../support/webhook-events.ts';

const PARTITIONS = 4;
const wide = topic('wide', { partitions: PARTITIONS });

describe('records with a key', () => {
  /** Names, ids and addresses as they occur in real events, and texts of other scripts. */
  const found = webhookEvents()
    .slice(0, 120)
    .flatMap(({ value }) => value.match(/(?<=":")[^"\\]{1,200}(?=")/g) ?? []);
  const keys = [...new Set([...found, '', 'a', 'é', '日本語', '🦊', '\0'])];
  const chosenByKafkaJs = Partitioners.DefaultPartitioner();

  const expected = (key: string, partitions: number): number =>
    chosenByKafkaJs({
      topic: 't',
      message: { key: Buffer.from(key), value: null },
      partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({
        partitionId,
        partitionErrorCode: 0,
        leader: 1,
        replicas: [],
        isr: [],
      })),
    });

  test.each([1, 3, 8])('go where KafkaJS would send them, of %i partitions', async (partitions) => {
    expect(keys.length).toBeGreaterThan(1000);
    const asText = topic('text', { key: string(), value: string(), partitions });
    const asBytes = topic('bytes', { key: bytes(), value: string(), partitions });
    const log = await logWith(asText, asBytes);
    const producer = log.producer();
    const wanted = keys.map((key) => expected(key, partitions));
    const texts = keys.map((key) => ({ key, value: '' }));
    const buffers = keys.map((key) => ({ key: Buffer.from(key), value: '' }));
    expect(partitionsOf(await producer.sendBatch(asText, texts))).toEqual(wanted);
    expect(partitionsOf(await producer.sendBatch(asBytes, buffers))).toEqual(wanted);
  });
});

describe('records without a key', () => {
  test('stay together in a batch', async () => {
    const log = await logWith(wide);
    const placed = await log.producer().sendBatch('wide', numbered(100));
    expect(new Set(partitionsOf(placed)).size).toBe(1);
  });

  test('move on with each batch, over all partitions alike', async () => {
    const log = await logWith(wide);
    const producer = log.producer();
    const counts = Array.from({ length: PARTITIONS }, () => 0);
    let last: number | undefined;
    for (const record of numbered(400)) {
      const { partition } = await producer.send('wide', record);
      expect(partition).not.toBe(last);
      counts[partition]!++;
      last = partition;
    }
    // 100 each, with a deviation of less than 10.
    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(60);
  });
});

test('an explicit partition beats the key', async () => {
  const log = await logWith(wide);
  const producer = log.producer();
  const records = numbered(8).map((record, i) => ({ ...record, key: 'k', partition: i % 4 }));
  const placed = await producer.sendBatch('wide', records);
  expect(partitionsOf(placed)).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
});

describe('a custom partitioner', () => {
  test('sees the encoded record and decides', async () => {
    const log = await logWith(wide);
    const seen: unknown[] = [];
    const partitioner: Partitioner = (record) => {
      seen.push(record);
      return 3;
    };
    const producer = log.producer({ partitioner });
    const record = { key: 'k', value: Uint8Array.of(1), headers: { h: 'x' }, timestamp: 7 };
    expect(await producer.send('wide', record)).toMatchObject({ partition: 3 });
    expect(seen).toEqual([
      {
        topic: 'wide',
        partitions: PARTITIONS,
        key: 'k',
        value: Uint8Array.of(1),
        headers: [['h', 'x']],
        timestamp: 7,
      },
    ]);
  });

  test('is not asked for a record that names its partition', async () => {
    const log = await logWith(wide);
    const partitioner = (): number => {
      throw new Error('asked');
    };
    const placed = await log.producer({ partitioner }).send('wide', { value: 'v', partition: 2 });
    expect(placed.partition).toBe(2);
  });

  test.each<[string, () => unknown]>([
    ['a partition too high', () => PARTITIONS],
    ['a negative one', () => -1],
    ['half of one', () => 0.5],
    ['NaN', () => Number.NaN],
    ['text', () => '1'],
    ['a promise', () => Promise.resolve(1)],
    ['nothing', () => undefined],
  ])('that returns %s fails its record, and no other', async (_, chosen) => {
    const error = await failOne(chosen as () => number);
    expect(error).toBeInstanceOf(RangeError);
    expect(String(error)).toContain("the topic 'wide' has the partitions 0 to 3");
  });

  test('that throws fails its record, and no other', async () => {
    const mistake = new Error('a mistake');
    const thrown = await failOne(() => {
      throw mistake;
    });
    expect(thrown).toBe(mistake);
  });

  /** Sends three records, of which `partitioner` is asked for the second; returns its error. */
  async function failOne(partitioner: () => number): Promise<unknown> {
    const log = await logWith(wide);
    const producer = log.producer({ partitioner });
    const ok = { value: 'v', partition: 0 };
    const [first, second, third] = await Promise.allSettled([
      producer.send('wide', ok),
      producer.send('wide', { value: 'v' }),
      producer.send('wide', ok),
    ]);
    expect([first, third]).toMatchObject([{ value: { offset: 0 } }, { value: { offset: 1 } }]);
    expect(await countOf(log, 'wide')).toBe(2);
    return second.status === 'rejected' ? second.reason : undefined;
  }
});

function partitionsOf(placed: readonly RecordMetadata[]): number[] {
  return placed.map(({ partition }) => partition);
}
