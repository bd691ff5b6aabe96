import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ATTRIBUTE } from '../../src/record/batch-format.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { crcMatches } from '../../src/record/batch-seal.ts';
import type { RecordParts } from '../../src/record/batch-writer.ts';
import { batchOf, plainOf, readBatch, recordOf } from '../support/batches.ts';
import { anyBytes, anyField, anyText, anyTimestamp } from './arbitraries.ts';
import { asDecoded, decodedRecords, kafkajsDecode, kafkajsEncode } from './kafkajs-codec.ts';
import type { Compression } from './kafkajs-codec.ts';

// KafkaJS keeps headers in an object: a name such as `constructor` or `1` would not survive there.
const headerName = anyText.map((name) => `h${name}`);
const headers = (value: fc.Arbitrary<RecordParts['value']>): fc.Arbitrary<RecordParts['headers']> =>
  fc.array(fc.tuple(headerName, value), { maxLength: 4 });

const recordWith = (headerValue: fc.Arbitrary<RecordParts['value']>): fc.Arbitrary<RecordParts> =>
  fc.record({
    key: anyField,
    value: anyField,
    headers: headers(headerValue),
    timestamp: anyTimestamp,
  });

const some = (record: fc.Arbitrary<RecordParts>): fc.Arbitrary<RecordParts[]> =>
  fc.array(record, { minLength: 1, maxLength: 10 });

const filler = recordOf({ value: 'compressible '.repeat(20), timestamp: 5 });

const examples: Record<string, RecordParts[]> = {
  'a tombstone': [recordOf({ key: 'k' })],
  'null and null': [recordOf()],
  'empty and empty': [recordOf({ key: '', value: '' })],
  'headers, one of them twice': [
    recordOf({
      headers: [
        ['a', '1'],
        ['b', ''],
        ['a', '2'],
      ],
    }),
  ],
  'negative timestamp deltas': [9_000_000_000_000, 8_999_999_999_999, 0, 9_000_000_000_001].map(
    (timestamp) => recordOf({ timestamp, value: 'v' }),
  ),
  'many records': Array.from({ length: 3000 }, (_, i) => recordOf({ key: `${i}`, timestamp: i })),
  'a large value': [recordOf({ value: 'x'.repeat(300_000) })],
};

/** Names with several values come grouped from KafkaJS; then the order between names is lost. */
function expectTheirsRead(batch: Uint8Array, records: readonly RecordParts[]): void {
  expect(crcMatches(batch)).toBe(true);
  expect(asDecoded(readBatch(batch))).toEqual(asDecoded(plainOf(records)));
}

async function expectOursRead(batch: Uint8Array, records: readonly RecordParts[]): Promise<void> {
  expect(decodedRecords(await kafkajsDecode(batch))).toEqual(asDecoded(plainOf(records)));
}

describe.each<Compression>(['none', 'gzip'])('with compression %s', (compression) => {
  const gzip = compression === 'gzip';

  test.each(Object.entries(examples))('we read what KafkaJS writes: %s', async (_, records) => {
    const batch = await kafkajsEncode(records, compression);
    expect(new RecordBatch(batch).codec).toBe(compression);
    expectTheirsRead(batch, records);
  });

  test('we read what KafkaJS writes: any records', async () => {
    await fc.assert(
      fc.asyncProperty(some(recordWith(fc.oneof(anyText, anyBytes))), async (records) => {
        expectTheirsRead(await kafkajsEncode(records, compression), records);
      }),
      { numRuns: 300 },
    );
  });

  test.each(Object.entries(examples))('KafkaJS reads what we write: %s', async (_, records) => {
    const padded = [filler, ...records];
    const batch = batchOf(padded, { gzip });
    expect(new RecordBatch(batch).codec).toBe(compression);
    await expectOursRead(batch, padded);
  });

  test('KafkaJS reads what we write: any records', async () => {
    await fc.assert(
      fc.asyncProperty(some(recordWith(anyField)), async (records) => {
        await expectOursRead(batchOf([filler, ...records], { gzip }), [filler, ...records]);
      }),
      { numRuns: 300 },
    );
  });
});

test('without compression both write the same bytes, but for the producer stamp', async () => {
  const distinct = fc.uniqueArray(fc.tuple(headerName, anyBytes), { selector: ([name]) => name });
  const record = fc.record({
    key: anyField,
    value: anyField,
    headers: distinct,
    timestamp: anyTimestamp,
  });
  await fc.assert(
    fc.asyncProperty(some(record), async (records) => {
      const ours = batchOf(records, { producer: { id: -1, epoch: 0, sequence: 0 } });
      const theirs = await kafkajsEncode(records, 'none');
      expect(Buffer.from(ours).equals(theirs)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('KafkaJS reads the header that we write', async () => {
  const decoded = await kafkajsDecode(
    batchOf([recordOf({ timestamp: 8 }), recordOf({ timestamp: 3 })], {
      baseOffset: 2 ** 53 - 5,
      producer: { id: 2 ** 40, epoch: 7, sequence: 99 },
      attributes: ATTRIBUTE.transactional | ATTRIBUTE.control,
      appendTime: 1234,
    }),
  );
  expect(decoded).toMatchObject({
    firstOffset: `${2 ** 53 - 5}`,
    lastOffsetDelta: 1,
    firstTimestamp: '8',
    maxTimestamp: '1234',
    producerId: `${2 ** 40}`,
    producerEpoch: 7,
    firstSequence: 99,
    inTransaction: true,
    isControlBatch: true,
  });
  expect(decoded.records.map(({ timestamp }) => timestamp)).toEqual(['1234', '1234']);
});
