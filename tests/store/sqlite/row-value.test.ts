import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRow, encodeRow } from '../../../src/store/sqlite/row-value.ts';

const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, Infinity, '\uD800', '$'),
  fc.uint8Array(),
  fc.float64Array(),
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
  fc.constantFrom(/a"b/giu, /\//u),
);
const key = fc.oneof(fc.string(), fc.constantFrom('$', '$x', '__proto__', 'of'));
const rows = fc.letrec<{ row: unknown }>((tie) => ({
  row: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('row'), { maxLength: 4 }),
    fc
      .array(fc.tuple(key, tie('row')), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries) as object),
  ),
})).row;

test('a row is what it was', () => {
  fc.assert(
    fc.property(rows, (row) => {
      expect(decodeRow(encodeRow(row))).toStrictEqual(row);
    }),
    { numRuns: 1_000 },
  );
});

test('a buffer is a BLOB, and a plain row is JSON that other programs can read', () => {
  const { buffer } = Uint8Array.of(1, 2);
  expect(encodeRow(buffer)).toBe(buffer);
  expect(encodeRow({ name: 'orders', partitions: [0, 1] })).toBe(
    '{"name":"orders","partitions":[0,1]}',
  );
});

test('a part of a shared buffer is copied', () => {
  const shared = Uint8Array.of(9, 1, 2, 9);
  expect(decodeRow(shared.subarray(1, 3))).toStrictEqual(Uint8Array.of(1, 2).buffer);
});

test.each([[() => {}], [Symbol('no')], [1n], [new Date(0)], [new Map()]])(
  'a row cannot hold %s',
  (value) => {
    expect(() => encodeRow({ value })).toThrow(TypeError);
  },
);
