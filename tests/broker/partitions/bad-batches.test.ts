import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BATCH_CORRUPT } from '../../../src/base/error-rules.ts';
import { FIELD } from '../../../src/record/batch-format.ts';
import { batchOf, recordOf, resealed } from '../../support/batches.ts';
import { appendOf, batch } from '../../support/broker-fixture.ts';
import { log, orders, shop, useShop } from '../shop.ts';

useShop(2);

describe('a batch that must not be stored', () => {
  const good = (): Uint8Array => batchOf([recordOf({ value: 'a' }), recordOf({ value: 'b' })]);
  const changed = (change: (copy: Uint8Array, view: DataView) => void): ArrayBuffer =>
    resealed(good(), change).buffer;

  test.each<[string, ArrayBuffer]>([
    ['is empty', new ArrayBuffer(0)],
    ['is truncated', good().slice(0, -1).buffer],
    ['has something behind it', new Uint8Array([...good(), 0]).buffer],
    ['is two batches', new Uint8Array([...good(), ...good()]).buffer],
    ['has no records', batchOf([]).buffer],
    ['has another magic', changed((bytes) => (bytes[FIELD.magic] = 1))],
    ['counts too many records', changed((_, view) => view.setInt32(FIELD.recordCount, 3))],
    ['counts too few records', changed((_, view) => view.setInt32(FIELD.recordCount, 1))],
    [
      'claims offsets that it does not have',
      changed((_, view) => view.setInt32(FIELD.lastOffsetDelta, 9)),
    ],
    ['is a control batch', batchOf([recordOf()], { attributes: 0b100000 }).buffer],
    ['is transactional', batchOf([recordOf()], { attributes: 0b010000 }).buffer],
    ['is no gzip, and says so', batchOf([recordOf()], { attributes: 1 }).buffer],
    [
      'has a time beyond safe integers',
      changed((_, view) => view.setBigInt64(FIELD.maxTimestamp, 2n ** 62n)),
    ],
  ])('is BATCH_CORRUPT where it %s, and fails alone', async (_, bytes) => {
    const results = await shop.broker.produce({
      appends: [
        appendOf(orders, batch('before')),
        appendOf(orders, bytes),
        appendOf(orders, batch('after')),
      ],
      durability: 'relaxed',
    });
    expect(results).toMatchObject([
      { baseOffset: 0 },
      { error: { code: BATCH_CORRUPT.code } },
      { baseOffset: 1 },
    ]);
    expect(await shop.readAll(orders)).toEqual(['before', 'after']);
  });

  test('is refused where it is compressed already and to be compressed again', async () => {
    const records = Array.from({ length: 4_000 }, () => recordOf({ value: 'the same' }));
    const packed = batchOf(records, { gzip: true }).buffer;
    const result = await shop.produce(orders, packed, { compression: 'gzip' });
    if ('error' in result) return;
    expect(await shop.readAll(orders)).toEqual(records.map(() => 'the same'));
  });

  test('is told from a good one, or is stored as it can be read, for any bytes', async () => {
    const mutation = fc.record({
      at: fc.nat({ max: good().length - 1 }),
      byte: fc.nat({ max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { maxLength: 4 }), async (mutations) => {
        const start = await shop.offset(orders, 'latest');
        const bytes = changed((copy) => mutations.forEach(({ at, byte }) => (copy[at] = byte)));
        const result = await shop.produce(orders, bytes);
        await shop.append(orders, 'after');
        const values = await log.broker().readAll(orders, { offset: start });
        expect(values).toHaveLength('error' in result ? 1 : 3);
        expect(values.at(-1)).toBe('after');
      }),
      { numRuns: 150 },
    );
  });
});
