import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectSource, ndjsonSource } from '../../src/connect.ts';
import type { NdjsonSourceOptions, SourceBatch } from '../../src/connect.ts';
import { json, topic } from '../../src/index.ts';
import { logWith, readAll } from '../support/log-fixture.ts';
import { eventually } from '../support/waiting.ts';
import { readingUntil, upTo } from './connector-fixture.ts';

interface Line {
  readonly id: number;
  readonly price: number;
}

/** A server of Node; resolves to its URL. */
async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/prices?of=all`;
}

const TYPE = { 'content-type': 'application/x-ndjson' };
const lineOf = (id: number): string => `${JSON.stringify({ id, price: id * 10 })}\n`;

function afterIn({ url }: IncomingMessage): number {
  return Number(new URL(url!, 'http://x').searchParams.get('after') ?? 0);
}

async function readFrom(
  options: NdjsonSourceOptions,
  position?: string,
): Promise<readonly SourceBatch[]> {
  const batches: SourceBatch[] = [];
  const context = readingUntil(new AbortController());
  for await (const batch of ndjsonSource(options).read(position, context)) batches.push(batch);
  return batches;
}

/** An answer of these chunks, and what was asked. */
function answered(...chunks: readonly string[]): {
  readonly asked: string[];
  readonly fetch: typeof fetch;
} {
  const asked: string[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });
  return {
    asked,
    fetch: async (url) => {
      asked.push(new Request(url).url);
      return new Response(body, { headers: TYPE });
    },
  };
}

const url = 'https://server.test/prices?of=all';

describe('a source of lines', () => {
  test('goes on behind the last whole line, where the connection is cut amid one', async () => {
    const asked: number[] = [];
    const origin = await serve((request, response) => {
      const after = afterIn(request);
      asked.push(after);
      response.writeHead(200, TYPE);
      const lines = upTo(10).map((i) => lineOf(after + i + 1));
      // Ten lines an answer, the last of which is cut, amid the bytes of the connection.
      const text = after < 27 ? lines.join('').slice(0, -5) : lines.slice(0, 3).join('');
      response.write(text, () => {
        if (after < 27) setTimeout(() => request.socket.destroy(), 10);
      });
    });
    const prices = topic('prices', { value: json<Line>(), partitions: 1 });
    const log = await logWith(prices);
    const source = ndjsonSource({ url: origin });
    const options = { name: 'market', topic: prices, source, backoffMs: 5, maxBackoffMs: 20 };
    const connector = connectSource(log, options);
    onTestFinished(() => connector.close());
    await eventually(async () => (await connector.status()).stored === 30);
    const stored = await readAll(log, prices);
    expect(stored.map(({ value }) => value)).toEqual(
      upTo(30).map((i) => ({ id: i + 1, price: (i + 1) * 10 })),
    );
    expect(asked).toEqual([0, 9, 18, 27]);
    expect((await connector.status()).position).toBe('30');
  });

  test('takes what comes together as one batch, and a line of which it has the half later', async () => {
    const { asked, fetch } = answered('{"id":1}\n{"id":2}\r\n{"i', 'd":3}\n\n', '{"id":4}');
    expect(await readFrom({ url, fetch }, 'x y')).toEqual([
      { records: [{ value: { id: 1 } }, { value: { id: 2 } }], position: '2' },
      { records: [{ value: { id: 3 } }], position: '3' },
    ]);
    expect(asked).toEqual(['https://server.test/prices?of=all&after=x+y']);
  });

  test('has letters of several bytes that were cut apart', async () => {
    const bytes = new TextEncoder().encode('{"id":"é"}\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });
    const fetch = async (): Promise<Response> => new Response(body, { headers: TYPE });
    expect(await readFrom({ url, fetch })).toEqual([
      { records: [{ value: { id: 'é' } }], position: 'é' },
    ]);
  });

  test('has the cursor, the URL and the record that it is told', async () => {
    const { asked, fetch } = answered(
      '{"at":{"lsn":"0/1"},"row":5}\n{"row":6}\n',
      '{"at":{"lsn":"0/2"}}\n',
    );
    const batches = await readFrom(
      {
        url: (cursor) => `https://server.test/from/${cursor ?? 'start'}`,
        cursorOf: (line) => (line as { at?: { lsn: string } }).at?.lsn,
        toRecord: (line) => {
          const { row } = line as { row?: number };
          return row === undefined ? null : { key: 'k', value: row };
        },
        fetch,
      },
      '0/0',
    );
    expect(asked).toEqual(['https://server.test/from/0/0']);
    expect(batches).toEqual([
      {
        records: [
          { key: 'k', value: 5 },
          { key: 'k', value: 6 },
        ],
        position: '0/1',
      },
      { records: [], position: '0/2' },
    ]);
  });

  test.each<[string, string, Partial<NdjsonSourceOptions>, RegExp]>([
    ['a line that is no JSON', '{"id":1\n', {}, /a line is no JSON: .*: \{"id":1$/],
    ['a cursor that is none', '{"id":{}}\n', {}, /a cursor is a text or a number/],
    [
      'a record that cannot be made',
      '{"id":7}\n',
      {
        toRecord: () => {
          throw new Error('odd');
        },
      },
      /toRecord\(\) failed for the line \{"id":7\}: odd/,
    ],
    [
      'lines without a cursor',
      '{"a":1}\n'.repeat(10_001),
      {},
      /10000 lines without a cursor \("id"\)/,
    ],
  ])('fails for good at %s', async (_, text, options, message) => {
    const { fetch } = answered(text);
    await expect(readFrom({ url, fetch, ...options })).rejects.toMatchObject({
      kind: 'fatal',
      message,
    });
  });

  test.each<[string, Response, string]>([
    ['503', new Response(null, { status: 503 }), 'retry'],
    ['401', new Response(null, { status: 401 }), 'unauthorized'],
    ['a page', new Response('<h1>', { headers: { 'content-type': 'text/html' } }), 'retry'],
  ])('fails with an answer that is none: %s', async (_, answer, kind) => {
    await expect(readFrom({ url, fetch: async () => answer })).rejects.toMatchObject({ kind });
  });

  test.each<[string, object, RegExp]>([
    ['no url', {}, /ndjsonSource\(\) needs url/],
    ['a url that is none', { url: 5 }, /url must be a URL, or a function, got 5/],
    ['a cursor that is none', { url, cursorOf: '' }, /cursorOf must be the name of a field/],
    ['an option that there is not', { url, cursor: 'id' }, /no option "cursor".*cursorOf/],
    ['credentials that there are not', { url, credentials: 'all' }, /credentials must be one of/],
  ])('does not take %s', (_, options, message) => {
    expect(() => ndjsonSource(options as NdjsonSourceOptions)).toThrow(message);
  });
});
