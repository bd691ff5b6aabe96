import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ATTRIBUTE, BATCH_HEADER_BYTES } from '../../src/record/batch-format.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { sealBatch } from '../../src/record/batch-seal.ts';
import { BatchWriter, maxRecordBytes, payloadBytes } from '../../src/record/batch-writer.ts';
import { RecordCursor } from '../../src/record/record-cursor.ts';
import type { RecordParts } from '../../src/record/batch-writer.ts';
import { batchOf, plainOf, readBatch, recordOf } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';
import { anyRecord, anyRecords, anyTimestamp } from './arbitraries.ts';
import { readJson } from './fixture-files.ts';

function finished(writer: BatchWriter): Bytes {
  const batch = writer.finish();
  sealBatch(batch);
  return batch;
}

function expectIdentity(records: readonly RecordParts[]): void {
  expect(readBatch(batchOf(records))).toEqual(plainOf(records));
}

describe('what is written is what is read', () => {
  test('for any records', () => {
    fc.assert(fc.property(anyRecords, expectIdentity), { numRuns: 1000 });
  });

  test('for many records, with offset deltas of several bytes', () => {
    const tiny = fc.record({ value: fc.uint8Array({ maxLength: 3 }), timestamp: anyTimestamp });
    const many = fc.array(tiny, { minLength: 60, maxLength: 200 });
    fc.assert(
      fc.property(many, (parts) => expectIdentity(parts.map(recordOf))),
      { numRuns: 30 },
    );
    expectIdentity(Array.from({ length: 20_000 }, (_, i) => recordOf({ timestamp: i })));
  });

  test.each([63, 64, 8191, 8192, 1_048_575, 1_048_576, 3_000_000])(
    'for a value of %i bytes, between small ones',
    (size) => {
      const value = Uint8Array.from({ length: size }, (_, i) => i & 0xff);
      expectIdentity([recordOf({ value: 'a' }), recordOf({ value }), recordOf({ value: 'b' })]);
    },
  );

  test('null and empty stay apart, and headers keep order and duplicates', () => {
    expectIdentity([
      recordOf({ key: null, value: '' }),
      recordOf({ key: '', value: null }),
      recordOf({
        headers: [
          ['a', '1'],
          ['__proto__', 'x'],
          ['a', null],
          ['', ''],
          ['a', '1'],
        ],
      }),
    ]);
  });

  test('a byte order mark is a character like any other', () => {
    expectIdentity([
      recordOf({ key: '\uFEFFk', value: '\uFEFF', headers: [['\uFEFFname', '\uFEFF']] }),
    ]);
  });

  test('timestamps go anywhere from 0 to 2^52 - 1', () => {
    const last = 2 ** 52 - 1;
    const timestamps = [last, 0, last, 1, 2 ** 31, 2 ** 32, 0];
    const records = timestamps.map((timestamp) => recordOf({ timestamp }));
    expectIdentity(records);
    expect(new RecordBatch(batchOf(records))).toMatchObject({
      baseTimestamp: last,
      maxTimestamp: last,
    });
  });
});

describe('the header', () => {
  test('has the first timestamp and the largest one', () => {
    fc.assert(
      fc.property(anyRecords, (records) => {
        const timestamps = records.map(({ timestamp }) => timestamp);
        expect(new RecordBatch(batchOf(records))).toMatchObject({
          baseTimestamp: timestamps[0],
          maxTimestamp: Math.max(...timestamps),
          recordCount: records.length,
          nextOffset: records.length,
        });
      }),
    );
  });

  test('has nobody as the producer unless told', () => {
    expect(new RecordBatch(batchOf([recordOf()]))).toMatchObject({
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
    });
  });
});

describe('a writer', () => {
  test('says how many records and bytes it has, and starts again', () => {
    const writer = new BatchWriter();
    expect(writer).toMatchObject({ recordCount: 0, byteLength: BATCH_HEADER_BYTES });
    expect([writer.append(recordOf()), writer.append(recordOf())]).toEqual([0, 1]);
    const { byteLength } = writer;
    expect(writer.finish().length).toBe(byteLength);
    expect(writer).toMatchObject({ recordCount: 0, byteLength: BATCH_HEADER_BYTES });
    expect(writer.append(recordOf())).toBe(0);
  });

  test('gives batches that are their own, and as if it were new each time', () => {
    fc.assert(
      fc.property(fc.array(anyRecords, { minLength: 2, maxLength: 4 }), (batches) => {
        const writer = new BatchWriter();
        const written = batches.map((records) => {
          for (const record of records) writer.append(record);
          return finished(writer);
        });
        expect(written).toEqual(batches.map((records) => batchOf(records)));
        for (const batch of written) expect(batch.byteLength).toBe(batch.buffer.byteLength);
      }),
    );
  });

  test.each([
    ['key', { key: 'a\uD800' }],
    ['value', { value: '\uDC00' }],
    ['header name', { headers: [['\uD800', 'x']] }],
    [
      'header value',
      {
        headers: [
          ['ok', 'x'],
          ['h', '\uD800x'],
        ],
      },
    ],
  ] as const)('is unchanged by a lone surrogate in a %s', (_, bad) => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 4 }), anyRecord, (before, after) => {
        const writer = new BatchWriter();
        for (const record of before) writer.append(record);
        const { recordCount, byteLength } = writer;
        expect(() => writer.append(recordOf({ timestamp: 7, ...bad }))).toThrow(TypeError);
        expect(writer).toMatchObject({ recordCount, byteLength });
        writer.append(after);
        expect(finished(writer)).toEqual(batchOf([...before, after]));
      }),
      { numRuns: 30 },
    );
  });
});

test('maxRecordBytes is never too low, and payloadBytes is what a reader counts', () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      const writer = new BatchWriter();
      for (const record of records) {
        const before = writer.byteLength;
        writer.append(record);
        expect(writer.byteLength - before).toBeLessThanOrEqual(maxRecordBytes(record));
      }
      const cursor = new RecordCursor(new RecordBatch(writer.finish()));
      for (const record of records) {
        cursor.next();
        expect(cursor.payloadBytes).toBe(payloadBytes(record));
      }
    }),
    { numRuns: 300 },
  );
});

interface Recipe {
  readonly batch: {
    readonly producerId: string;
    readonly producerEpoch: number;
    readonly baseSequence: number;
    readonly records: {
      readonly count: number;
      readonly key: string;
      readonly value: string;
      readonly headers: readonly (readonly [string, string])[];
    };
  };
  readonly expect: {
    readonly crc: { readonly none: number };
    readonly lastOffsetDelta: number;
    readonly firstTimestamp: string;
    readonly maxTimestamp: string;
  };
}

test('a batch built after aiokafka’s recipe has its CRC', () => {
  const recipe = readJson('recordbatch/aiokafka-recipe.json') as Recipe;
  const { producerId, producerEpoch, baseSequence, records } = recipe.batch;
  const { key, value, headers, count } = records;
  const bytes = batchOf(
    Array.from({ length: count }, (_, i) => ({ key, value, headers, timestamp: 9_999_999 + i })),
    {
      producer: { id: Number(producerId), epoch: producerEpoch, sequence: baseSequence },
      attributes: ATTRIBUTE.transactional,
    },
  );
  const batch = new RecordBatch(bytes);
  expect(Buffer.from(bytes).readUInt32BE(17)).toBe(recipe.expect.crc.none);
  expect(batch.nextOffset).toBe(recipe.expect.lastOffsetDelta + 1);
  expect(`${batch.baseTimestamp}`).toBe(recipe.expect.firstTimestamp);
  expect(`${batch.maxTimestamp}`).toBe(recipe.expect.maxTimestamp);
});
