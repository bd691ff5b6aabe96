import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FIELD } from '../../src/record/batch-format.ts';
import { RecordBatch, readBatches, readSingleBatch } from '../../src/record/batch-reader.ts';
import { batchOf, compactedBatch, rawBatch, recordOf, resealed } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';
import { codeOf, errorOf } from './errors.ts';

const one = recordOf({ key: 'k', value: 'v', timestamp: 5 });

function joined(...parts: Uint8Array[]): Bytes {
  return Uint8Array.from(Buffer.concat(parts));
}

function baseOffsets(bytes: Uint8Array): number[] {
  return [...readBatches(bytes)].map((batch) => batch.baseOffset);
}

test('the header says what was written', () => {
  const producer = { id: 123456, epoch: 123, sequence: 9999 };
  const records = [
    recordOf({ timestamp: 50 }),
    recordOf({ timestamp: 70 }),
    recordOf({ timestamp: 60 }),
  ];
  const batch = new RecordBatch(batchOf(records, { producer, baseOffset: 1000 }));
  expect(batch).toMatchObject({
    baseOffset: 1000,
    nextOffset: 1003,
    recordCount: 3,
    codec: 'none',
  });
  expect(batch).toMatchObject({ baseTimestamp: 50, maxTimestamp: 70 });
  expect(batch).toMatchObject({ producerId: 123456, producerEpoch: 123, baseSequence: 9999 });
  expect(batch).toMatchObject({ isAppendTime: false, isTransactional: false, isControl: false });
});

test('a batch is read where it lies', () => {
  const bytes = joined(batchOf([one]), batchOf([one]));
  const [, second] = [...readBatches(bytes)];
  expect(second!.bytes.buffer).toBe(bytes.buffer);
  expect(second!.recordBytes.byteOffset).toBe(bytes.length / 2 + FIELD.records);
});

test('batches come in order, and every cut leaves the whole ones before it', () => {
  const batches = [0, 1, 2].map((baseOffset) => batchOf([one], { baseOffset }));
  const bytes = joined(...batches);
  const size = batches[0]!.length;
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(baseOffsets(bytes.subarray(0, cut))).toEqual([0, 1, 2].slice(0, Math.floor(cut / size)));
  }
});

test('a batch without records takes its offsets all the same', () => {
  const batch = new RecordBatch(compactedBatch(10));
  expect(batch).toMatchObject({ recordCount: 0, baseOffset: 0, nextOffset: 10 });
});

test('readSingleBatch takes one whole batch and nothing else', () => {
  const bytes = batchOf([one]);
  expect(readSingleBatch(bytes).recordCount).toBe(1);
  expect(codeOf(() => readSingleBatch(joined(bytes, bytes)))).toBe('BATCH_CORRUPT');
  expect(codeOf(() => readSingleBatch(joined(bytes, Uint8Array.of(0))))).toBe('BATCH_CORRUPT');
  for (let cut = 0; cut < bytes.length; cut++) {
    expect(codeOf(() => readSingleBatch(bytes.subarray(0, cut)))).toBe('BATCH_CORRUPT');
  }
});

describe('a header is refused', () => {
  const headerError = (change: (view: DataView) => void): string => {
    const bytes = resealed(batchOf([one, one]), (_, view) => change(view));
    return errorOf(() => new RecordBatch(bytes)).message;
  };

  test.each([0, 1, 3, -1])('with magic %i', (magic) => {
    expect(headerError((view) => view.setInt8(FIELD.magic, magic))).toMatch(`magic is ${magic}`);
  });

  test('with a negative record count', () => {
    expect(headerError((view) => view.setInt32(FIELD.recordCount, -1))).toMatch('record count -1');
  });

  test('with more records than offsets', () => {
    expect(headerError((view) => view.setInt32(FIELD.lastOffsetDelta, 0))).toMatch(
      'record count 2',
    );
  });

  test('with more records than its bytes can hold', () => {
    const message = headerError((view) => {
      view.setInt32(FIELD.lastOffsetDelta, 0x7fff_fffe);
      view.setInt32(FIELD.recordCount, 0x7fff_ffff);
    });
    expect(message).toMatch('2147483647 records');
  });

  test.each([5, 6, 7])('with codec %i, which Kafka has not given out', (codec) => {
    const bytes = resealed(batchOf([one]), (_, view) => view.setInt16(FIELD.attributes, codec));
    expect(codeOf(() => new RecordBatch(bytes))).toBe('UNSUPPORTED_CODEC');
  });
});

describe('int64 fields that are no safe integers', () => {
  const unsafe = fc.oneof(
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  );

  test.each(['baseOffset', 'baseTimestamp', 'maxTimestamp', 'producerId'] as const)(
    '%s is refused, with its exact value, and never rounded',
    (field) => {
      fc.assert(
        fc.property(unsafe, (value) => {
          const bytes = resealed(batchOf([one]), (_, view) =>
            view.setBigInt64(FIELD[field], value),
          );
          const error = errorOf(() => new RecordBatch(bytes)[field]);
          expect(error.code).toBe('BATCH_CORRUPT');
          expect(error.message).toContain(String(value));
        }),
        { numRuns: 30 },
      );
    },
  );

  test('an offset after the batch is refused as well', () => {
    const baseOffset = Number.MAX_SAFE_INTEGER;
    const bytes = rawBatch([], { recordCount: 0, lastOffsetDelta: 3, baseOffset });
    expect(codeOf(() => new RecordBatch(bytes))).toBe('BATCH_CORRUPT');
  });
});
