import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TablogError } from '../../src/base/error.ts';
import { FIELD } from '../../src/record/batch-format.ts';
import { readBatches, readSingleBatch } from '../../src/record/batch-reader.ts';
import type { RecordBatch } from '../../src/record/batch-reader.ts';
import { crcMatches } from '../../src/record/batch-seal.ts';
import { gunzipRecords } from '../../src/record/compression/gzip.ts';
import { RecordCursor } from '../../src/record/record-cursor.ts';
import { batchOf, currentRecord, plainOf, recordOf, resealed } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';
import { anyRecords } from './arbitraries.ts';

const LIMIT = 100_000;

/** Everything in the batches of `bytes`, or the code of the `TablogError`; other errors go on. */
function outcome(bytes: Uint8Array): unknown {
  try {
    return [...readBatches(bytes)].map((batch) => {
      const { baseOffset, nextOffset, recordCount, codec, attributes } = batch;
      const { baseTimestamp, maxTimestamp, producerId } = batch;
      const head = { baseOffset, nextOffset, recordCount, codec, attributes };
      return { ...head, baseTimestamp, maxTimestamp, producerId, records: recordsOf(batch) };
    });
  } catch (error) {
    if (error instanceof TablogError) return error.code;
    throw error;
  }
}

function recordsOf(batch: RecordBatch): unknown[] {
  const gzip = batch.codec === 'gzip';
  const cursor = new RecordCursor(
    batch,
    gzip ? gunzipRecords(batch.recordBytes, LIMIT) : undefined,
  );
  const records: unknown[] = [];
  while (cursor.next()) {
    expectInside(cursor);
    records.push(currentRecord(cursor));
  }
  return records;
}

function expectInside({
  bytes,
  keyAt,
  keyLength,
  valueAt,
  valueLength,
  headersAt,
}: RecordCursor): void {
  const ends = [keyAt + Math.max(keyLength, 0), valueAt + Math.max(valueLength, 0), headersAt];
  expect(Math.max(...ends)).toBeLessThanOrEqual(bytes.length);
  expect(Math.min(keyAt, valueAt, headersAt)).toBeGreaterThan(0);
}

/** The same bytes between strangers: who reads past their ends comes to another outcome. */
function between(bytes: Uint8Array, stranger: number): Uint8Array {
  const around = new Uint8Array(bytes.length + 64).fill(stranger);
  around.set(bytes, 32);
  return around.subarray(32, 32 + bytes.length);
}

function expectSameAnywhere(bytes: Uint8Array): unknown {
  const alone = outcome(bytes);
  for (const stranger of [0x00, 0x02, 0xff]) {
    expect(outcome(between(bytes, stranger))).toEqual(alone);
  }
  return alone;
}

const anyBatch = fc
  .tuple(anyRecords, fc.boolean())
  .map(([records, gzip]) => batchOf([recordOf({ value: 'abc'.repeat(30) }), ...records], { gzip }));

/** Overwrites, flips, removals and insertions, some of them where they hurt most. */
interface Mutation {
  readonly kind: 'set' | 'flip' | 'remove' | 'insert';
  readonly at: number;
  readonly byte: number;
}
const anyMutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('set', 'flip', 'remove', 'insert'),
  at: fc.oneof(fc.nat(2000), fc.integer({ min: FIELD.batchLength, max: FIELD.records + 20 })),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff)),
});

function mutated(batch: Bytes, mutations: readonly Mutation[]): Bytes {
  const bytes = [...batch];
  for (const { kind, at, byte } of mutations) {
    const place = at % bytes.length;
    if (kind === 'set') bytes[place] = byte;
    if (kind === 'flip') bytes[place] = bytes[place]! ^ (1 << (byte & 7));
    if (kind === 'remove' && bytes.length > FIELD.records) bytes.splice(place, 1);
    if (kind === 'insert') bytes.splice(place, 0, byte);
  }
  return Uint8Array.from(bytes);
}

describe('a mutated batch', () => {
  test('never reads as other records where its CRC is checked', () => {
    fc.assert(
      fc.property(
        anyRecords,
        fc.array(anyMutation, { minLength: 1, maxLength: 4 }),
        (records, mutations) => {
          const bytes = mutated(batchOf(records), mutations);
          let read: RecordBatch;
          try {
            read = readSingleBatch(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(TablogError);
            return;
          }
          if (!crcMatches(bytes)) return;
          expect(recordsOf(read)).toEqual(plainOf(records, read.baseOffset));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('with a right CRC is read, or is a TablogError, and what lies around it never matters', () => {
    fc.assert(
      fc.property(
        anyBatch,
        fc.array(anyMutation, { minLength: 1, maxLength: 4 }),
        (batch, mutations) => {
          const bytes = resealed(mutated(batch, mutations), () => {});
          expectSameAnywhere(bytes);
        },
      ),
      { numRuns: 4000 },
    );
  });

  test('whose length is right as well, likewise', () => {
    fc.assert(
      fc.property(
        anyBatch,
        fc.array(anyMutation, { minLength: 1, maxLength: 4 }),
        (batch, mutations) => {
          const bytes = resealed(mutated(batch, mutations), (copy, view) => {
            view.setInt32(FIELD.batchLength, copy.length - FIELD.leaderEpoch);
            view.setInt8(FIELD.magic, 2);
          });
          expectSameAnywhere(bytes);
        },
      ),
      { numRuns: 4000 },
    );
  });
});

test('any truncation of batches leaves the whole ones', () => {
  fc.assert(
    fc.property(fc.array(anyBatch, { minLength: 1, maxLength: 3 }), fc.nat(), (batches, cut) => {
      const bytes = Uint8Array.from(Buffer.concat(batches));
      const end = cut % (bytes.length + 1);
      let whole = 0;
      for (let left = end; whole < batches.length && left >= batches[whole]!.length; whole++) {
        left -= batches[whole]!.length;
      }
      const expected = outcome(bytes) as unknown[];
      expect(expectSameAnywhere(bytes.subarray(0, end))).toEqual(expected.slice(0, whole));
    }),
    { numRuns: 1000 },
  );
});

test('records cut short behind a header that is right are BATCH_CORRUPT', () => {
  fc.assert(
    fc.property(anyRecords, fc.nat(), (records, cut) => {
      const batch = batchOf(records);
      const length = FIELD.records + (cut % (batch.length - FIELD.records));
      const bytes = resealed(batch.subarray(0, length), (_, view) =>
        view.setInt32(FIELD.batchLength, length - FIELD.leaderEpoch),
      );
      expect(expectSameAnywhere(bytes)).toBe('BATCH_CORRUPT');
    }),
    { numRuns: 1000 },
  );
});

test('any bytes at all are batches or a TablogError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expectSameAnywhere(bytes);
    }),
    { numRuns: 1000 },
  );
});

test('a gzip that counts 2^31 - 1 records ends at once', () => {
  const batch = batchOf([recordOf({ value: 'a'.repeat(1000) })], { gzip: true });
  const bytes = resealed(batch, (_, view) => {
    view.setInt32(FIELD.recordCount, 0x7fff_ffff);
    view.setInt32(FIELD.lastOffsetDelta, 0x7fff_ffff);
  });
  expect(outcome(bytes)).toBe('BATCH_CORRUPT');
});
