import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8Bytes, writeUtf8 } from '../../src/record/utf8.ts';
import { hexOf } from '../support/batches.ts';
import { anyText } from './arbitraries.ts';

const anyLength = fc.oneof(anyText, fc.string({ minLength: 40, maxLength: 60 }));

test('any text takes the bytes it is said to take, and leaves its neighbours alone', () => {
  fc.assert(
    fc.property(anyLength, (text) => {
      const size = utf8Bytes(text);
      expect(size).toBe(Buffer.byteLength(text));
      const bytes = new Uint8Array(size + 8).fill(0xee);
      expect(writeUtf8(bytes, 4, text, size)).toBe(true);
      expect(hexOf(bytes)).toBe(`eeeeeeee${hexOf(text)}eeeeeeee`);
    }),
    { numRuns: 1000 },
  );
});

test('text that is taken for ASCII and is not is told, and its neighbours are left alone', () => {
  fc.assert(
    fc.property(anyLength, (text) => {
      const bytes = new Uint8Array(text.length + 8).fill(0xee);
      const isAscii = Buffer.byteLength(text) === text.length;
      expect(writeUtf8(bytes, 4, text, text.length)).toBe(isAscii);
      expect([...bytes.subarray(0, 4), ...bytes.subarray(-4)]).toEqual(Array(8).fill(0xee));
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['a high one at the end', 'a\uD83D', 1],
  ['a high one before a letter', '\uD83Da', 0],
  ['a high one before a high one', '\uD83D\uD83D\uDE80', 0],
  ['a low one', 'ab\uDE80', 2],
])('a lone surrogate is a TypeError: %s', (_, text) => {
  expect(() => utf8Bytes(text)).toThrow(TypeError);
});

test.each([
  ['a\uD83D', 1],
  ['\uD83Da', 0],
  ['ab\uDE80', 2],
  ['🚀\uD83D', 2],
])('the TypeError says where in %j the lone surrogate is', (text, at) => {
  expect(() => utf8Bytes(text)).toThrow(`(at ${at})`);
});
