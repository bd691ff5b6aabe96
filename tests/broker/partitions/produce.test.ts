import { describe, expect, test } from 'vitest';
import { BATCH_CORRUPT, RECORD_TOO_LARGE, UNKNOWN_TOPIC } from '../../../src/base/error-rules.ts';
import { FIELD } from '../../../src/record/batch-format.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { crcMatches } from '../../../src/record/batch-seal.ts';
import {
  appendOf,
  baseOffset,
  batch,
  found,
  recordsOf,
  timedBatch,
  valuesOf,
} from '../../support/broker-fixture.ts';
import { log, orders, shop, useShop } from '../shop.ts';

useShop(2);

describe('produce', () => {
  test('gives offsets without a gap, from 0 and for each partition', async () => {
    expect(await shop.append(orders, 'a', 'b')).toBe(0);
    expect(await shop.append(orders, 'c')).toBe(2);
    expect(baseOffset(await shop.produce(orders, batch('x'), { partition: 1 }))).toBe(0);
    expect(await shop.append(orders, 'd', 'e', 'f')).toBe(3);
    expect(recordsOf(await shop.fetch(orders)).map(({ offset }) => offset)).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
    expect(await shop.readAll(orders)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  test('stores batches with their base offsets and right CRCs, whatever they came with', async () => {
    await shop.append(orders, 'a');
    const bytes = batch('b', 'c');
    new DataView(bytes).setBigInt64(FIELD.baseOffset, 77n);
    new DataView(bytes).setUint32(FIELD.crc, 1234);
    await shop.produce(orders, bytes);
    const { segments } = found(await log.broker().fetch(orders));
    const batches = segments.flatMap((segment) => [...readBatches(new Uint8Array(segment))]);
    expect(batches.map((stored) => [stored.baseOffset, crcMatches(stored.bytes)])).toEqual([
      [0, true],
      [1, true],
    ]);
  });

  test('keeps the order of appends that arrive together', async () => {
    const values = Array.from({ length: 30 }, (_, i) => String(i));
    const offsets = await Promise.all(values.map((value) => shop.append(orders, value)));
    expect(offsets).toEqual(values.map((_, i) => i));
    expect(await shop.readAll(orders)).toEqual(values);
  });

  test('answers each append of a request by itself, in order', async () => {
    const unknown = { ...appendOf(orders, batch('x')), topicId: 'nobody' };
    const results = await shop.broker.produce({
      appends: [
        appendOf(orders, batch('a', 'b')),
        unknown,
        appendOf(orders, new ArrayBuffer(9)),
        appendOf(orders, batch('c')),
        appendOf(orders, batch('d'), 1),
      ],
      durability: 'relaxed',
    });
    expect(results).toMatchObject([
      { baseOffset: 0 },
      { error: { code: UNKNOWN_TOPIC.code } },
      { error: { code: BATCH_CORRUPT.code } },
      { baseOffset: 2 },
      { baseOffset: 0 },
    ]);
    expect(await shop.readAll(orders)).toEqual(['a', 'b', 'c']);
  });
});

test('a record over maxRecordBytes is RECORD_TOO_LARGE, with both sizes', async () => {
  const small = await shop.create('small', 1, { maxRecordBytes: 5 });
  expect(await shop.append(small, '12345')).toBe(0);
  expect(await shop.produce(small, batch('1', '123456'))).toMatchObject({
    error: { ...RECORD_TOO_LARGE, details: { bytes: 6, maxRecordBytes: 5 } },
  });
  expect(await shop.readAll(small)).toEqual(['12345']);
});

describe('time', () => {
  test('is the producer’s, where the topic says so', async () => {
    const result = await shop.produce(orders, timedBatch([30, 'a'], [10, 'b']));
    expect(result).toEqual({ baseOffset: 0, appendTime: null });
    expect(recordsOf(await shop.fetch(orders)).map(({ timestamp }) => timestamp)).toEqual([30, 10]);
  });

  test('is the append’s, where the topic says so', async () => {
    const audit = await shop.create('audit', 1, { timestampType: 'append' });
    const now = log.clock.now();
    expect(await shop.produce(audit, timedBatch([30, 'a'], [10, 'b']))).toEqual({
      baseOffset: 0,
      appendTime: now,
    });
    log.clock.advance(5);
    const result = await shop.produce(audit, timedBatch([1, 'c']), { compression: 'gzip' });
    expect(result).toMatchObject({ appendTime: now + 5 });
    const times = recordsOf(await shop.fetch(audit)).map(({ timestamp }) => timestamp);
    expect(times).toEqual([now, now, now + 5]);
  });
});

describe('gzip', () => {
  const many = Array.from({ length: 100 }, (_, i) => `a value that repeats ${i}`);

  test('is stored compressed, and told to who fetches', async () => {
    await shop.produce(orders, batch(...many), { compression: 'gzip' });
    for (const broker of [shop, log.broker()]) {
      const fetched = found(await broker.fetch(orders));
      const [stored] = [...readBatches(new Uint8Array(fetched.segments[0]!))];
      expect(stored!.codec).toBe('gzip');
      expect(stored!.bytes.length).toBeLessThan(batch(...many).byteLength / 2);
      expect(fetched.compressed).toBe(true);
      expect(valuesOf(fetched)).toEqual(many);
    }
  });

  test('is left out where it would not make the batch smaller', async () => {
    await shop.produce(orders, batch('x'), { compression: 'gzip' });
    expect(found(await shop.fetch(orders)).compressed).toBe(false);
  });
});
