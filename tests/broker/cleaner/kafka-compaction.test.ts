import { expect, test } from 'vitest';
import { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import { headRef } from '../../../src/log/head.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { loadCodec, mustGetCodec } from '../../../src/record/compression/codecs.ts';
import { TOPICS, partitionStore } from '../../../src/store/schema.ts';
import type { RowRef } from '../../../src/store/store.ts';
import { timedBatch } from '../../support/broker-fixture.ts';
import { currentRecord } from '../../support/batches.ts';
import { kafkaRecords, kafkaSegment, kafkaSegments } from '../../support/kafka-logs.ts';
import { RecordCursor } from '../../../src/record/record-cursor.ts';
import { gunzipRecords } from '../../../src/record/compression/gzip.ts';
import { checkRows } from '../check-rows.ts';
import { World } from '../../support/world.ts';

const AN_HOUR = 3_600_000;

/** A compacted partition with a file, in which a pass of compaction has been. */
async function compacted(name: string, last?: ArrayBuffer): Promise<Uint8Array> {
  const log = new World();
  const shop = log.broker();
  const { id } = await shop.create('to', 1, { cleanup: 'compact' });
  const file = Buffer.concat(kafkaSegments(name));
  const sizes = kafkaSegments(name).map(({ length }) => length);
  const request = { topicId: id, partition: 0, file: Uint8Array.from(file).buffer, sizes };
  await shop.broker.importPartition(request);
  if (last !== undefined) {
    const append = { topicId: id, partition: 0, batch: last, compression: 'none' as const };
    await shop.broker.produce({ appends: [append], durability: 'relaxed' });
  }
  const ref: RowRef<TopicRow> = { store: TOPICS, key: 'to' };
  const [row] = await log.store.read([ref]);
  const store = partitionStore(row!.stores[0]!);
  const keeper = new PartitionCleaner(log.store, { topicId: id, partition: 0, store });
  await keeper.compact(24 * AN_HOUR, () => log.clock.now());
  const [head] = await log.store.read([headRef(store)]);
  const [read] = await log.store.readSegments([{ store, from: 0, maxBytes: Infinity }]);
  checkRows(head!, read!.segments);
  return new Uint8Array(await new Blob(read!.segments.map(({ bytes }) => bytes)).arrayBuffer());
}

function keysOf(bytes: Uint8Array): string[] {
  const keys: string[] = [];
  for (const batch of readBatches(bytes)) {
    if (batch.isControl) continue;
    const { codec, recordBytes } = batch;
    const records =
      codec === 'none'
        ? recordBytes
        : codec === 'gzip'
          ? gunzipRecords(recordBytes, 1_000_000)
          : mustGetCodec(codec).inflate(recordBytes, 1_000_000);
    const cursor = new RecordCursor(batch, records);
    while (cursor.next()) keys.push(`${currentRecord(cursor).key}`);
  }
  return keys;
}

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'compaction keeps the last record of each key in batches of %s',
  async (codec) => {
    const name = `codec-${codec}`;
    const bytes = await compacted(name);
    const expected = new Set(kafkaRecords(name).map(({ key }) => key));
    const keys = keysOf(bytes);
    expect(new Set(keys)).toEqual(new Set([...expected].map(String)));
    expect(keys).toHaveLength(expected.size);
    const codecs = new Set([...readBatches(bytes)].map((batch) => batch.codec));
    codecs.delete('none'); // of batches that are empty, or too small
    // What is read only is written anew as gzip, where that is smaller.
    expect([...codecs].every((left) => left === codec || left === 'gzip')).toBe(true);
    await loadCodec(codec);
  },
);

test('compaction leaves markers, and no record is taken for one of their keys', async () => {
  const name = 'transactions';
  const before = [...readBatches(kafkaSegment(name))].filter(({ isControl }) => isControl);
  // A key with the bytes of an abort marker's.
  const bytes = await compacted(name, timedBatch([1_700_000_000_000, 'later']));
  const after = [...readBatches(bytes)].filter(({ isControl }) => isControl);
  expect(after.map((batch) => Buffer.from(batch.bytes).toString('hex'))).toEqual(
    before.map((batch) => Buffer.from(batch.bytes).toString('hex')),
  );
});

test("what Kafka's compaction left is compacted further, gaps and all", async () => {
  const bytes = await compacted('compacted');
  const expected = kafkaRecords('compacted').map(({ key }) => String(key));
  expect(keysOf(bytes).length).toBeLessThanOrEqual(expected.length);
  expect(new Set(keysOf(bytes))).toEqual(new Set(expected));
});
