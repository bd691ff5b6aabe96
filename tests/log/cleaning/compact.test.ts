import { describe, expect, test } from 'vitest';
import { LatestOffsets, compactBatches } from '../../../src/log/cleaning/compact.ts';
import { RecordBatch } from '../../../src/record/batch-reader.ts';
import { crcMatches, placeBatch } from '../../../src/record/batch-seal.ts';
import { batchOf, hexOf, rawBatch, readBatch, recordOf } from '../../support/batches.ts';
import type { BatchOptions, PlainRecord } from '../../support/batches.ts';

/** A batch of records with these keys; a key with '-' is a tombstone. */
function batch(baseOffset: number, keys: string, options: BatchOptions = {}): RecordBatch {
  const records = [...keys.matchAll(/(\w)(-?)/g)].map(([, key, tombstone], i) =>
    recordOf({
      key: key!,
      value: tombstone === '-' ? null : `${baseOffset + i}`.padEnd(200), // worth compressing
      headers: [['h', 'v']],
      timestamp: 1_000 + baseOffset + i,
    }),
  );
  return new RecordBatch(batchOf(records, { baseOffset, ...options }));
}

function compact(batches: readonly RecordBatch[], tombstonesTo = 0): readonly RecordBatch[] {
  const latest = new LatestOffsets();
  for (const each of batches) latest.add(each);
  return compactBatches(batches, latest, tombstonesTo);
}

function read(batches: readonly RecordBatch[]): PlainRecord[] {
  for (const { bytes } of batches) expect(crcMatches(bytes)).toBe(true);
  return batches.flatMap(({ bytes }) => readBatch(bytes));
}

const ranges = (batches: readonly RecordBatch[]): [number, number][] =>
  batches.map(({ baseOffset, nextOffset }) => [baseOffset, nextOffset]);

test.each([false, true])('what stays is as it was, gzip: %s', (gzip) => {
  const batches = [batch(0, 'abc', { gzip }), batch(3, 'ad', { gzip })];
  const before = read(batches);
  const after = compact(batches);
  expect(read(after)).toEqual(before.filter(({ offset }) => offset !== 0));
  expect(ranges(after)).toEqual([
    [0, 3],
    [3, 5],
  ]);
  expect(after.map(({ codec }) => codec)).toEqual(Array(2).fill(gzip ? 'gzip' : 'none'));
});

test('append time, producer and max timestamp stay true', () => {
  const producer = { id: 7, epoch: 1, sequence: 5 };
  const [stamped] = compact([batch(0, 'ab', { appendTime: 9_000, producer }), batch(2, 'b')]);
  expect(read([stamped!])).toMatchObject([{ offset: 0, timestamp: 9_000 }]);
  expect(stamped).toMatchObject({ producerId: 7, producerEpoch: 1, baseSequence: 5 });
  const [created] = compact([batch(0, 'ab'), batch(2, 'b')]);
  expect(created!.maxTimestamp).toBe(1_000);
});

test('nothing to remove: the very same array', () => {
  const batches = [batch(0, 'ab'), batch(2, 'c')];
  expect(compact(batches)).toBe(batches);
});

test('batches of which nothing is left are one header', () => {
  const after = compact([batch(0, 'a'), batch(1, 'aa'), batch(3, 'a'), batch(4, 'a')]);
  expect(ranges(after)).toEqual([
    [0, 4],
    [4, 5],
  ]);
  expect(after[0]).toMatchObject({ recordCount: 0 });
});

test('one header covers no more offsets than its field can tell', () => {
  const most = 2 ** 31;
  const empty = (baseOffset: number, count: number): RecordBatch => {
    const bytes = rawBatch([], { recordCount: 0, lastOffsetDelta: count - 1 });
    placeBatch(bytes, baseOffset);
    return new RecordBatch(bytes);
  };
  const after = compact([
    empty(0, most - 1),
    empty(most - 1, 1),
    empty(most, 1),
    empty(most + 1, 1),
  ]);
  expect(ranges(after)).toEqual([
    [0, most],
    [most, most + 2],
  ]);
});

test('no more keys are remembered than memory is to be had for', () => {
  const latest = new LatestOffsets();
  const size = 8 * 1024 * 1024;
  for (let key = 0; key < 4; key++) {
    expect(latest.isFull).toBe(false);
    const large = recordOf({ key: new Uint8Array(size).fill(key), value: '' });
    // A key that comes again takes no more room.
    for (const baseOffset of [key, key + 4]) {
      latest.add(new RecordBatch(batchOf([large], { baseOffset })));
    }
  }
  expect(latest.isFull).toBe(true);
});

test('records without a key stay', () => {
  const batches = [0, 1].map(
    (baseOffset) => new RecordBatch(batchOf([recordOf({ value: 'v' })], { baseOffset })),
  );
  expect(compact(batches)).toBe(batches);
});

test('keys are bytes, whatever they are', () => {
  const keys = [[0xff], [0xfe], [0xc3, 0x28], [0xef, 0xbf, 0xbd], [0x80], [0x20, 0xac], []];
  const records = keys.map((key) => recordOf({ key: Uint8Array.from(key), value: 'v' }));
  const batches = [new RecordBatch(batchOf(records))];
  expect(compact(batches)).toBe(batches);
});

describe('tombstones', () => {
  const keysOf = (after: readonly RecordBatch[]): (string | null)[] =>
    read(after).map(({ key }) => key);

  test.each([
    [0, ['a', 'b']],
    [1, ['a', 'b']],
    [2, ['b']],
  ])('before %i are gone', (tombstonesTo, keys) => {
    expect(keysOf(compact([batch(0, 'aa-b')], tombstonesTo))).toEqual(keys.map(hexOf));
  });
});
