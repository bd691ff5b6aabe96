import { describe, expect, onTestFinished, test } from 'vitest';
import { SinkError, connectSource, sseSource } from '../../src/connect.ts';
import type { Source, SourceBatch, SourceConnector, SourceOptions } from '../../src/connect.ts';
import { json, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { logWith, openTwoTabs, readAll } from '../support/log-fixture.ts';

import { eventually } from '../support/waiting.ts';
import { readingUntil } from './connector-fixture.ts';

const prices = topic('prices', { value: json<number>() });

function connected(
  log: Log,
  source: Source,
  options: Partial<SourceOptions> = {},
): SourceConnector {
  const connector = connectSource(log, {
    name: 'market',
    topic: prices,
    source,
    backoffMs: 5,
    maxBackoffMs: 20,
    ...options,
  });
  onTestFinished(() => connector.close());
  return connector;
}

/** A source of the numbers from 0 up to an end, in steps, whose reads end as a test says. */
class Numbers implements Source<null, number> {
  end: number;
  /** The positions that were read from. */
  readonly reads: (string | undefined)[] = [];
  /** Thrown after so many numbers. */
  failure: { readonly after: number; readonly error: unknown } | undefined;

  constructor(end: number) {
    this.end = end;
  }

  async *read(position: string | undefined): AsyncGenerator<SourceBatch<null, number>> {
    this.reads.push(position);
    for (let next = Number(position ?? 0); next < this.end; next += 2) {
      if (this.failure !== undefined && next >= this.failure.after) {
        const { error } = this.failure;
        this.failure = undefined;
        throw error;
      }
      yield { records: [{ value: next }, { value: next + 1 }], position: String(next + 2) };
    }
  }
}

async function valuesOf(log: Log): Promise<(number | null)[]> {
  return (await readAll(log, prices)).map(({ value }) => value);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('a connector of a source', () => {
  test('stores what the source has, once, and goes on where it was', async () => {
    const log = await logWith(prices);
    const source = new Numbers(10);
    const connector = connected(log, source);
    await eventually(async () => (await connector.status()).stored === 10);
    await connector.close();
    source.end = 20;
    const again = connected(log, source);
    await eventually(async () => (await again.status()).stored === 10);
    expect(await valuesOf(log)).toEqual(upTo(20));
    expect(await again.status()).toMatchObject({ name: 'market', position: '20', stored: 10 });
    expect(source.reads[0]).toBeUndefined();
  });

  test('reads again where it failed, and tells what has', async () => {
    const log = await logWith(prices);
    const source = new Numbers(10);
    source.failure = { after: 6, error: new TypeError('connection reset') };
    const states: string[] = [];
    const connector = connected(log, source, {
      onStatus: (state, error) => states.push(`${state} ${error?.message ?? ''}`),
    });
    await eventually(async () => (await connector.status()).stored === 10);
    expect(await valuesOf(log)).toEqual(upTo(10));
    expect(source.reads.slice(0, 2)).toEqual([undefined, '6']);
    expect(states).toContain('backingOff connection reset');
  });

  test('tells no failure any more once the source was reached, though nothing comes', async () => {
    const log = await logWith(prices);
    let isAway = true;
    const connector = connected(log, {
      // oxlint-disable-next-line eslint/require-yield -- nothing comes
      async *read(_, { signal, connected: reached }) {
        if (isAway) throw new Error('connection refused');
        reached();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
    await eventually(async () => (await connector.status()).state === 'backingOff');
    expect((await connector.status()).error?.message).toBe('connection refused');
    isAway = false;
    connector.wake();
    await eventually(async () => (await connector.status()).error === undefined);
    expect((await connector.status()).state).toBe('running');
  });

  test('fails for good where the source says so', async () => {
    const log = await logWith(prices);
    const source = new Numbers(10);
    source.failure = { after: 4, error: new SinkError('fatal', 'no such market') };
    const connector = connected(log, source);
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toBe('no such market');
    expect(await valuesOf(log)).toEqual(upTo(4));
  });

  test('fails where the source yields something else', async () => {
    const log = await logWith(prices);
    async function* read(): AsyncGenerator<never> {
      yield { records: [{ value: 1 }], position: 5 } as never;
    }
    const connector = connected(log, { read });
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toMatch(/a position is a text/);
    expect(await valuesOf(log)).toEqual([]);
  });

  test('is read by one tab, and by the other when that one goes', async () => {
    const [first, second] = await openTwoTabs(prices);
    const source = new Numbers(2);
    const one = connected(first, source);
    await eventually(async () => (await one.status()).stored === 2);
    const other = connected(second, source);
    await eventually(async () => (await other.status()).state === 'standby');
    await one.close();
    source.end = 10;
    await eventually(async () => (await other.status()).stored === 8);
    expect(await valuesOf(second)).toEqual(upTo(10));
  });

  test.each<[string, object, RegExp]>([
    ['no name', { topic: 't', source: { read: () => {} } }, /group name|needs name/],
    ['no source', { name: 'n', topic: 't' }, /connectSource\(\) needs source/],
    ['a source without read', { name: 'n', topic: 't', source: {} }, /must have the methods read/],
    ['no topic', { name: 'n', source: { read: () => {} } }, /needs topic/],
  ])('does not take %s', async (_, options, message) => {
    const log = await logWith(prices);
    expect(() => connectSource(log, options as SourceOptions)).toThrow(message);
  });
});

describe('a source of server-sent events', () => {
  const context = readingUntil(new AbortController());

  function streamOf(...chunks: readonly string[]): Response {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }

  async function batchesOf(answer: Response, position?: string): Promise<[SourceBatch[], Headers]> {
    let sent = new Headers();
    const fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
      sent = new Headers(init!.headers);
      return answer;
    };
    const source = sseSource({ url: 'https://server.test/prices', fetch });
    const batches: SourceBatch[] = [];
    for await (const batch of source.read(position, context)) batches.push(batch);
    return [batches, sent];
  }

  test('has the data as values, and goes on behind the last id', async () => {
    const [batches, sent] = await batchesOf(
      streamOf(
        'id: 7\ndata: {"a":\ndata: 1}\n\n: a comment\n\n',
        'id: 8\r\nda',
        'ta:2\r\n\r\ndata: 3\n\nid: 9\n\n',
        'data: 4\n\ndata: 5',
      ),
      '6',
    );
    expect(sent.get('last-event-id')).toBe('6');
    expect(batches).toEqual([
      { records: [{ value: { a: 1 } }], position: '7' },
      { records: [{ value: 2 }, { value: 3 }], position: '8' },
      { records: [{ value: 4 }], position: '9' },
    ]);
  });

  test('keeps what has no id until something has', async () => {
    const [batches] = await batchesOf(streamOf('data: 1\n\n', 'id: a\ndata: 2\n\n', 'data: 3\n\n'));
    expect(batches).toEqual([{ records: [{ value: 1 }, { value: 2 }], position: 'a' }]);
  });

  test('fails for good at an event that is no record, and where no id comes', async () => {
    await expect(batchesOf(streamOf('id: 7\ndata: {\n\n'))).rejects.toMatchObject({
      kind: 'fatal',
      message: expect.stringMatching(/toRecord\(\) failed for the event '7'/) as string,
    });
    const endless = streamOf('data: 1\n\n'.repeat(10_001));
    await expect(batchesOf(endless)).rejects.toMatchObject({
      kind: 'fatal',
      message: /without an id/,
    });
  });

  test.each<[string, Response, string]>([
    ['503', new Response(null, { status: 503 }), 'retry'],
    ['401', new Response(null, { status: 401 }), 'unauthorized'],
    ['a page', new Response('<h1>', { headers: { 'content-type': 'text/html' } }), 'retry'],
  ])('fails with an answer that is none: %s', async (_, answer, kind) => {
    await expect(batchesOf(answer)).rejects.toMatchObject({ kind });
  });
});
