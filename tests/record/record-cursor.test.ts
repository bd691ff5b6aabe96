import { describe, expect, test } from 'vitest';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { RecordCursor, readHeaders } from '../../src/record/record-cursor.ts';
import { batchOf, rawBatch, readBatch, recordOf } from '../support/batches.ts';
import type { RawHeader } from '../support/batches.ts';
import { codeOf, errorOf } from './errors.ts';
import { readJson } from './fixture-files.ts';

const ZERO = 0; // zigzag 0: no delta, an empty field, no headers
const NULL = 1; // zigzag -1
const ONE = 2; // zigzag 1

/** A record of these bytes behind its length. */
function framed(...body: number[]): number[] {
  return [body.length * 2, ...body];
}

interface Varints {
  readonly timestampDelta?: readonly number[];
  readonly offsetDelta?: readonly number[];
  readonly key?: readonly number[];
  readonly value?: readonly number[];
  readonly headers?: readonly number[];
}

/** A record without key, value and headers but for the bytes given. */
function rawRecord(parts: Varints = {}): number[] {
  const { timestampDelta = [ZERO], offsetDelta = [ZERO] } = parts;
  const { key = [NULL], value = [NULL], headers = [ZERO] } = parts;
  return framed(0, ...timestampDelta, ...offsetDelta, ...key, ...value, ...headers);
}

function corrupt(records: number[], header: RawHeader = {}): string {
  const error = errorOf(() => readBatch(rawBatch(records, header)));
  expect(error.code).toBe('BATCH_CORRUPT');
  return error.happened;
}

function onlyRecord(parts: Varints, header: RawHeader = {}): ReturnType<typeof readBatch>[number] {
  const records = readBatch(rawBatch(rawRecord(parts), header));
  expect(records).toHaveLength(1);
  return records[0]!;
}

test('the smallest record is read', () => {
  expect(onlyRecord({})).toEqual({ offset: 0, timestamp: 0, key: null, value: null, headers: [] });
});

test('an error says after which record the damage lies', () => {
  const damaged = rawRecord({ offsetDelta: [6], key: [20, 1] });
  expect(corrupt(damaged, { recordCount: 1, lastOffsetDelta: 3 })).toMatch('its first record');
  const later = corrupt([...rawRecord(), ...damaged], {
    recordCount: 2,
    lastOffsetDelta: 3,
    baseOffset: 40,
  });
  expect(later).toMatch('the record after offset 40 ');
});

test('the cursor says where the next batch begins', () => {
  const batch = rawBatch(rawRecord(), { lastOffsetDelta: 9, baseOffset: 100 });
  expect(new RecordCursor({ bytes: batch }).nextOffset).toBe(110);
});

test('after the last record there is none, however often one asks', () => {
  const cursor = new RecordCursor(new RecordBatch(batchOf([recordOf(), recordOf()])));
  expect([1, 2, 3, 4].map(() => cursor.next())).toEqual([true, true, false, false]);
});

describe('a varlong', () => {
  interface Vector {
    readonly value: string;
    readonly hex: string;
  }
  const { signed } = readJson('hash/varint.json') as { readonly signed: readonly Vector[] };
  const bytesOf = (hex: string): number[] => [...Buffer.from(hex, 'hex')];
  const isSafe = ({ value }: Vector): boolean => Number.isSafeInteger(Number(value) * 2);

  describe('of other clients', () => {
    test.each(signed.filter(isSafe))('$hex is $value', ({ value, hex }) => {
      expect(onlyRecord({ timestampDelta: bytesOf(hex) }).timestamp).toBe(Number(value));
    });

    test.each(signed.filter((vector) => !isSafe(vector)))('$hex is too large', ({ hex }) => {
      corrupt(rawRecord({ timestampDelta: bytesOf(hex) }));
    });
  });

  test('may be longer than it need be, up to ten bytes', () => {
    const padded = [0x82, ...Array.from({ length: 8 }, () => 0x80), 0x00];
    expect(onlyRecord({ timestampDelta: padded }).timestamp).toBe(1);
    const eleven = [0x82, ...Array.from({ length: 9 }, () => 0x80), 0x00];
    corrupt(rawRecord({ timestampDelta: eleven }));
  });

  test('goes down to -2^52 and no further', () => {
    const lowest = bytesOf('ffffffffffffff0f'); // zigzag of -(2^52)
    const baseTimestamp = 2 ** 52;
    expect(onlyRecord({ timestampDelta: lowest }, { baseTimestamp }).timestamp).toBe(0);
    corrupt(rawRecord({ timestampDelta: bytesOf('8080808080808010') }));
  });
});

describe('a varint', () => {
  test('may be longer than it need be, up to five bytes', () => {
    expect(onlyRecord({ key: [0x82, 0x80, 0x80, 0x80, 0x00, 0x61] }).key).toBe('61');
    corrupt(rawRecord({ key: [0x82, 0x80, 0x80, 0x80, 0x80, 0x00, 0x61] }));
  });

  test('of five bytes and more than 32 bits is refused', () => {
    corrupt(rawRecord({ key: [0x80, 0x80, 0x80, 0x80, 0x10] }));
    corrupt(rawRecord({ key: [0xff, 0xff, 0xff, 0xff, 0x7f] }));
  });

  test('that the record ends within is refused', () => {
    corrupt(rawRecord({ headers: [0x80] }));
    const long = rawRecord({ value: [20, ...Array.from({ length: 10 }, () => 0)] });
    corrupt([...long, 0x80], { recordCount: 2 });
  });
});

describe('a record is refused', () => {
  const padding = Array.from({ length: 8 }, () => 0);

  test.each([
    ['a length past the batch', [200 * 2, ...padding]],
    ['a length of 2^31 - 1', [0xfe, 0xff, 0xff, 0xff, 0x0f, ...padding]],
    ['a length of -1', [1, ...padding]],
    ['a length of 0', [0, ...padding]],
    ['a length too short for its fields', [...framed(0, ZERO, ZERO, NULL), ...padding]],
    ['bytes after its last field', framed(0, ZERO, ZERO, NULL, NULL, ZERO, 0)],
    ['a key past the record', rawRecord({ key: [20, 1] })],
    ['a key of length -2', rawRecord({ key: [3] })],
    ['a value past the record', rawRecord({ value: [100] })],
    ['a value of length -2', rawRecord({ value: [3] })],
    ['-1 headers', rawRecord({ headers: [NULL] })],
    ['more headers than bytes', rawRecord({ headers: [0xfe, 0xff, 0xff, 0xff, 0x0f] })],
    ['a header without a name', rawRecord({ headers: [ONE, NULL, NULL] })],
    ['a header name past the record', rawRecord({ headers: [ONE, 4, 0x61] })],
    ['a header value past the record', rawRecord({ headers: [ONE, ZERO, 4, 0x61] })],
    ['a header value of length -2', rawRecord({ headers: [ONE, ZERO, 3] })],
    ['an offset delta of -1', rawRecord({ offsetDelta: [NULL] })],
    ['an offset delta past the batch', rawRecord({ offsetDelta: [ONE] })],
    ['another record after the last', [...rawRecord(), ...rawRecord()]],
  ])('for %s', (_, bytes) => {
    corrupt(bytes);
  });

  test('that is counted and not there', () => {
    const twice = [...rawRecord(), ...rawRecord({ offsetDelta: [ONE] })];
    expect(readBatch(rawBatch(twice, { recordCount: 2 }))).toHaveLength(2);
    const counted = rawBatch([...twice, ...Array.from({ length: 7 }, () => 0)], { recordCount: 3 });
    expect(codeOf(() => readBatch(counted))).toBe('BATCH_CORRUPT');
  });

  test('whose length says less than the record before it used', () => {
    corrupt([...rawRecord(), 10, 0, ZERO, ONE, NULL, NULL, ZERO], { recordCount: 2 });
  });
});

describe('headers', () => {
  const headersOf = (batch: Uint8Array): ReturnType<typeof readHeaders> => {
    const cursor = new RecordCursor(new RecordBatch(batch));
    cursor.next();
    return readHeaders(cursor.bytes, cursor.headersAt, cursor.headerCount);
  };

  test('are views into the batch', () => {
    const batch = batchOf([recordOf({ headers: [['name', 'value']] })]);
    const [[name, value]] = headersOf(batch) as [[string, Uint8Array]];
    expect(name).toBe('name');
    expect(value.buffer).toBe(batch.buffer);
  });

  test('with a name that is no UTF-8 still have one', () => {
    const batch = rawBatch(rawRecord({ headers: [ONE, 4, 0x61, 0xff, NULL] }));
    expect(headersOf(batch)).toEqual([['a\uFFFD', null]]);
  });

  test('may have names and values of several length bytes', () => {
    const headers = [['n'.repeat(70), 'v'.repeat(9000)]] as const;
    const [[name, value]] = headersOf(batchOf([recordOf({ headers })])) as [[string, Uint8Array]];
    expect([name.length, value.length]).toEqual([70, 9000]);
  });
});
