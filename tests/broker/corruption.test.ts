import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { BATCH_CORRUPT, LOG_CORRUPT } from '../../src/base/error-rules.ts';
import type { TablogError } from '../../src/base/error.ts';
import type { TopicInfo } from '../../src/protocol/broker.ts';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import { FIELD } from '../../src/record/batch-format.ts';
import { HEAD_KEY, partitionStore } from '../../src/store/schema.ts';
import type { RowRef } from '../../src/store/store.ts';
import { errorOf, found, openTestLog, valuesOf } from '../support/broker-fixture.ts';
import type { TestLog } from '../support/broker-fixture.ts';

// A topic of one partition takes the pool's first store.
const STORE = partitionStore(0);
/** Five rows: records 0-1, 2-3, 4-5, 6-7, 8-9. */
const ROWS = 5;

let log: TestLog;
let orders: TopicInfo;
beforeEach(async () => {
  log = openTestLog();
  const shop = log.broker();
  orders = await shop.create('orders');
  for (let row = 0; row < ROWS; row++) await shop.append(orders, `v${row * 2}`, `v${row * 2 + 1}`);
});

const values = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `v${from + i}`);

/** Changes the row at `base` underneath the brokers, as a browser that loses data would. */
async function change(base: number, changed: (row: ArrayBuffer) => ArrayBuffer | undefined): Promise<void> {
  const ref: RowRef<ArrayBuffer> = { store: STORE, key: base };
  await log.store.update([ref], ([row], write) => {
    const after = changed(row!);
    if (after === undefined) write.delete(STORE, base);
    else write.put(STORE, base, after);
  });
}

const lose = (base: number): Promise<void> => change(base, () => undefined);
const flip = (base: number, at: number, mask = 0xff): Promise<void> =>
  change(base, (row) => {
    const bytes = new Uint8Array(row);
    bytes[at]! ^= mask;
    return row;
  });

interface Reading {
  readonly values: string[];
  readonly error: TablogError | undefined;
}

/** What a reader who comes anew gets from `offset` on, until the end or the first error. */
async function readFrom(offset: number, maxBytes = 1024 * 1024): Promise<Reading> {
  const reader = log.broker();
  const read: string[] = [];
  for (;;) {
    const fetched = await reader.fetch(orders, { offset, maxBytes });
    if (fetched === undefined || 'error' in fetched) {
      reader.broker.close();
      return { values: read, error: fetched && fromErrorData(fetched.error) };
    }
    read.push(...valuesOf(fetched));
    offset = fetched.nextOffset;
  }
}

describe('a row that the browser lost', () => {
  test.each([1, 50, 1024 * 1024])('is LOG_CORRUPT with its range; what lies before is read first (%i bytes a fetch)', async (maxBytes) => {
    await lose(4);
    const { values: read, error } = await readFrom(0, maxBytes);
    expect(read).toEqual(values(0, 4));
    expect(error).toMatchObject({ ...LOG_CORRUPT, details: { partition: 0, from: 4, to: 6 } });
  });

  test('leaves what lies behind it to who seeks past it', async () => {
    await lose(4);
    expect(await readFrom(6)).toEqual({ values: values(6, 10), error: undefined });
  });

  test('is told from within the range, too', async () => {
    await lose(4);
    expect((await readFrom(5)).error).toMatchObject({ ...LOG_CORRUPT, details: { from: 5, to: 6 } });
  });

  test('is found at the start', async () => {
    await lose(0);
    expect((await readFrom(0)).error).toMatchObject({ details: { from: 0, to: 2 } });
  });

  test('is found at the end', async () => {
    await lose(8);
    const { values: read, error } = await readFrom(0);
    expect(read).toEqual(values(0, 8));
    expect(error).toMatchObject({ ...LOG_CORRUPT, details: { from: 8, to: 10 } });
  });

  test('is one range with its neighbours', async () => {
    await Promise.all([2, 4, 6].map(lose));
    const { values: read, error } = await readFrom(0);
    expect(read).toEqual(values(0, 2));
    expect(error).toMatchObject({ details: { from: 2, to: 8 } });
  });

  test('is no gap in offsets: what comes next is appended behind', async () => {
    await lose(8);
    expect(await log.broker().append(orders, 'v10')).toBe(10);
    expect(await readFrom(10)).toEqual({ values: ['v10'], error: undefined });
  });

  test('where all rows are gone, is all of the range', async () => {
    await Promise.all([0, 2, 4, 6, 8].map(lose));
    expect((await readFrom(0)).error).toMatchObject({ details: { from: 0, to: 10 } });
  });

  test('where the head is gone as well, is an unknown topic and no empty one', async () => {
    await log.store.update([{ store: STORE, key: HEAD_KEY }], (_, write) => write.clear(STORE));
    expect((await readFrom(0)).error).toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(await errorOf(log.broker().append(orders, 'x'))).toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });
});

describe('a row that is damaged', () => {
  test('is BATCH_CORRUPT with its range; what lies before is read first', async () => {
    await flip(4, FIELD.records + 3);
    const { values: read, error } = await readFrom(0);
    expect(read).toEqual(values(0, 4));
    expect(error).toMatchObject({ ...BATCH_CORRUPT, details: { partition: 0, from: 4, to: 6 } });
    expect(await readFrom(6)).toEqual({ values: values(6, 10), error: undefined });
  });

  test('and in memory whole is still read from memory', async () => {
    const shop = log.broker();
    await shop.append(orders, 'v10');
    await flip(10, FIELD.records);
    expect(await shop.readAll(orders, { offset: 10 })).toEqual(['v10']);
    expect((await readFrom(10)).error).toMatchObject({ code: BATCH_CORRUPT.code });
  });

  test('leaves the batches before it in the same row readable', async () => {
    // Rows 0 and 2 as one, as merging leaves them.
    let second: ArrayBuffer;
    await change(2, (row) => void (second = row));
    await change(0, (row) => new Uint8Array([...new Uint8Array(row), ...new Uint8Array(second)]).buffer);
    const size = second!.byteLength;
    await flip(0, size + FIELD.records + 2);
    const { values: read, error } = await readFrom(0);
    expect(read).toEqual(values(0, 2));
    expect(error).toMatchObject({ ...BATCH_CORRUPT, details: { from: 2, to: 4 } });
  });

  const header = Object.entries(FIELD).filter(([name]) => name !== 'leaderEpoch' && name !== 'records');

  test.each(header)('in its %s lets what lies before be read, and tells its range', async (_, at) => {
    await flip(4, at);
    const { values: read, error } = await readFrom(0);
    expect(read).toEqual(values(0, 4));
    expect([BATCH_CORRUPT.code, LOG_CORRUPT.code]).toContain(error?.code);
    expect(error?.details).toMatchObject({ partition: 0, from: 4, to: 6 });
  });

  test.each([0, 3, 11, 40, 61, 70])('for it ends after %i bytes lets what lies before be read, and tells its range', async (bytes) => {
    await change(4, (row) => row.slice(0, bytes));
    const { values: read, error } = await readFrom(0);
    expect(read).toEqual(values(0, 4));
    expect([BATCH_CORRUPT.code, LOG_CORRUPT.code]).toContain(error?.code);
    expect(error?.details).toMatchObject({ partition: 0, from: 4, to: 6 });
  });

  test('never gives wrong records, wherever the damage is', async () => {
    const size = found(await log.broker().fetch(orders, { maxBytes: 1 })).segments[0]!.byteLength;
    const damage = fc.record({
      row: fc.nat({ max: ROWS - 1 }),
      at: fc.nat({ max: size - 1 }),
      mask: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ row, at, mask }) => {
        await flip(row * 2, at, mask);
        const { values: read } = await readFrom(0);
        await flip(row * 2, at, mask);
        expect(read).toEqual(values(0, read.length));
        const harmless = at >= FIELD.leaderEpoch && at < FIELD.magic;
        if (!harmless) expect(read.length).toBeLessThanOrEqual(row * 2);
      }),
      { numRuns: 200 },
    );
  });
});
