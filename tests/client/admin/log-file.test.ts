import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { FIELD } from '../../../src/record/batch-format.ts';
import { batchOf, recordOf, resealed } from '../../support/batches.ts';
import { logWith, numbered, readAll, texts } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';

const TO = { topic: 'to', partition: 0 };

async function fileOf(log: Log, name: string, partition = 0): Promise<Uint8Array<ArrayBuffer>> {
  const stream = log.admin.exportPartition({ topic: name, partition });
  return new Uint8Array(await new Response(stream as BodyInit).arrayBuffer());
}

const good = (baseOffset: number): Uint8Array =>
  batchOf([recordOf({ value: 'a' }), recordOf({ value: 'b' })], { baseOffset });

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
    await log.admin.importPartition(TO, await fileOf(log, 'from'));
    expect(await producer.send('to', { value: 'b' })).toMatchObject({ offset: 1 });
    expect(texts(await readAll(log, 'to'))).toEqual(['a', 'b']);
  });

  test('that is exported is so as it was when that began', async () => {
    const log = await logWith('from', 'to');
    const producer = log.producer();
    const send = (value: string): Promise<unknown> => producer.send('from', { value });
    for (let i = 0; i < 6; i++) await send('x'.repeat(300_000));
    const before = await fileOf(log, 'from');
    const reader = log.admin.exportPartition({ topic: 'from', partition: 0 }).getReader();
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
    const imported = await log.admin.importPartition(TO, file);
    expect(imported).toEqual({ ...TO, startOffset: 0, endOffset: 1002, records: 1002 });
    expect(await fileOf(log, 'to')).toEqual(file);
    expect(texts(await readAll(log, 'to'))).toEqual(texts(await readAll(log, 'from')));
  });

  test('keeps the offsets of the file, and goes on after them', async () => {
    const log = await logWithRecords();
    await log.admin.deleteRecords([{ topic: 'from', partition: 0, before: 600 }]);
    const file = await fileOf(log, 'from');
    const { startOffset, endOffset } = await log.admin.importPartition(TO, new Blob([file]));
    expect([startOffset <= 600, startOffset > 0, endOffset]).toEqual([true, true, 1002]);
    expect(await log.producer().send('to', { value: 'next' })).toMatchObject({ offset: 1002 });
    expect(await log.admin.describeTopics(['to'])).toMatchObject([
      {
        partitions: [{ startOffset, endOffset: 1003 }],
      },
    ]);
  });

  test.each<[string, (file: Uint8Array) => Buffer]>([
    ['a Buffer', (file) => Buffer.from(file)],
    [
      'a part of a Buffer',
      (file) =>
        Buffer.concat([good(7), file, good(7)]).subarray(
          good(7).length,
          good(7).length + file.length,
        ),
    ],
  ])('is imported from %s, and nothing beside it', async (_, bufferOf) => {
    const log = await logWith('to');
    const file = good(0);
    const imported = await log.admin.importPartition(TO, bufferOf(file));
    expect(imported).toEqual({ ...TO, startOffset: 0, endOffset: 2, records: 2 });
    expect(await fileOf(log, 'to')).toEqual(new Uint8Array(file));
  });

  test('is imported as the bytes were at the call', async () => {
    const log = await logWith('to');
    const file = good(0);
    const importing = log.admin.importPartition(TO, file);
    await importing;
    file.fill(0);
    expect(texts(await readAll(log, 'to'))).toEqual(['a', 'b']);
  });

  test('is imported from a stream', async () => {
    const log = await logWithRecords();
    const imported = await log.admin.importPartition(
      TO,
      log.admin.exportPartition({ topic: 'from', partition: 0 }),
    );
    expect(imported.records).toBe(1002);
  });

  test('that is empty has an empty file', async () => {
    expect(await fileOf(await logWith('from'), 'from')).toHaveLength(0);
  });

  test('that has had records takes no file', async () => {
    const log = await logWithRecords();
    const importing = log.admin.importPartition(
      { topic: 'from', partition: 0 },
      await fileOf(log, 'from'),
    );
    await expect(importing).rejects.toMatchObject({ code: 'PARTITION_NOT_EMPTY' });
    expect(await readAll(log, 'from')).toHaveLength(1002);
  });
});

describe('a file is refused whole', () => {
  const bad = good(2);
  bad[70] = bad[70]! ^ 1;
  const early = resealed(good(2), (_, view) => view.setBigInt64(FIELD.maxTimestamp, -1n));
  const coded = (codec: number): Uint8Array =>
    resealed(good(2), (_, view) => view.setInt16(FIELD.attributes, codec));

  test.each([
    ['a wrong CRC', bad, /CRC/],
    ['offsets that go back', good(1), /offset 1, not at 2/],
    ['an unknown codec', coded(7), /codec 7/],
    ['what its codec did not write', coded(2), /snappy/],
    [
      'half a header, of an earlier offset',
      good(1).subarray(0, 40),
      /40 bytes are left, less than/,
    ],
    [
      'half a batch, of an earlier offset',
      good(1).subarray(0, 70),
      /has 77 bytes, and 70 are left/,
    ],
    ['text', new TextEncoder().encode('{ "orders": [] }'.repeat(5)), /and 80 are left/],
    ['a max timestamp that is not the largest', early, /max timestamp/],
  ])('with %s', async (_, second, why) => {
    const log = await logWith('to');
    const first = good(0);
    const file = new Uint8Array([...first, ...second]);
    const error = await log.admin.importPartition(TO, file).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'INVALID_LOG_FILE', details: { at: first.length } });
    expect(String(error)).toMatch(why);
    expect(String(error).match(/[A-Z]+_[A-Z_]+:/g)).toHaveLength(1); // one code, one next step
    expect(await log.admin.describeTopics(['to'])).toMatchObject([
      {
        partitions: [{ startOffset: 0, endOffset: 0, bytes: 0, segments: 0 }],
      },
    ]);
  });

  test('that is larger than 256 MiB, before it is read', async () => {
    const log = await logWith('to');
    const huge = Object.defineProperty(new Blob(), 'size', { value: 2 ** 28 + 1 });
    await expect(log.admin.importPartition(TO, huge)).rejects.toThrow(
      new RangeError(
        'a log file is a Blob, bytes or a stream of bytes, 268435456 at the most, got 268435457',
      ),
    );
  });

  test('that goes on after 256 MiB, which ends the stream', async () => {
    const log = await logWith('to');
    const chunk = new Uint8Array(2 ** 26);
    let pulled = 0;
    let reason: unknown;
    const endless = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          pulled++;
          controller.enqueue(chunk);
        },
        cancel: (why) => void (reason = why),
      },
      { highWaterMark: 0 },
    );
    const importing = log.admin.importPartition(TO, endless);
    await expect(importing).rejects.toThrow(/268435456 at the most, got 335544320/);
    expect(pulled).toBeLessThan(8);
    expect(reason).toBeInstanceOf(RangeError);
  });

  test('of a stream that is not of bytes', async () => {
    const log = await logWith('to');
    const stream = new ReadableStream({ start: (controller) => controller.enqueue('text') });
    await expect(log.admin.importPartition(TO, stream as never)).rejects.toThrow(
      new TypeError(
        'a log file is a Blob, bytes or a stream of bytes, 268435456 at the most, got "text"',
      ),
    );
  });

  test('that is none, or empty', async () => {
    const log = await logWith(topic('to'));
    const importing = log.admin.importPartition(TO, 'bytes' as never);
    await expect(importing).rejects.toThrow(/a log file is a Blob, bytes or a stream.*"bytes"/);
    await expect(log.admin.importPartition(TO, null as never)).rejects.toThrow(/got null/);
    await expect(log.admin.importPartition(TO, new Uint8Array())).rejects.toMatchObject({
      code: 'INVALID_LOG_FILE',
    });
  });
});

describe('an export', () => {
  test('of a partition that there is not fails', async () => {
    const log = await logWith('from');
    await expect(fileOf(log, 'from', 9)).rejects.toThrow(
      new RangeError('partition must be an integer from 0 to 0, got 9'),
    );
  });

  test('fails where the records go meanwhile, as those in memory do: it is not whole', async () => {
    const { log, host } = await stubbedLog(topic('from', { storage: 'memory' }));
    for (let i = 0; i < 4; i++) await log.producer().send('from', { value: 'x'.repeat(600_000) });
    const reader = log.admin.exportPartition({ topic: 'from', partition: 0 }).getReader();
    await reader.read();
    host.answer('fetch', async () => []); // as a broker that asks another one in vain
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await expect(rest()).rejects.toMatchObject({
      code: 'WORKER_LOST',
      retriable: true,
      details: { offset: expect.any(Number) as number, endOffset: 4 },
    });
  });
});
