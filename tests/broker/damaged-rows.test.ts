import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { BATCH_CORRUPT, LOG_CORRUPT } from '../../src/base/error-rules.ts';
import { FIELD } from '../../src/record/batch-format.ts';
import { ROWS, openDamagedLog, values } from './damaged-log.ts';
import type { DamagedLog } from './damaged-log.ts';

let log: DamagedLog;
beforeEach(async () => {
  log = await openDamagedLog();
});

describe('a row that is damaged', () => {
  test('is BATCH_CORRUPT with its range; what lies before is read first', async () => {
    await log.flip(4, FIELD.records + 3);
    const { values: read, error } = await log.readFrom(0);
    expect(read).toEqual(values(0, 4));
    expect(error).toMatchObject({ ...BATCH_CORRUPT, details: { partition: 0, from: 4, to: 6 } });
    expect(await log.readFrom(6)).toEqual({ values: values(6, 10), error: undefined });
  });

  test('and in memory whole is still read from memory', async () => {
    const shop = log.broker();
    await shop.append(log.topic, 'v10');
    await log.flip(10, FIELD.records);
    expect(await shop.readAll(log.topic, { offset: 10 })).toEqual(['v10']);
    expect((await log.readFrom(10)).error).toMatchObject({ code: BATCH_CORRUPT.code });
  });

  test('leaves the batches before it in the same row readable, and those behind', async () => {
    const size = (await log.merge()) / ROWS.length;
    await log.flip(0, size + FIELD.records + 2);
    const { values: read, error } = await log.readFrom(0);
    expect(read).toEqual(values(0, 2));
    expect(error).toMatchObject({ ...BATCH_CORRUPT, details: { from: 2, to: 4 } });
    expect(await log.readFrom(4)).toEqual({ values: values(4, 10), error: undefined });
  });

  test.each([
    ['in its record', (row: ArrayBuffer) => flipped(row, FIELD.records)],
    ['in its header', (row: ArrayBuffer) => flipped(row, FIELD.magic)],
    ['so that it has no bytes', () => new ArrayBuffer(0)],
    ['so that its end is missing', (row: ArrayBuffer) => row.slice(0, 70)],
  ])('%s is where a look-up of a time ends, so that a reader is told', async (_, changed) => {
    await log.change(4, changed);
    const shop = log.broker();
    expect(await shop.offset(log.topic, 1_000)).toBe(0);
    await log.change(0, changed);
    expect(await shop.offset(log.topic, 1_000)).toBe(0);
    expect(await shop.offset(log.topic, 2_000)).toBe(10); // by the time index, no row has it
  });

  const header = Object.entries(FIELD).filter(
    ([name]) => name !== 'leaderEpoch' && name !== 'records',
  );

  test.each(header)(
    'in its %s lets what lies before be read, and tells its range',
    async (_, at) => {
      await log.flip(4, at);
      const { values: read, error } = await log.readFrom(0);
      expect(read).toEqual(values(0, 4));
      expect([BATCH_CORRUPT.code, LOG_CORRUPT.code]).toContain(error?.code);
      expect(error?.details).toMatchObject({ partition: 0, from: 4, to: 6 });
    },
  );

  test.each([0, 3, 11, 40, 61, 70])(
    'for it ends after %i bytes lets what lies before be read, and tells its range',
    async (bytes) => {
      await log.change(4, (row) => row.slice(0, bytes));
      const { values: read, error } = await log.readFrom(0);
      expect(read).toEqual(values(0, 4));
      expect([BATCH_CORRUPT.code, LOG_CORRUPT.code]).toContain(error?.code);
      expect(error?.details).toMatchObject({ partition: 0, from: 4, to: 6 });
    },
  );

  /** All that a reader gets who seeks past each range that an error tells. */
  async function readPast(): Promise<string[]> {
    const all: string[] = [];
    for (let next = 0; ;) {
      const { values: read, error } = await log.readFrom(next);
      all.push(...read);
      if (error === undefined) return all;
      const { from, to } = error.details as { readonly from: number; readonly to: number };
      expect(from).toBeGreaterThanOrEqual(next);
      expect(to).toBeGreaterThan(from);
      next = to;
    }
  }

  const damage = fc.record({
    row: fc.constantFrom(...ROWS),
    at: fc.nat({ max: 1_000 }),
    mask: fc.integer({ min: 1, max: 255 }),
  });

  test('never gives wrong records, wherever it is, and leaves all others to who seeks past', async () => {
    const size = await log.rowSize(0);
    await fc.assert(
      fc.asyncProperty(damage, async ({ row, at, mask }) => {
        const byte = at % size;
        await log.flip(row, byte, mask);
        const { values: before } = await log.readFrom(0);
        const all = await readPast();
        await log.flip(row, byte, mask);
        const harmless = byte >= FIELD.leaderEpoch && byte < FIELD.magic;
        expect(before).toEqual(values(0, harmless ? 10 : row));
        expect(all).toEqual(harmless ? values(0, 10) : [...values(0, row), ...values(row + 2, 10)]);
      }),
      { numRuns: 200 },
    );
  });

  test('in a row of many batches never gives wrong records, and takes none from before it', async () => {
    const size = await log.merge();
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, mask }) => {
        const byte = at % size;
        await log.flip(0, byte, mask);
        const all = await readPast();
        await log.flip(0, byte, mask);
        const batch = Math.floor(byte / (size / ROWS.length));
        expect(values(0, 10)).toEqual(expect.arrayContaining(all));
        expect(new Set(all).size).toBe(all.length);
        expect(all.slice(0, batch * 2)).toEqual(values(0, batch * 2));
      }),
      { numRuns: 200 },
    );
  });
});

function flipped(row: ArrayBuffer, at: number): ArrayBuffer {
  new Uint8Array(row)[at]! ^= 0xff;
  return row;
}
