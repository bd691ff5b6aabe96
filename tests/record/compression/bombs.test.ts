import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { MAX_INFLATED_BYTES } from '../../../src/record/batch-format.ts';
import type { RecordCodec } from '../../../src/record/compression/codec.ts';
import { gzip } from '../../../src/record/compression/gzip.ts';
import { lz4 } from '../../../src/record/compression/lz4.ts';
import { snappy } from '../../../src/record/compression/snappy.ts';
import { zstd } from '../../../src/record/compression/zstd.ts';
import { codeOf } from '../errors.ts';

const MIB = 1024 * 1024;

/** What a megabyte may take on a slow machine: a hundred times what real records take. */
const MAX_CPU_MS = 5_000;

function repeated(count: number, part: readonly number[] | Uint8Array): number[] {
  return Array.from({ length: count }, () => [...part]).flat();
}

function bytesOf(...parts: readonly (readonly number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const SNAPPY = [0x82, ...Buffer.from('SNAPPY'), 0, 0, 0, 0, 1, 0, 0, 0, 1];
const LZ4 = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x70];

/** A block of 128 KiB of one byte. */
const ZSTD_RUN = [0b10, 0, 0x10, 97];

/** A snappy block of 32 KiB: one byte, and copies of it. */
const SNAPPY_RUN = bytesOf([0x80, 0x80, 0x02, 0, 97], repeated(511, [0xfe, 1, 0]), [0xfa, 1, 0]);

/** An lz4 block: one byte, and a match of some 250 KiB. */
const LZ4_RUN = bytesOf([0x1f, 97, 1, 0], repeated(1_000, [255]), [0, 0x10, 98]);

/** Bytes that inflate to over 64 MiB. */
const BOMBS: readonly (readonly [string, RecordCodec, Uint8Array])[] = [
  ['gzip', gzip, bytesOf(...Array<Buffer>(5).fill(gzipSync(Buffer.alloc(16 * MIB), { level: 9 })))],
  [
    'snappy',
    snappy,
    bytesOf(SNAPPY, repeated(2_200, [...sized(SNAPPY_RUN.length), ...SNAPPY_RUN])),
  ],
  ['lz4', lz4, bytesOf(LZ4, repeated(280, [...sized(LZ4_RUN.length).reverse(), ...LZ4_RUN]))],
  ['zstd', zstd, bytesOf(ZSTD, repeated(600, ZSTD_RUN))],
];

/** A size of 4 bytes, the highest first. */
function sized(size: number): number[] {
  return [size >>> 24, size >>> 16, size >>> 8, size].map((byte) => byte & 0xff);
}

/** The CPU time of `work`, in milliseconds: other processes do not count. */
function cpuMs(work: () => unknown): number {
  const began = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1_000;
}

describe.each(BOMBS)('a bomb of %s', (_, { inflate }, bomb) => {
  test.each([MIB, MAX_INFLATED_BYTES])('ends at a limit of %i bytes', (limit) => {
    expect(bomb.length).toBeLessThan(4 * MIB);
    const ms = cpuMs(() => {
      expect(codeOf(() => inflate(bomb, limit))).toBe('INFLATED_TOO_LARGE');
    });
    expect(ms).toBeLessThan(MAX_CPU_MS);
  });
});

/** Blocks of deflate that describe codes of 15 bits in 12 bytes each, and inflate to nothing. */
function codesWithoutEnd(): Uint8Array {
  const bytes = new Uint8Array(MIB);
  bytes.set([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  let bit = 80;
  const put = (value: number, count: number): void => {
    for (let i = 0; i < count; i++, bit++) bytes[bit >> 3]! |= ((value >> i) & 1) << (bit & 7);
  };
  /** The code of the lengths 18 (many zeros), 1 and 15, as 0, 10 and 11. */
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const bits = new Map([
    [18, 1],
    [1, 2],
    [15, 2],
  ]);
  for (let block = 0; block < 80_000; block++) {
    put(0b100, 3);
    put(0, 10);
    put(order.length - 4, 4);
    for (const length of order) put(bits.get(length) ?? 0, 3);
    put(0, 1);
    put(138 - 11, 7); // zeros
    put(0, 1);
    put(118 - 11, 7);
    put(0b01, 2); // 1: the end
    put(0b01, 2); // 1: a distance
    put(0, 1);
  }
  return bytes;
}

/** A block that describes tables of 512 states in 2 bytes each, for one match. */
const ZSTD_TABLES = [
  (14 << 3) | 0b100,
  0,
  0,
  1 << 3,
  97,
  1,
  0b1010_1000,
  0xf4,
  0x3f,
  0xf3,
  0x1f,
  0xf4,
  0x3f,
  0,
  0,
  0,
  4,
];
const ZSTD_START = [8 << 3, 0, 0, ...Buffer.from('abcdefgh')];
const END = [1, 0, 0];

/** A megabyte each, made to take as long as it can. */
const SLOW: readonly (readonly [string, RecordCodec, Uint8Array])[] = [
  ['gzip, of members without records', gzip, bytesOf(repeated(50_000, gzipSync('')))],
  ['gzip, of codes', gzip, codesWithoutEnd()],
  [
    'gzip, of blocks without records',
    gzip,
    bytesOf(gzipSync('').subarray(0, 10), repeated(200_000, [0, 0, 0, 0xff, 0xff])),
  ],
  [
    'snappy, of chunks without records',
    snappy,
    bytesOf(SNAPPY, repeated(200_000, [0, 0, 0, 1, 0])),
  ],
  ['snappy, of headers', snappy, bytesOf(repeated(60_000, SNAPPY))],
  ['lz4, of blocks without records', lz4, bytesOf(LZ4, repeated(200_000, [1, 0, 0, 0, 0]))],
  ['zstd, of frames without records', zstd, bytesOf(repeated(110_000, [...ZSTD, ...END]))],
  ['zstd, of blocks without records', zstd, bytesOf(ZSTD, repeated(300_000, [0, 0, 0]), END)],
  ['zstd, of tables', zstd, bytesOf(ZSTD, ZSTD_START, repeated(60_000, ZSTD_TABLES), END)],
];

test.each(SLOW)('a megabyte of %s takes no longer than its bytes can', (_, { inflate }, bytes) => {
  const ms = cpuMs(() => {
    try {
      expect(inflate(bytes, MAX_INFLATED_BYTES).length).toBeLessThan(2 * MIB);
    } catch (error) {
      expect(error).toMatchObject({ code: 'BATCH_CORRUPT' });
    }
  });
  expect(ms).toBeLessThan(MAX_CPU_MS);
});
