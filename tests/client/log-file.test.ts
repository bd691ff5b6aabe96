import { describe, expect, test } from 'vitest';
import { topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { FIELD } from '../../src/record/batch-format.ts';
import { batchOf, recordOf, resealed } from '../support/batches.ts';
import { logWith, numbered, readAll, texts } from '../support/log-fixture.ts';

async function fileOf(log: Log, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = log.admin.exportPartition(name, 0);
  return new Uint8Array(await new Response(stream as BodyInit).arrayBuffer());
}

async function logWithRecords(): Promise<Log> {
  const log = await logWith('from', 'to');
  for (const compression of ['none', 'gzip'] as const) {
    const producer = log.producer({ compression });
    await producer.sendBatch('from', numbered(500));
    await producer.send('from', { key: 'k', value: null, headers: { a: 'b' } });
  }
  return log;
}

describe('a partition', () => {
  test('that is imported takes what the same producer sends on', async () => {
    const log = await logWith('from', 'to');
    const producer = log.producer();
    await producer.send('from', { value: 'a' });
    await log.admin.importPartition('to', 0, await fileOf(log, 'from'));
    expect(await producer.send('to', { value: 'b' })).toMatchObject({ offset: 1 });
    expect(texts(await readAll(log, 'to'))).toEqual(['a', 'b']);
  });

  test('that is exported is so as it was when that began', async () => {
    const log = await logWith('from', 'to');
    const producer = log.producer();
    const send = (value: string): Promise<unknown> => producer.send('from', { value });
    for (let i = 0; i < 6; i++) await send('x'.repeat(300_000));
    const before = await fileOf(log, 'from');
    const reader = log.admin.exportPartition('from', 0).getReader();
    const parts = [(await reader.read()).value!];
    await send('meanwhile');
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      parts.push(value);
    }
    expect(Buffer.concat(parts).equals(before)).toBe(true);
  });

  test('that is exported and imported is the same, byte for byte', async () => {
    const log = await logWithRecords();
    const file = await fileOf(log, 'from');
    const imported = await log.admin.importPartition('to', 0, file);
    expect(imported).toEqual({ startOffset: 0, endOffset: 1002, records: 1002 });
    expect(await fileOf(log, 'to')).toEqual(file);
    expect(texts(await readAll(log, 'to'))).toEqual(texts(await readAll(log, 'from')));
  });

  test('keeps the offsets of the file, and goes on after them', async () => {
    const log = await logWithRecords();
    await log.admin.deleteRecords('from', [{ partition: 0, before: 600 }]);
    const file = await fileOf(log, 'from');
    const { startOffset, endOffset } = await log.admin.importPartition('to', 0, new Blob([file]));
    expect([startOffset <= 600, startOffset > 0, endOffset]).toEqual([true, true, 1002]);
    expect(await log.producer().send('to', { value: 'next' })).toMatchObject({ offset: 1002 });
    expect(await log.admin.describeTopic('to')).toMatchObject({
      partitions: [{ startOffset, endOffset: 1003 }],
    });
  });

  test('is imported from a stream', async () => {
    const log = await logWithRecords();
    const imported = await log.admin.importPartition('to', 0, log.admin.exportPartition('from', 0));
    expect(imported.records).toBe(1002);
  });

  test('that is empty has an empty file', async () => {
    expect(await fileOf(await logWith('from'), 'from')).toHaveLength(0);
  });

  test('that has had records takes no file', async () => {
    const log = await logWithRecords();
    const importing = log.admin.importPartition('from', 0, await fileOf(log, 'from'));
    await expect(importing).rejects.toMatchObject({ code: 'PARTITION_NOT_EMPTY' });
    expect(await readAll(log, 'from')).toHaveLength(1002);
  });
});

describe('a file is refused whole', () => {
  const good = (baseOffset: number): Uint8Array =>
    batchOf([recordOf({ value: 'a' }), recordOf({ value: 'b' })], { baseOffset });
  const bad = good(2);
  bad[70] = bad[70]! ^ 1;
  const early = resealed(good(2), (_, view) => view.setBigInt64(FIELD.maxTimestamp, -1n));
  const coded = (codec: number): Uint8Array =>
    resealed(good(2), (_, view) => view.setInt16(FIELD.attributes, codec));
  const marker = batchOf([recordOf({ value: 'a' })], { baseOffset: 2, attributes: 0b110000 });

  test.each([
    ['a wrong CRC', bad, /CRC/],
    ['a gap', good(3), /offset 3, not at 2: there must be no gaps/],
    ['offsets that go back', good(1), /offset 1, not at 2/],
    ['an unknown codec', coded(7), /codec 7/],
    ['a codec that cannot be read', coded(2), /snappy/],
    ['half a header', good(2).subarray(0, 40), /40 bytes are left, less than any batch has/],
    ['half a batch', good(2).subarray(0, 70), /it has 77 bytes, and 70 are left/],
    ['text', new TextEncoder().encode('{ "orders": [] }'.repeat(5)), /and 80 are left/],
    ['a max timestamp that is not the largest', early, /max timestamp/],
    ['a marker of a transaction', marker, /marker/],
  ])('with %s', async (_, second, why) => {
    const log = await logWith('to');
    const first = good(0);
    const file = new Uint8Array([...first, ...second]);
    const error = await log.admin.importPartition('to', 0, file).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'INVALID_LOG_FILE', details: { at: first.length } });
    expect(String(error)).toMatch(why);
    expect(String(error).match(/[A-Z]+_[A-Z_]+:/g)).toHaveLength(1); // one code, one next step
    expect(await log.admin.describeTopic('to')).toMatchObject({
      partitions: [{ startOffset: 0, endOffset: 0, bytes: 0, segments: 0 }],
    });
  });

  test('that is none, or empty', async () => {
    const log = await logWith(topic('to'));
    const importing = log.admin.importPartition('to', 0, 'bytes' as never);
    await expect(importing).rejects.toThrow(/a log file is a Blob, bytes or a stream/);
    await expect(log.admin.importPartition('to', 0, new Uint8Array())).rejects.toMatchObject({
      code: 'INVALID_LOG_FILE',
    });
  });
});
