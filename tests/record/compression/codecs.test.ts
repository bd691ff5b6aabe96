import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { BATCH_HEADER_BYTES } from '../../../src/record/batch-format.ts';
import type { Codec } from '../../../src/record/batch-format.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { inflate, loadCodec, mustGetCodec } from '../../../src/record/compression/codecs.ts';
import type { RecordCodec } from '../../../src/record/compression/codec.ts';
import { lz4 } from '../../../src/record/compression/lz4.ts';
import { snappy } from '../../../src/record/compression/snappy.ts';
import { zstd } from '../../../src/record/compression/zstd.ts';
import { webhookEvents } from '../../support/webhook-events.ts';
import { kafkaSegment } from '../../support/kafka-logs.ts';
import { codeOf, errorOf } from '../errors.ts';

const LIMIT = 64 * 1024 * 1024;
const MIB = 1024 * 1024;

const CODECS = { snappy, lz4, zstd } satisfies Partial<Record<Codec, RecordCodec>>;
type Name = keyof typeof CODECS;
const NAMES = Object.keys(CODECS) as Name[];

/** Records as Kafka's producer compressed them. */
function written(name: Name): Uint8Array[] {
  return [...readBatches(kafkaSegment(`codec-${name}`))].map(({ recordBytes }) => recordBytes);
}

describe.each(NAMES)('%s', (name) => {
  const codec: RecordCodec = CODECS[name];

  test('holds the limit to the byte', () => {
    for (const bytes of written(name)) {
      const { length } = codec.inflate(bytes, LIMIT);
      expect(codec.inflate(bytes, length)).toHaveLength(length);
      const error = errorOf(() => codec.inflate(bytes, length - 1));
      expect(error).toMatchObject({
        code: 'INFLATED_TOO_LARGE',
        details: { limit: length - 1 },
      });
    }
  });

  test('refuses other bytes, and takes no more than the limit for them', () => {
    for (const bytes of written(name)) {
      const step = Math.ceil(bytes.length / 400);
      for (let at = 0; at < bytes.length; at += step) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const damaged = bytes.slice();
          damaged[at]! ^= flip;
          expectTyped(() => codec.inflate(damaged, MIB));
        }
        if (at < bytes.length) expectTyped(() => codec.inflate(bytes.subarray(0, at), MIB));
      }
    }
  });

  test('refuses half of it', () => {
    for (const bytes of written(name)) {
      const half = bytes.subarray(0, bytes.length / 2);
      expect(codeOf(() => codec.inflate(half, LIMIT))).toBe('BATCH_CORRUPT');
    }
  });

  test('refuses noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        expectTyped(() => codec.inflate(noise, MIB));
      }),
    );
  });
});

/** It inflates, or throws what callers know. */
function expectTyped(action: () => Uint8Array): void {
  let outcome: unknown;
  try {
    outcome = action().length;
  } catch (error) {
    outcome = (error as { code?: unknown }).code;
  }
  const isBounded = typeof outcome === 'number' && outcome <= MIB;
  if (isBounded || outcome === 'BATCH_CORRUPT' || outcome === 'INFLATED_TOO_LARGE') return;
  expect.unreachable(`it became ${String(outcome)}`);
}

describe.each(['snappy', 'lz4'] as const)('%s writes', (name) => {
  const { inflate, deflate } = CODECS[name] as Required<RecordCodec>;

  test('what it reads', () => {
    const repeating = fc
      .array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(300)), { maxLength: 60 })
      .map((runs) =>
        Uint8Array.from(
          runs.flatMap(([run, times]) => Array.from({ length: times }, () => [...run]).flat()),
        ),
      );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 3_000 }), repeating), (bytes) => {
        expect(Buffer.compare(inflate(deflate(bytes), LIMIT), bytes)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test.each([0, 1, 4, 12, 13, 32 * 1024, 64 * 1024, 64 * 1024 + 1, 300_000])(
    '%s bytes, alike or not',
    (size) => {
      const noise = new Uint8Array(size);
      let state = 1;
      for (let i = 0; i < size; i++) noise[i] = state = (Math.imul(state, 48_271) >>> 0) % 251;
      for (const bytes of [new Uint8Array(size), noise]) {
        const packed = deflate(bytes);
        expect(packed.length).toBeLessThanOrEqual(size + size / 6 + 64);
        expect(Buffer.compare(inflate(packed, size), bytes)).toBe(0);
      }
    },
  );

  test('webhook events in a quarter of their size', () => {
    const events = Buffer.from(
      webhookEvents()
        .map(({ value }) => value)
        .join('\n'),
    );
    expect(deflate(events).length).toBeLessThan(events.length / 4);
  });
});

describe('snappy', () => {
  const block = [5, 4 << 2, ...Buffer.from('hello')];
  const header = [0x82, ...Buffer.from('SNAPPY'), 0, 0, 0, 0, 1, 0, 0, 0, 1];
  const chunk = [0, 0, 0, block.length, ...block];

  test.each([
    ['one bare block, as librdkafka writes', block, 'hello'],
    ['chunks', [...header, ...chunk, ...chunk], 'hellohello'],
    ['no chunk', header, ''],
    ['streams one behind the other', [...header, ...chunk, ...header, ...chunk], 'hellohello'],
    [
      'copies of each kind',
      [13, 0, 97, 0b0000_0001, 1, (3 << 2) | 2, 1, 0, (3 << 2) | 3, 1, 0, 0, 0],
      'a'.repeat(13),
    ],
  ])('reads %s', (_, bytes, text) => {
    expect(Buffer.from(snappy.inflate(Uint8Array.from(bytes), LIMIT)).toString()).toBe(text);
  });

  test.each([
    ['a length that is not that of its bytes', [6, ...block.slice(1)]],
    ['a length without an end', [0x80, 0x80, 0x80, 0x80, 0x80, 1]],
    ['a copy from before its beginning', [8, 0, 97, (6 << 2) | 2, 2, 0]],
    ['a literal that is not there', [60, 59 << 2, 1, 2]],
    ['a chunk that is not there', [...header, 0, 0, 0, 9, 1]],
    ['a chunk of less than nothing', [...header, 0xff, 0xff, 0xff, 0xff]],
  ])('refuses %s', (_, bytes) => {
    expect(codeOf(() => snappy.inflate(Uint8Array.from(bytes), LIMIT))).toBe('BATCH_CORRUPT');
  });

  test('believes no length beyond the limit', () => {
    const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0);
    expect(codeOf(() => snappy.inflate(huge, LIMIT))).toBe('INFLATED_TOO_LARGE');
  });
});

describe('lz4', () => {
  const magic = [0x04, 0x22, 0x4d, 0x18];
  const hello = [0x50, ...Buffer.from('hello')];
  const end = [0, 0, 0, 0];

  test.each([
    ['a block', [0x60, 0x40, 0, 6, 0, 0, 0, ...hello, ...end]],
    ['a block that is stored', [0x60, 0x40, 0, 5, 0, 0, 0x80, ...hello.slice(1), ...end]],
    ['the content size', [0x68, 0x40, 5, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, ...hello, ...end]],
    ['checksums', [0x74, 0x40, 0, 6, 0, 0, 0, ...hello, 1, 2, 3, 4, ...end, 5, 6, 7, 8]],
  ])('reads %s', (_, bytes) => {
    const frame = Uint8Array.from([...magic, ...bytes]);
    expect(Buffer.from(lz4.inflate(frame, LIMIT)).toString()).toBe('hello');
  });

  test('reads blocks that repeat what the ones before them brought', () => {
    const repeat = [0x01, 5, 0, 0x10, 33];
    const blocks = [6, 0, 0, 0, ...hello, repeat.length, 0, 0, 0, ...repeat, ...end];
    const frame = Uint8Array.from([...magic, 0x40, 0x40, 0, ...blocks]);
    expect(Buffer.from(lz4.inflate(frame, LIMIT)).toString()).toBe('hellohello!');
  });

  test.each([
    ['another version', [0x80, 0x40, 0, ...end]],
    ['a dictionary', [0x61, 0x40, 0, 0, 0, 0, 0, ...end]],
    ['no end', [0x60, 0x40, 0, 6, 0, 0, 0, ...hello]],
    ['a block that is not there', [0x60, 0x40, 0, 9, 0, 0, 0, ...hello]],
    ['bytes behind its end', [0x60, 0x40, 0, ...end, 1]],
    ['a match from before its beginning', [0x60, 0x40, 0, 4, 0, 0, 0, 0x10, 97, 2, 0, ...end]],
    ['a length without an end', [0x60, 0x40, 0, 3, 0, 0, 0, 0xf0, 255, 255, ...end]],
  ])('refuses %s', (_, bytes) => {
    const frame = Uint8Array.from([...magic, ...bytes]);
    expect(codeOf(() => lz4.inflate(frame, LIMIT))).toBe('BATCH_CORRUPT');
  });

  test('stops a bomb at the limit', () => {
    const run = new Uint8Array(1000).fill(255);
    const block = [0x1f, 97, 1, 0, ...run, 0, 0x10, 98];
    const size = [block.length & 255, block.length >> 8, 0, 0];
    const blocks = Array.from({ length: 400 }, () => [...size, ...block]).flat();
    const bomb = Uint8Array.from([...magic, 0x60, 0x70, 0, ...blocks, ...end]);
    expect(codeOf(() => lz4.inflate(bomb, LIMIT))).toBe('INFLATED_TOO_LARGE');
  });
});

describe('zstd', () => {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  /** A block of 128 KiB of one byte, in four. */
  const rle = (isLast: boolean): number[] => [Number(isLast) | 0b10, 0, 0x10, 97];
  const raw = [0b0010_1001, 0, 0, ...Buffer.from('hello')];

  test.each([
    ['a small window', [0, 0, ...raw]],
    ['a window of 3.75 TiB, which it makes no room for', [0, 0xff, ...raw]],
    ['one segment', [0x20, 5, ...raw]],
    ['a checksum', [0x04, 0, ...raw, 1, 2, 3, 4]],
    ['the content size', [0x80, 0, 5, 0, 0, 0, ...raw]],
  ])('reads %s', (_, bytes) => {
    const frame = Uint8Array.from([...magic, ...bytes]);
    expect(Buffer.from(zstd.inflate(frame, LIMIT)).toString()).toBe('hello');
  });

  test('reads frames one behind the other, and skips those that are to be', () => {
    const skippable = [0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2];
    const frame = [...magic, 0, 0, ...raw];
    const all = Uint8Array.from([...frame, ...skippable, ...frame]);
    expect(Buffer.from(zstd.inflate(all, LIMIT)).toString()).toBe('hellohello');
  });

  test.each([
    ['a dictionary', [0x01, 0, 7, ...raw]],
    ['a block larger than any', [0, 0, 0b0000_0011, 0, 0x20, 97]],
    ['a reserved kind of block', [0, 0, 0b0000_0111, 0, 0]],
    ['a block that is not there', [0, 0, ...raw.slice(0, -1)]],
    ['no last block', [0, 0, ...rle(false)]],
  ])('refuses %s', (_, bytes) => {
    const frame = Uint8Array.from([...magic, ...bytes]);
    expect(codeOf(() => zstd.inflate(frame, LIMIT))).toBe('BATCH_CORRUPT');
  });

  test('stops a bomb at the limit', () => {
    const blocks = Array(2000).fill(rle(false)).flat() as number[];
    const bomb = Uint8Array.from([...magic, 0, 0x70, ...blocks, ...rle(true)]);
    expect(codeOf(() => zstd.inflate(bomb, LIMIT))).toBe('INFLATED_TOO_LARGE');
  });
});

describe('a codec', () => {
  beforeAll(async () => {
    await loadCodec('lz4');
    await loadCodec('lz4');
  });

  test('is there once it is loaded', () => {
    expect(mustGetCodec('lz4')).toBe(lz4);
    const [records] = written('lz4') as [Uint8Array];
    expect(inflate(3, records, LIMIT).length).toBeGreaterThan(BATCH_HEADER_BYTES);
  });

  test('that is not loaded, or that Kafka has not, is told', () => {
    expect(codeOf(() => inflate(2, new Uint8Array(), LIMIT))).toBe('UNSUPPORTED_CODEC');
    expect(errorOf(() => inflate(6, new Uint8Array(), LIMIT)).message).toMatch(/unknown codec 6/);
  });

  test('that needs nothing loaded needs nothing', async () => {
    await loadCodec('none');
    await loadCodec('gzip');
    expect(codeOf(() => mustGetCodec('gzip'))).toBe('UNSUPPORTED_CODEC');
  });
});
