import { constants, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FIELD } from '../../../src/record/batch-format.ts';
import { RecordBatch } from '../../../src/record/batch-reader.ts';
import { sealBatch } from '../../../src/record/batch-seal.ts';
import { gunzipRecords, gzipBatch } from '../../../src/record/compression/gzip.ts';
import { batchOf, plainOf, readBatch, recordOf } from '../../support/batches.ts';
import { anyRecords } from '../arbitraries.ts';
import { codeOf, errorOf } from '../errors.ts';

const MIB = 1024 * 1024;
const LIMIT = 64 * MIB;

const long = recordOf({ key: 'k', value: 'value '.repeat(100), timestamp: 3 });

function expectInflates(packed: Uint8Array, whole: Uint8Array): void {
  expect(Buffer.compare(gunzipRecords(packed, LIMIT), whole)).toBe(0);
}

function noise(bytes: number): Buffer {
  let state = bytes;
  return Buffer.from(
    Uint8Array.from({ length: bytes }, () => (state = (state * 48271) % 0x7fff_ffff)),
  );
}

describe('a batch', () => {
  test('is the same records when it is compressed', () => {
    fc.assert(
      fc.property(anyRecords, (records) => {
        const padded = [...records, long];
        expect(readBatch(batchOf(padded, { gzip: true }))).toEqual(plainOf(padded));
      }),
      { numRuns: 300 },
    );
  });

  test('keeps its header but for length, codec and CRC', () => {
    const producer = { id: 5, epoch: 6, sequence: 7 };
    const plain = batchOf([long, long], { producer, baseOffset: 40, appendTime: 99 });
    const packed = gzipBatch(plain);
    sealBatch(packed);
    const kept = { baseOffset: 40, nextOffset: 42, recordCount: 2, isAppendTime: true };
    const stamp = { maxTimestamp: 99, producerId: 5, producerEpoch: 6, baseSequence: 7 };
    expect(new RecordBatch(packed)).toMatchObject({ ...kept, ...stamp, codec: 'gzip' });
    expect(new RecordBatch(plain)).toMatchObject({ ...kept, ...stamp, codec: 'none' });
    expect(packed.length).toBeLessThan(plain.length);
  });

  test('that would not get smaller stays as it is', () => {
    const batch = batchOf([recordOf({ value: noise(50) })]);
    expect(gzipBatch(batch)).toBe(batch);
  });

  test('has records that zlib inflates', () => {
    const plain = batchOf([long, long]);
    const packed = new RecordBatch(batchOf([long, long], { gzip: true }));
    expect(Buffer.compare(gunzipSync(packed.recordBytes), plain.subarray(FIELD.records))).toBe(0);
  });

  test('is compressed to the same bytes at any time', () => {
    expect(batchOf([long], { gzip: true }).subarray(FIELD.records + 4, FIELD.records + 8)).toEqual(
      new Uint8Array(4),
    );
  });
});

describe('what zlib compressed is inflated', () => {
  test.each([0, 1, 6, 9])('at level %i', (level) => {
    for (const whole of [noise(0), noise(1), noise(100_000), Buffer.alloc(300_000, 'ab')]) {
      expectInflates(gzipSync(whole, { level }), whole);
    }
  });

  test('whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000, size: 'max' }), fc.nat(9), (whole, level) => {
        expectInflates(gzipSync(whole, { level }), whole);
      }),
      { numRuns: 200 },
    );
  });

  test('in several members, wherever the border lies', () => {
    for (const size of [0, 1, 100, 4000, 8150, 8160, 8165, 8170, 8175, 8180, 8190, 8192, 20_000]) {
      const part = noise(size);
      const packed = gzipSync(part);
      expectInflates(Buffer.concat([packed, packed, packed]), Buffer.concat([part, part, part]));
    }
  });

  test('in very many members', () => {
    const parts = Array.from({ length: 2000 }, (_, i) => Buffer.from(`x${i}`));
    expectInflates(Buffer.concat(parts.map((part) => gzipSync(part))), Buffer.concat(parts));
  });

  test('with a name, a comment and extra bytes in its header', () => {
    const packed = gzipSync('text');
    const header = Buffer.from(packed.subarray(0, 10));
    header[3] = 4 + 8 + 16;
    const optional = Buffer.from('\x03\x00abcname\0comment\0');
    expectInflates(Buffer.concat([header, optional, packed.subarray(10)]), Buffer.from('text'));
  });
});

describe('a limit', () => {
  const zeros = gzipSync(Buffer.alloc(MIB));

  test('lets exactly that many bytes pass, and not one more', () => {
    expect(gunzipRecords(zeros, MIB).length).toBe(MIB);
    const error = errorOf(() => gunzipRecords(zeros, MIB - 1));
    expect(error).toMatchObject({ code: 'INFLATED_TOO_LARGE', details: { limit: MIB - 1 } });
  });

  test('counts all members together', () => {
    const twice = Buffer.concat([zeros, zeros]);
    expect(gunzipRecords(twice, 2 * MIB).length).toBe(2 * MIB);
    expect(codeOf(() => gunzipRecords(twice, 2 * MIB - 1))).toBe('INFLATED_TOO_LARGE');
  });

  test('stops a bomb of 1 GiB long before its end', () => {
    const member = gzipSync(Buffer.alloc(16 * MIB), { level: 9 });
    const bomb = Buffer.concat(Array.from({ length: 64 }, () => member));
    expect(bomb.length).toBeLessThan(1.1 * MIB);
    // What is no gzip lies behind the third member, and is not reached.
    bomb.fill(0xff, 3 * member.length);
    for (const limit of [MIB, 16 * MIB, 48 * MIB - 1]) {
      expect(codeOf(() => gunzipRecords(bomb, limit))).toBe('INFLATED_TOO_LARGE');
    }
    expect(codeOf(() => gunzipRecords(bomb, 48 * MIB))).toBe('BATCH_CORRUPT');
  });
});

describe('damaged gzip', () => {
  const corrupt = (bytes: Uint8Array): void => {
    expect(codeOf(() => gunzipRecords(bytes, LIMIT))).toBe('BATCH_CORRUPT');
  };

  test('cut anywhere is refused', () => {
    const packed = gzipSync('one two three '.repeat(50));
    for (let cut = 0; cut < packed.length; cut++) corrupt(packed.subarray(0, cut));
  });

  test('cut between two of its blocks is refused', () => {
    corrupt(gzipSync('abc'.repeat(1000), { finishFlush: constants.Z_SYNC_FLUSH }));
    const stored = gzipSync(noise(120_000), { level: 0 });
    for (let cut = 65_536; cut < 65_560; cut++) corrupt(stored.subarray(0, cut));
  });

  test.each(['', 'a', 'abc', 'not gzip at all', '\x1f\x8b', '\x1f\x8b\x08\x00\x00\x00'])(
    'such as %j is refused',
    (text) => corrupt(Buffer.from(text, 'latin1')),
  );

  test('with a block of no type is refused', () => {
    corrupt(Buffer.concat([gzipSync('').subarray(0, 10), Buffer.alloc(20, 0xff)]));
  });

  test('with something else after it is refused', () => {
    corrupt(Buffer.concat([gzipSync('text'), Buffer.from('and no gzip')]));
  });

  test('of any kind gives bytes within the limit, or one of the two errors', () => {
    const packed = gzipSync(Buffer.concat([Buffer.from('some text '.repeat(200)), noise(300)]));
    const change = fc.tuple(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = Uint8Array.from(packed);
        for (const [at, mask] of changes) damaged[at]! ^= mask;
        let outcome: string | number;
        try {
          outcome = gunzipRecords(damaged, 10_000).length;
        } catch (error) {
          outcome = errorOf(() => {
            throw error;
          }).code;
        }
        if (typeof outcome === 'number') expect(outcome).toBeLessThanOrEqual(10_000);
        else expect(['BATCH_CORRUPT', 'INFLATED_TOO_LARGE']).toContain(outcome);
      }),
      { numRuns: 3000 },
    );
  });
});
