import fc from 'fast-check';
import kafkajsMurmur2 from 'kafkajs/src/producer/partitioners/default/murmur2.js';
import { describe, expect, test } from 'vitest';
import { murmur2 } from '../../src/record/murmur2.ts';
import { readJson } from './fixture-files.ts';

// Of apache/kafka's UtilsTest.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('%s', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
});

interface Vector {
  readonly input: string;
  readonly hash: number;
  readonly positive: number;
}

describe('the vectors of other clients', () => {
  const { vectors } = readJson('hash/murmur2.json') as { readonly vectors: readonly Vector[] };

  test('are found', () => expect(vectors.length).toBeGreaterThan(30));

  test.each(vectors)('$input', ({ input, hash, positive }) => {
    expect(murmur2(Buffer.from(input))).toBe(hash);
    expect(murmur2(Buffer.from(input)) & 0x7fff_ffff).toBe(positive);
  });
});

test('every length from 0 to 64, as KafkaJS computes it', () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 64 }, (_, i) => (i * 151 + 200) & 0xff));
  for (let length = 0; length <= 64; length++) {
    const expected = kafkajsMurmur2(bytes.subarray(0, length));
    expect(murmur2(bytes.subarray(0, length))).toBe(expected);
    expect(murmur2(bytes, length)).toBe(expected);
  }
});

test('any bytes, as KafkaJS computes it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(murmur2(bytes)).toBe(kafkajsMurmur2(Buffer.from(bytes)));
    }),
    { numRuns: 1000 },
  );
});
