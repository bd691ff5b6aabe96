import { describe, expect, onTestFinished, test } from 'vitest';
import { connectSource } from '../../src/connect.ts';
import type { Source, SourceBatch, SourceConnector } from '../../src/connect.ts';
import { durableStreamsSource } from '../../src/durable-streams.ts';
import type {
  DurableStreamsMessage,
  DurableStreamsSourceOptions,
} from '../../src/durable-streams.ts';
import { json, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { logWith, openTwoTabs, readAll } from '../support/log-fixture.ts';
import { eventually } from '../support/waiting.ts';
import { connected, events, readingUntil, send, upTo } from './connector-fixture.ts';
import { StreamServer, source as sinkSource } from './durable-streams-fixture.ts';

const prices = topic('prices', { value: json<number>() });

/** A source of the server's stream, through its network. */
function sourceOf(
  server: StreamServer,
  options: Partial<DurableStreamsSourceOptions> = {},
): Source {
  const { fetch, url } = server;
  return durableStreamsSource({ url: `${url}/${sinkSource.id}`, fetch, ...options });
}

/** The first batches that a source has behind a position. */
async function batchesOf(
  source: Source,
  count: number,
  position?: string,
): Promise<readonly SourceBatch[]> {
  const ending = new AbortController();
  const batches: SourceBatch[] = [];
  for await (const batch of source.read(position, readingUntil(ending))) {
    batches.push(batch);
    if (batches.length === count) break;
  }
  ending.abort();
  return batches;
}

function valuesIn(batches: readonly SourceBatch[]): unknown[] {
  return batches.flatMap(({ records }) => records.map(({ value }) => value));
}

function connectedTo(log: Log, source: Source): SourceConnector {
  const options = { name: 'market', topic: prices, source, backoffMs: 5, maxBackoffMs: 20 };
  const connector = connectSource(log, options);
  onTestFinished(() => connector.close());
  return connector;
}

async function streamOf(count: number): Promise<StreamServer> {
  const server = await StreamServer.start();
  await server.ask('PUT', upTo(count));
  return server;
}

describe('a source', () => {
  test('reads what a stream has, and then what comes', async () => {
    const server = await streamOf(3);
    const log = await logWith(prices);
    connectedTo(log, sourceOf(server));
    const values = async (): Promise<unknown> => (await readAll(log, prices)).map((r) => r.value);
    await eventually(async () => expect(await values()).toEqual(upTo(3)));
    await eventually(() => server.requests.some((each) => each.includes('live=long-poll')));
    await server.ask('POST', [3, 4]);
    await eventually(async () => expect(await values()).toEqual(upTo(5)));
    // A long poll that ends without messages is followed by another one, which tells its cursor.
    await eventually(() => server.requests.some((each) => /&cursor=\d+/.test(each)));
  });

  test.each([1, 2, 3, 7, 100])(
    'goes on at any batch behind which a tab has died: %i messages each',
    async (maxMessages) => {
      const server = await streamOf(7);
      await server.ask('POST', [7, 8]);
      const source = sourceOf(server, { maxMessages });
      const all = await batchesOf(source, Math.ceil(9 / maxMessages));
      expect(valuesIn(all)).toEqual(upTo(9));
      for (let seen = 1; seen < all.length; seen++) {
        const rest = await batchesOf(source, all.length - seen, all[seen - 1]!.position);
        expect(rest).toEqual(all.slice(seen));
      }
    },
  );

  test('goes on amid an answer also where the server cuts answers elsewhere', async () => {
    // Offsets are opaque: here the number of messages before, in answers of 2.
    const fetch = async (url: string | URL | Request): Promise<Response> => {
      const begin = Math.max(Number(new URL(url as URL).searchParams.get('offset')), 0);
      const headers = { 'content-type': 'application/json', 'stream-next-offset': `${begin + 2}` };
      return new Response(JSON.stringify([begin, begin + 1]), { headers });
    };
    const source = durableStreamsSource({ url: 'https://server.test/', fetch });
    expect(valuesIn(await batchesOf(source, 2, '0/5'))).toEqual([5, 6, 7]);
  });

  test('stores each message once, of two tabs of which the one that reads dies', async () => {
    const server = await streamOf(50);
    const source = sourceOf(server, { maxMessages: 3 });
    const tabs = (await openTwoTabs(prices)).map((log) => ({
      log,
      connector: connectedTo(log, source),
    }));
    // Whichever the group has chosen.
    const isReading = async ({ connector }: (typeof tabs)[0]): Promise<boolean> =>
      (await connector.status()).state === 'running';
    let dying = tabs[0]!;
    await eventually(async () => {
      for (const tab of tabs) if (await isReading(tab)) dying = tab;
      expect((await dying.connector.status()).position).toBeDefined();
      expect(await isReading(dying)).toBe(true);
    });
    const [{ log }] = tabs.filter((tab) => tab !== dying) as [(typeof tabs)[0]];
    await Promise.all([dying.connector.close(), dying.log.close()]);
    await server.ask('POST', [50, 51]);
    await eventually(async () => (await readAll(log, prices)).length >= 52);
    expect((await readAll(log, prices)).map(({ value }) => value)).toEqual(upTo(52));
  });

  test('makes records of messages: none, one, or several', async () => {
    const server = await StreamServer.start();
    const log = await logWith(events);
    await send(log, 0, 5);
    await connected(log, server.sink()).drain();
    const source = durableStreamsSource({
      url: `${server.url}/${server.streams[0]!}`,
      toRecord: (message) => {
        const { records } = message as DurableStreamsMessage;
        return records === undefined ? null : records.map(({ value }) => ({ value }));
      },
    });
    const other = await logWith(prices);
    connectedTo(other, source);
    await eventually(async () => (await readAll(other, prices)).length >= 5);
    expect((await readAll(other, prices)).map(({ value }) => value)).toEqual(upTo(5));
  });

  test.each(['requestLost', 'answerLost'] as const)('reads again: %s', async (fault) => {
    const server = await streamOf(4);
    server.faults.push(fault, 'none', fault, new Response(null, { status: 503 }));
    const log = await logWith(prices);
    connectedTo(log, sourceOf(server, { maxMessages: 3 }));
    await eventually(async () => (await readAll(log, prices)).length >= 4);
    await server.ask('POST', [4]);
    await eventually(async () => (await readAll(log, prices)).length >= 5);
    expect((await readAll(log, prices)).map(({ value }) => value)).toEqual(upTo(5));
  });

  test('waits for a stream that does not exist yet', async () => {
    const server = await StreamServer.start();
    const log = await logWith(prices);
    const connector = connectedTo(log, sourceOf(server));
    await eventually(async () => expect((await connector.status()).error?.kind).toBe('retry'));
    await server.ask('PUT', [1]);
    await eventually(async () => (await connector.status()).stored === 1);
  });

  test('is quiet when the stream is closed', async () => {
    const server = await streamOf(2);
    await server.ask('POST', undefined, { 'stream-closed': 'true' });
    const log = await logWith(prices);
    const connector = connectedTo(log, sourceOf(server));
    await eventually(async () => (await connector.status()).stored === 2);
    const { length } = server.requests;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.requests.length).toBe(length);
    expect(await connector.status()).toMatchObject({ state: 'running', error: undefined });
    await connector.close();
  });

  test('ends where a server does not wait, so that its connector does', async () => {
    const headers = {
      'content-type': 'application/json',
      'stream-next-offset': '0_1',
      'stream-up-to-date': 'true',
    };
    let requests = 0;
    const fetch = async (): Promise<Response> => {
      requests++;
      return new Response('[]', { headers });
    };
    const source = durableStreamsSource({ url: 'https://server.test/', fetch });
    expect(await batchesOf(source, 1)).toEqual([]);
    expect(requests).toBe(2);
  });

  test.each<[string, Response, string]>([
    ['an offset that is gone', new Response('Gone', { status: 410 }), 'fatal'],
    ['nobody who is signed in', new Response(null, { status: 401 }), 'unauthorized'],
    ['another page', new Response('<html>'), 'retry'],
    ['no JSON', stream('hello', 'text/plain'), 'fatal'],
    ['half an answer', stream('[1,2', 'application/json'), 'retry'],
    ['no array', stream('1', 'application/json'), 'retry'],
  ])('fails for %s', async (_, answer, kind) => {
    const fetch = async (): Promise<Response> => answer;
    const source = durableStreamsSource({ url: 'https://server.test/', fetch });
    await expect(batchesOf(source, 1)).rejects.toMatchObject({ kind });
  });

  test('fails for good where a message cannot be made a record', async () => {
    const server = await streamOf(2);
    const toRecord = (): never => {
      throw new RangeError('no price');
    };
    await expect(batchesOf(sourceOf(server, { toRecord }), 1)).rejects.toMatchObject({
      kind: 'fatal',
      message: expect.stringContaining('no price') as string,
    });
  });

  test('gives up an answer that does not come', async () => {
    const fetch = (_: unknown, init?: RequestInit): Promise<Response> =>
      new Promise((__, reject) => {
        init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error));
      });
    const source = durableStreamsSource({ url: 'https://server.test/', fetch, timeoutMs: 20 });
    await expect(batchesOf(source, 1)).rejects.toThrow('timeout');
  });

  test('has the headers of each request anew', async () => {
    const tokens: (string | null)[] = [];
    const server = await streamOf(1);
    let token = 0;
    const source = sourceOf(server, {
      headers: async () => ({ authorization: `Bearer ${++token}` }),
      fetch: (url, init) => {
        tokens.push(new Headers(init!.headers).get('authorization'));
        return server.fetch(url, init);
      },
    });
    await server.ask('POST', [1]);
    const reading = batchesOf(source, 2);
    await eventually(() => tokens.length >= 2);
    await server.ask('POST', [2]);
    await reading;
    expect(tokens.slice(0, 2)).toEqual(['Bearer 1', 'Bearer 2']);
  });
});

function stream(body: string, type: string): Response {
  const headers = { 'content-type': type, 'stream-next-offset': '0_1' };
  return new Response(body, { headers });
}

test.each<[string, unknown, string]>([
  ['no URL', {}, 'durableStreamsSource() needs url'],
  ['a function', { url: () => 'http://x' }, 'url must be an http or https URL'],
  ['no function', { url: 'http://x', toRecord: 1 }, 'toRecord must be a function'],
  ['headers', { url: 'http://x', headers: {} }, 'headers must be a function'],
  ['no messages', { url: 'http://x', maxMessages: 0 }, 'maxMessages must be an integer'],
  ['no time', { url: 'http://x', timeoutMs: 0 }, 'timeoutMs must be a number of milliseconds'],
  ['another option', { url: 'http://x', live: 'sse' }, 'durableStreamsSource() has no option'],
])('options: %s', (_, options, message) => {
  expect(() => durableStreamsSource(options as never)).toThrow(message);
});
