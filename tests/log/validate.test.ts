import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inflateRecords, validateBatch, validateRawBatch } from '../../src/log/validate.ts';
import type { BatchLimits } from '../../src/log/validate.ts';
import { ATTRIBUTE, CODEC, FIELD } from '../../src/record/batch-format.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { payloadBytes } from '../../src/record/batch-writer.ts';
import { batchOf, compactedBatch, rawBatch, recordOf, resealed } from '../support/batches.ts';
import { anyRecords } from '../record/arbitraries.ts';
import { codeOf, errorOf } from '../record/errors.ts';
import { readFixture } from '../record/fixture-files.ts';

const limits: BatchLimits = { maxRecordBytes: 1000, maxBatchBytes: 1_000_000, needsKeys: false };
const generous: BatchLimits = {
  maxRecordBytes: 10_000_000,
  maxBatchBytes: 10_000_000,
  needsKeys: false,
};

const filler = recordOf({ value: 'abc'.repeat(100) });

test('any batch that a writer made is accepted, and is what comes back', () => {
  fc.assert(
    fc.property(anyRecords, fc.boolean(), (records, gzip) => {
      const bytes = batchOf([filler, ...records], { gzip });
      const batch = validateBatch(bytes, generous);
      expect(batch.bytes).toBe(bytes);
      expect(batch.recordCount).toBe(records.length + 1);
      expect(batch.codec).toBe(gzip ? 'gzip' : 'none');
    }),
    { numRuns: 300 },
  );
});

test('a batch need not be sealed: the broker does that', () => {
  const bytes = batchOf([filler]);
  bytes.fill(0, 17, 21);
  expect(validateBatch(bytes, limits).recordCount).toBe(1);
});

describe('maxRecordBytes', () => {
  test('is the most that key, value and headers may take', () => {
    fc.assert(
      fc.property(anyRecords, (records) => {
        const largest = Math.max(...records.map(payloadBytes));
        const bytes = batchOf(records);
        const within = { ...generous, maxRecordBytes: largest };
        expect(validateBatch(bytes, within).recordCount).toBe(records.length);
        if (largest === 0) return;
        const error = errorOf(() =>
          validateBatch(bytes, { ...within, maxRecordBytes: largest - 1 }),
        );
        expect(error).toMatchObject({
          code: 'RECORD_TOO_LARGE',
          details: { bytes: largest, maxRecordBytes: largest - 1 },
        });
      }),
    );
  });
});

describe('maxBatchBytes', () => {
  test('is the most that a compressed batch may inflate to', () => {
    const records = Array.from({ length: 100 }, () => filler);
    const inflated = new RecordBatch(batchOf(records)).recordBytes.length;
    const packed = batchOf(records, { gzip: true });
    expect(validateBatch(packed, { ...limits, maxBatchBytes: inflated }).recordCount).toBe(100);
    const under = { ...limits, maxBatchBytes: inflated - 1 };
    expect(codeOf(() => validateBatch(packed, under))).toBe('INFLATED_TOO_LARGE');
  });
});

describe('a batch is refused', () => {
  const refused = (bytes: Uint8Array): string => codeOf(() => validateBatch(bytes, limits));

  test('that has no records, or only their offsets', () => {
    expect(refused(batchOf([]))).toBe('BATCH_CORRUPT');
    expect(refused(compactedBatch(5))).toBe('BATCH_CORRUPT');
  });

  test('that only a broker writes', () => {
    const { control, transactional } = ATTRIBUTE;
    for (const attributes of [control, transactional, control | transactional]) {
      expect(refused(batchOf([filler], { attributes }))).toBe('BATCH_CORRUPT');
    }
  });

  test('with offsets that have gaps, or come twice, or in another order', () => {
    const record = (offsetDelta: number): number[] => [12, 0, 0, offsetDelta * 2, 1, 1, 0];
    const two = (first: number, second: number, lastOffsetDelta: number): Uint8Array =>
      rawBatch([...record(first), ...record(second)], { recordCount: 2, lastOffsetDelta });
    expect(validateBatch(two(0, 1, 1), limits).recordCount).toBe(2);
    expect(refused(two(0, 2, 2))).toBe('BATCH_CORRUPT');
    expect(refused(two(0, 1, 2))).toBe('BATCH_CORRUPT');
    expect(refused(two(1, 1, 1))).toBe('BATCH_CORRUPT');
    expect(refused(two(1, 0, 1))).toBe('BATCH_CORRUPT');
    expect(refused(two(0, 0, 1))).toBe('BATCH_CORRUPT');
  });

  test.each(['baseTimestamp', 'maxTimestamp'] as const)(
    'with a %s that is no safe integer, which could not be appended',
    (field) => {
      const bytes = resealed(batchOf([filler]), (_, view) =>
        view.setBigInt64(FIELD[field], 2n ** 60n),
      );
      expect(refused(bytes)).toBe('BATCH_CORRUPT');
    },
  );

  test('with a max timestamp that is not the largest: no time would be found by it', () => {
    const bytes = batchOf([recordOf({ timestamp: 1000 }), recordOf({ timestamp: 500 })]);
    for (const wrong of [0n, 500n, 999n, 1001n]) {
      const lying = resealed(bytes, (_, view) => view.setBigInt64(FIELD.maxTimestamp, wrong));
      expect(refused(lying)).toBe('BATCH_CORRUPT');
    }
  });

  test('that is not one whole batch', () => {
    const bytes = batchOf([filler]);
    expect(refused(Uint8Array.from([...bytes, ...bytes]))).toBe('BATCH_CORRUPT');
    expect(refused(bytes.subarray(0, bytes.length - 1))).toBe('BATCH_CORRUPT');
    expect(refused(new Uint8Array(0))).toBe('BATCH_CORRUPT');
  });

  test('with gzip that is none', () => {
    expect(refused(batchOf([filler], { attributes: CODEC.gzip }))).toBe('BATCH_CORRUPT');
  });

  test.each(['snappy', 'lz4', 'zstd'] as const)('that is compressed with %s', (codec) => {
    const bytes = batchOf([filler], { attributes: CODEC[codec] });
    const error = errorOf(() => validateBatch(bytes, limits));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_CODEC', details: { codec } });
    expect(codeOf(() => inflateRecords(new RecordBatch(bytes), 1000))).toBe('UNSUPPORTED_CODEC');
  });
});

describe('the batch files', () => {
  const file = (name: string): Uint8Array => readFixture(`recordbatch/${name}.bin`);

  test.each([
    'tombstone',
    'null_key_null_value',
    'empty_key_empty_value',
    'header_null_value_and_duplicates',
    'utf8',
    'negative_timestamp_delta',
    'idempotent_kafkajs_style',
  ])('%s is accepted', (name) => {
    expect(validateBatch(file(name), limits).recordCount).toBeGreaterThan(0);
  });

  test.each([
    'magic_3',
    'length_below_49',
    'count_too_high',
    'count_too_low',
    'negative_count',
    'header_count_negative',
    'header_key_null',
    'key_length_overrun',
    'varlong_overlong',
    'record_length_slack',
    'log_append_time',
    'offset_gaps_compacted',
    'big_offsets',
    'control_commit',
    'control_abort',
    'truncated_tail',
    'header_only_61',
  ])('%s is refused', (name) => {
    expect(codeOf(() => validateBatch(file(name), limits))).toBe('BATCH_CORRUPT');
  });

  test('unknown_codec_7 is refused', () => {
    expect(codeOf(() => validateBatch(file('unknown_codec_7'), limits))).toBe('UNSUPPORTED_CODEC');
  });
});

describe('a batch that was made elsewhere', () => {
  const accepts = (bytes: Uint8Array): boolean =>
    validateRawBatch(bytes, generous).bytes.length === bytes.length;

  test('is accepted as a writer makes it, sealed', () => {
    fc.assert(
      fc.property(anyRecords, fc.boolean(), (records, gzip) => {
        expect(accepts(batchOf([filler, ...records], { gzip, baseOffset: 1000 }))).toBe(true);
      }),
    );
  });

  test.each<[string, Uint8Array]>([
    ['gaps that compaction has left', readFixture('recordbatch/offset_gaps_compacted.bin')],
    ['append time', batchOf([filler], { appendTime: 5 })],
    ['a producer', batchOf([filler], { producer: { id: 5, epoch: 0, sequence: 9 } })],
    [
      'a producer that cannot be',
      batchOf([filler], { producer: { id: 5, epoch: -1, sequence: 9 } }),
    ],
    [
      'a max timestamp of a record that compaction has removed',
      resealed(batchOf([filler]), (_, view) => view.setBigInt64(FIELD.maxTimestamp, 9n)),
    ],
  ])('may have %s', (_, bytes) => {
    expect(accepts(bytes)).toBe(true);
  });

  const unsealed = batchOf([filler]);
  unsealed[unsealed.length - 1]! ^= 1;

  test.each<[string, Uint8Array, RegExp]>([
    ['a wrong CRC', unsealed, /CRC/],
    ['no records', compactedBatch(3), /no records/],
    ['a mark of a transaction', batchOf([filler], { attributes: ATTRIBUTE.transactional }), /mark/],
    ['a mark of a control batch', readFixture('recordbatch/control_abort.bin'), /mark/],
    [
      'a max timestamp before that of a record',
      resealed(batchOf([recordOf({ timestamp: 9 })]), (_, view) =>
        view.setBigInt64(FIELD.maxTimestamp, 8n),
      ),
      /max timestamp/,
    ],
    [
      'offsets out of order',
      // Two records, both with the offset delta 1.
      rawBatch([12, 0, 0, 2, 1, 1, 0, 12, 0, 0, 2, 1, 1, 0], {
        recordCount: 2,
        lastOffsetDelta: 2,
      }),
      /out of order|damaged/,
    ],
  ])('must not have %s', (_, bytes, why) => {
    const error = errorOf(() => validateRawBatch(bytes, generous));
    expect(codeOf(() => validateRawBatch(bytes, generous))).toBe('BATCH_CORRUPT');
    expect(String(error)).toMatch(why);
  });

  test('keeps the rules of its topic', () => {
    const bytes = batchOf([recordOf({ value: new Uint8Array(11) })]);
    const small = { ...generous, maxRecordBytes: 10 };
    expect(codeOf(() => validateRawBatch(bytes, small))).toBe('RECORD_TOO_LARGE');
    const keyed = { ...generous, needsKeys: true };
    expect(codeOf(() => validateRawBatch(bytes, keyed))).toBe('INVALID_RECORD');
  });
});
