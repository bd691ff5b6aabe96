import fc from 'fast-check';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { describe, expect, test } from 'vitest';
import {
  MAX_VARINT_BYTES,
  varintBytes,
  varlongBytes,
  writeVarint,
  writeVarlong,
} from '../../src/record/varint.ts';
import { hexOf } from '../support/batches.ts';
import { readJson } from './fixture-files.ts';

const anyInt32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const anyVarlong = fc.oneof(
  anyInt32,
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  fc.nat(52).map((bits) => 2 ** bits),
  fc.nat(52).map((bits) => -(2 ** bits) - 1 + (bits === 52 ? 1 : 0)),
);

function varint(value: number): string {
  return written(writeVarint, value, varintBytes(value));
}

function varlong(value: number): string {
  return written(writeVarlong, value, varlongBytes(value));
}

/** The hex of what `write` writes in the middle of a buffer; checks position and promised size. */
function written(write: typeof writeVarint, value: number, size: number): string {
  const bytes = new Uint8Array(16).fill(0xee);
  const end = write(bytes, 3, value);
  expect(end - 3).toBe(size);
  expect([...bytes.subarray(0, 3), ...bytes.subarray(end)].every((byte) => byte === 0xee)).toBe(
    true,
  );
  return hexOf(bytes.subarray(3, end))!;
}

const small: [value: number, hex: string][] = [
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [-65, '8101'],
  [8191, 'fe7f'],
  [-8193, '818001'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f'],
];

test.each(small)('%i is %s', (value, hex) => {
  expect(varint(value)).toBe(hex);
  expect(varlong(value)).toBe(hex);
});

interface Vector {
  readonly value: string;
  readonly hex: string;
}

describe('the vectors of other clients', () => {
  const { signed } = readJson('hash/varint.json') as { readonly signed: readonly Vector[] };
  const fits = signed.filter(({ value }) => Math.abs(Number(value)) <= 2 ** 52);

  test('are found', () => expect(fits.length).toBeGreaterThan(30));

  test.each(fits)('$value is $hex', ({ value, hex }) => {
    expect(varlong(Number(value))).toBe(hex);
    if (Math.abs(Number(value)) < 2 ** 31) expect(varint(Number(value))).toBe(hex);
  });
});

test('every 32-bit integer is what KafkaJS writes, and at most MAX_VARINT_BYTES long', () => {
  fc.assert(
    fc.property(anyInt32, (value) => {
      expect(varint(value)).toBe(new Encoder().writeVarInt(value).buffer.toString('hex'));
      expect(varintBytes(value)).toBeLessThanOrEqual(MAX_VARINT_BYTES);
    }),
    { numRuns: 2000 },
  );
});

test('every varlong up to 2^52 is what KafkaJS writes', () => {
  fc.assert(
    fc.property(anyVarlong, (value) => {
      expect(varlong(value)).toBe(new Encoder().writeVarLong(value).buffer.toString('hex'));
    }),
    { numRuns: 2000 },
  );
});
