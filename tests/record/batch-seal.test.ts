import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FIELD } from '../../src/record/batch-format.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { crcMatches, placeBatch, sealBatch, stampAppendTime } from '../../src/record/batch-seal.ts';
import { BatchWriter } from '../../src/record/batch-writer.ts';
import { batchOf, readBatch, recordOf } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';

const two = [recordOf({ key: 'k', timestamp: 10 }), recordOf({ value: 'v', timestamp: 5 })];

function changedAt(batch: Uint8Array, at: number, mask: number): Bytes {
  const copy = Uint8Array.from(batch);
  copy[at]! ^= mask;
  return copy;
}

test('a batch matches its CRC once it is sealed, however often', () => {
  const writer = new BatchWriter();
  writer.append(two[0]!);
  const batch = writer.finish();
  sealBatch(batch);
  expect(crcMatches(batch)).toBe(true);
  const sealed = Uint8Array.from(batch);
  sealBatch(batch);
  expect(batch).toEqual(sealed);
});

test('any change from the CRC on is seen', () => {
  const batch = batchOf(two);
  for (let at = FIELD.crc; at < batch.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      expect(crcMatches(changedAt(batch, at, 1 << bit)), `bit ${bit} of byte ${at}`).toBe(false);
    }
  }
});

test('a batch can be placed anywhere without a new CRC', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 53 - 10 }), (baseOffset) => {
      const batch = batchOf(two);
      placeBatch(batch, baseOffset);
      expect(crcMatches(batch)).toBe(true);
      expect(readBatch(batch).map(({ offset }) => offset)).toEqual([baseOffset, baseOffset + 1]);
      expect(new RecordBatch(batch).nextOffset).toBe(baseOffset + 2);
    }),
  );
});

test('append time becomes the timestamp of every record, and of the batch', () => {
  const batch = batchOf(two);
  stampAppendTime(batch, 2 ** 41 + 1);
  sealBatch(batch);
  expect(new RecordBatch(batch)).toMatchObject({ isAppendTime: true, maxTimestamp: 2 ** 41 + 1 });
  expect(readBatch(batch).map(({ timestamp }) => timestamp)).toEqual([2 ** 41 + 1, 2 ** 41 + 1]);
});

test('append time may be earlier than what the producer wrote', () => {
  const batch = batchOf(two, { appendTime: 3 });
  expect(readBatch(batch).map(({ timestamp }) => timestamp)).toEqual([3, 3]);
});

test('append time keeps the codec', () => {
  const batch = batchOf([recordOf({ value: 'a'.repeat(1000) })], { gzip: true });
  stampAppendTime(batch, 9);
  expect(new RecordBatch(batch)).toMatchObject({ codec: 'gzip', isAppendTime: true });
  expect(readBatch(batch)).toMatchObject([{ timestamp: 9 }]);
});
