import { describe, expect, test } from 'vitest';
import { newHead } from '../../../src/log/head.ts';
import {
  checkedBatches,
  isWorthMerging,
  mergeRows,
  rewritten,
} from '../../../src/log/cleaning/rewrite.ts';
import { SEGMENT_BYTES, rowsUpTo } from '../../../src/log/segment.ts';
import type { Segment } from '../../../src/log/segment.ts';
import { batchOf, readRecords, recordOf } from '../../support/batches.ts';

const MIB = SEGMENT_BYTES;

/** A row of one record with a value of so many bytes. */
function row(baseOffset: number, size = 1): Segment {
  const records = [recordOf({ value: 'x'.repeat(size) })];
  const { buffer: bytes } = batchOf(records, { baseOffset });
  return { baseOffset, nextOffset: baseOffset + 1, bytes };
}

describe('isWorthMerging', () => {
  test.each([
    ['one row', 1, 10 * MIB, false],
    ['few small rows', 255, MIB - 1, false],
    ['many small rows', 256, 1, true],
    ['a MiB of small rows', 5, MIB, true],
    ['a MiB of large rows', 4, MIB, false],
  ])('%s', (_, rows, bytes, isWorth) => {
    expect(isWorthMerging({ ...newHead('t', 0), unmerged: { from: 0, rows, bytes } })).toBe(
      isWorth,
    );
  });
});

describe('mergeRows', () => {
  test('makes one of many, with every byte', () => {
    const rows = [row(0), row(1), row(2)];
    const { old, fresh } = mergeRows(rows);
    expect(old).toEqual(rows);
    expect(fresh).toMatchObject([{ baseOffset: 0, nextOffset: 3 }]);
    const records = readRecords(new Uint8Array(fresh[0]!.bytes));
    expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2]);
  });

  test('stops before a MiB is exceeded', () => {
    const { old, fresh } = mergeRows([row(0, MIB / 2), row(1, MIB / 3), row(2, MIB / 3)]);
    expect(old).toHaveLength(2);
    expect(fresh).toMatchObject([{ baseOffset: 0, nextOffset: 2 }]);
  });

  test('a row that is larger by itself stays one', () => {
    const { old, fresh } = mergeRows([row(0, 2 * MIB), row(1)]);
    expect(old).toHaveLength(1);
    expect(fresh).toMatchObject([{ baseOffset: 0, nextOffset: 1 }]);
  });
});

describe('checkedBatches', () => {
  const rows = [row(0), row(1), row(2)];

  test('a row that is gone', () => {
    expect(() => checkedBatches(rowsUpTo(3, [rows[0]!, rows[2]!]))).toThrow(
      'a row begins at 2, not at 1',
    );
    expect(() => checkedBatches(rowsUpTo(4, rows))).toThrow('the rows end at 3, not at 4');
  });

  test('a byte that is another', () => {
    const bytes = rows[1]!.bytes.slice(0);
    new Uint8Array(bytes)[65]! ^= 1;
    const damaged = [rows[0]!, { ...rows[1]!, bytes }, rows[2]!];
    expect(() => checkedBatches(damaged)).toThrow('its CRC is wrong');
  });

  test('a row that was cut', () => {
    const cut = { ...rows[2]!, bytes: rows[2]!.bytes.slice(0, -1) };
    expect(() => checkedBatches([rows[0]!, rows[1]!, cut])).toThrow('the rows end at 2');
  });
});

test('the head counts what was rewritten', () => {
  const rows = [row(0), row(1), row(2)];
  const size = rows[0]!.bytes.byteLength;
  const unmerged = { from: 1, rows: 2, bytes: 2 * size };
  const head = { ...newHead('t', 0), endOffset: 3, bytes: 3 * size, segments: 3, unmerged };
  const merged = mergeRows(rows.slice(1));
  expect(rewritten(head, merged, 3)).toEqual({
    ...head,
    segments: 2,
    unmerged: { from: 3, rows: 0, bytes: 0 },
    rewrites: 1,
  });
  expect(rewritten(head, { old: rows.slice(0, 2), fresh: [] })).toMatchObject({
    bytes: size,
    segments: 1,
    unmerged: { from: 1, rows: 1, bytes: size },
  });
});
