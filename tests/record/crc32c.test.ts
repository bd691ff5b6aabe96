import fc from 'fast-check';
import kafkajsCrc32c from 'kafkajs/src/protocol/recordBatch/crc32C/index.js';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../src/record/crc32c.ts';
import { readJson } from './fixture-files.ts';

const ascii = (text: string): Uint8Array => Buffer.from(text);

// The last four are of RFC 3720, B.4.
test.each([
  ['nothing', ascii(''), 0],
  ['a', ascii('a'), 0xc1d0_4330],
  ['123456789', ascii('123456789'), 0xe306_9283],
  ['32 zeros', new Uint8Array(32), 0x8a91_36aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8_ab43],
  ['32 ascending', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd_794e],
  ['32 descending', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113f_db5c],
])('%s', (_, bytes, crc) => {
  expect(crc32c(bytes)).toBe(crc);
});

interface Vector {
  readonly utf8?: string;
  readonly hex?: string;
  readonly crc: number;
}

describe('the vectors of other clients', () => {
  const { vectors } = readJson('hash/crc32c.json') as { readonly vectors: readonly Vector[] };

  test('are found', () => expect(vectors.length).toBeGreaterThan(10));

  test.each(vectors)('$crc', ({ utf8, hex, crc }) => {
    expect(crc32c(hex === undefined ? Buffer.from(utf8!) : Buffer.from(hex, 'hex'))).toBe(crc);
  });
});

test('every length from 0 to 64, at every alignment, as KafkaJS computes it', () => {
  const bytes = Uint8Array.from({ length: 80 }, (_, i) => (i * 151 + 7) & 0xff);
  for (let start = 0; start <= 8; start++) {
    for (let length = 0; length <= 64; length++) {
      const expected = kafkajsCrc32c(bytes.subarray(start, start + length));
      expect(crc32c(bytes, start, start + length)).toBe(expected);
      expect(crc32c(bytes.subarray(start, start + length))).toBe(expected);
    }
  }
});

test('any bytes, and any range of them, as KafkaJS computes it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(), fc.nat(), (bytes, a, b) => {
      const [start, end] = [a % (bytes.length + 1), b % (bytes.length + 1)].sort((x, y) => x - y);
      expect(crc32c(bytes)).toBe(kafkajsCrc32c(bytes));
      expect(crc32c(bytes, start, end)).toBe(kafkajsCrc32c(bytes.subarray(start, end)));
    }),
    { numRuns: 500 },
  );
});

test('one changed bit changes it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), (bytes, bit) => {
      const changed = Uint8Array.from(bytes);
      const at = bit % (bytes.length * 8);
      changed[at >> 3]! ^= 1 << (at & 7);
      expect(crc32c(changed)).not.toBe(crc32c(bytes));
    }),
  );
});
