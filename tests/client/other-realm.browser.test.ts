import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLog, string, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';

/** A frame of this page's origin: its classes are not those of the page. */
let other: typeof globalThis;
let frame: HTMLIFrameElement;
let log: Log;

beforeAll(async () => {
  frame = document.createElement('iframe');
  document.body.append(frame);
  other = frame.contentWindow as unknown as typeof globalThis;
  const workerUrl = new other.URL(new URL('../../src/tablog-worker.ts', import.meta.url));
  expect(workerUrl).not.toBeInstanceOf(URL);
  log = await openLog(crypto.randomUUID(), { workerUrl });
});

afterAll(async () => {
  await log.close();
  frame.remove();
});

async function firstText(options: Parameters<Log['consumer']>[0]): Promise<string> {
  const consumer = log.consumer({ from: 'earliest', ...options });
  try {
    for await (const { value } of consumer) return new TextDecoder().decode(value as Uint8Array);
  } finally {
    await consumer.close();
  }
  return '';
}

test('bytes, dates, patterns and signals of a frame are as those of the page', async () => {
  await log.admin.createTopics([topic('t')]);
  const value = new other.TextEncoder().encode('from a frame');
  const timestamp = new other.Date(5_000);
  expect([value instanceof Uint8Array, timestamp instanceof Date]).toEqual([false, false]);
  await log.producer().send('t', { key: value, value, headers: { h: value }, timestamp });
  expect(await firstText({ topics: ['t'] })).toBe('from a frame');
  expect(await firstText({ topics: ['t'], from: new other.Date(4_000) })).toBe('from a frame');
  expect(await firstText({ topics: [new other.RegExp('^t') as never] })).toBe('from a frame');
  const inGroup = { topics: [new other.RegExp('^t') as never], group: 'g' };
  expect(await firstText(inGroup)).toBe('from a frame');

  const abort = new other.AbortController();
  const reading = firstText({ topics: ['t'], from: 'latest', signal: abort.signal });
  abort.abort();
  expect(await reading).toBe('');
});

test('blobs, buffers and streams of a frame are log files', async () => {
  await log.admin.createTopics([topic('from', { value: string() })]);
  await log.producer().send(topic('from', { value: string() }), { value: 'x' });
  const bytes = new Uint8Array(
    await new Response(log.admin.exportPartition({ topic: 'from', partition: 0 })).arrayBuffer(),
  );
  const copy = other.Uint8Array.from(bytes);
  const stream = new other.ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(copy);
      controller.close();
    },
  });
  for (const [name, file] of Object.entries({
    blob: new other.Blob([copy]),
    file: new other.File([copy], '0.log'),
    bytes: copy,
    buffer: copy.slice().buffer,
    stream,
  })) {
    await log.admin.createTopics([name]);
    expect(await log.admin.importPartition({ topic: name, partition: 0 }, file)).toMatchObject({
      records: 1,
    });
  }
});
