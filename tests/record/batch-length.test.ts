import { describe, expect, test } from 'vitest';
import { FIELD, LENGTH_PREFIX_BYTES } from '../../src/record/batch-format.ts';
import { wholeBatchBytes } from '../../src/record/batch-length.ts';
import { batchOf, recordOf, resealed } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';
import { codeOf } from './errors.ts';

const one = recordOf({ key: 'k', value: 'v' });

test('the size of a batch is that of all of it, wherever it lies', () => {
  const batch = batchOf([one]);
  const bytes = Uint8Array.from(Buffer.concat([batch, batch, Buffer.alloc(5)]));
  expect(wholeBatchBytes(bytes, 0)).toBe(batch.length);
  expect(wholeBatchBytes(bytes, batch.length)).toBe(batch.length);
  expect(wholeBatchBytes(bytes, 2 * batch.length)).toBeUndefined();
});

describe('a length field', () => {
  const withLength = (length: number): Bytes =>
    resealed(batchOf([one]), (_, view) => view.setInt32(FIELD.batchLength, length));

  test.each([48, 0, -1, -0x8000_0000])('of %i is less than a header', (length) => {
    expect(codeOf(() => wholeBatchBytes(withLength(length), 0))).toBe('BATCH_CORRUPT');
  });

  test.each([1_000_000, 0x7fff_ffff])('of %i is a batch that has not all come', (length) => {
    expect(wholeBatchBytes(withLength(length), 0)).toBeUndefined();
  });

  test('may lie at the very end', () => {
    const bytes = batchOf([one]);
    const cut = Uint8Array.from(Buffer.concat([bytes, bytes.subarray(0, 11)]));
    expect(wholeBatchBytes(cut, bytes.length)).toBeUndefined();
    expect(wholeBatchBytes(bytes.subarray(0, LENGTH_PREFIX_BYTES), 0)).toBeUndefined();
    expect(wholeBatchBytes(bytes, bytes.length)).toBeUndefined();
  });
});
