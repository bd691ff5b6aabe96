import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codecName, readInt64, viewOf, writeInt64 } from '../../src/record/batch-format.ts';

const safeInteger = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 2 ** 32, -(2 ** 32), 2 ** 32 - 1, -(2 ** 53) + 1, 2 ** 53 - 1),
);

test('a safe integer is written as the int64 that it is, and read back', () => {
  fc.assert(
    fc.property(safeInteger, (value) => {
      const view = new DataView(new ArrayBuffer(10));
      writeInt64(view, 1, value);
      expect(view.getBigInt64(1)).toBe(BigInt(value));
      expect(readInt64(view, 1)).toBe(value);
    }),
  );
});

test('an int64 that is no safe integer is not read as one', () => {
  const unsafe = fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .filter((value) => value > 2n ** 53n - 1n || value < -(2n ** 53n) + 1n);
  fc.assert(
    fc.property(unsafe, (value) => {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigInt64(0, value);
      expect(Number.isSafeInteger(readInt64(view, 0))).toBe(false);
    }),
  );
});

test('a view of a part of a buffer is of that part', () => {
  const part = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
  expect(viewOf(part).getUint16(0)).toBe(0x0203);
  expect(viewOf(part).byteLength).toBe(2);
});

test('the codec ids are those of Kafka', () => {
  const names = [0, 1, 2, 3, 4, 5, 6, 7].map(codecName);
  expect(names).toEqual(['none', 'gzip', 'snappy', 'lz4', 'zstd', undefined, undefined, undefined]);
});
