import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { durableStreamsSink } from '../../src/durable-streams.ts';
import { deferred } from '../../src/base/deferred.ts';
import { logWith } from '../support/log-fixture.ts';
import { connected, events, send, upTo } from './connector-fixture.ts';
import { FakeStorage, StreamServer, batchOf, context, source } from './durable-streams-fixture.ts';

describe('a sink', () => {
  test('appends a batch as one message, behind a claim, and reads its position back', async () => {
    const server = await StreamServer.start();
    const sink = server.sink();
    expect(await sink.position!(source, context)).toBeNull();
    expect(await sink.put(batchOf(0, 2), context)).toBe(2);
    expect(await sink.put(batchOf(2, 3), context)).toBe(3);
    const { id } = source;
    const epoch: unknown = expect.any(Number);
    const record = (value: number): unknown => ({
      id: `a1-b2-0-${value}`,
      topic: 'orders',
      offset: value,
      timestamp: 1_700_000_000_000,
      key: null,
      value,
      headers: [],
    });
    expect(await server.messages()).toEqual([
      { source: id },
      { source: id, epoch },
      { source: id, epoch, from: 0, to: 2, records: [record(0), record(1)] },
      { source: id, epoch, from: 2, to: 3, records: [record(2)] },
    ]);
    expect(await server.sink().position!(source, context)).toBe(3);
  });

  test('writes nothing before it has records', async () => {
    const server = await StreamServer.start();
    await server.sink().position!(source, context);
    expect(server.requests).toEqual(['GET offset=-1']);
    expect(server.streams).toEqual([]);
  });

  test('moves the position without records', async () => {
    const server = await StreamServer.start();
    const sink = server.sink();
    await sink.position!(source, context);
    expect(await sink.put({ source, from: 0, to: 7, records: [] }, context)).toBe(7);
    expect(await server.sink().position!(source, context)).toBe(7);
  });

  test('bounds a message in bytes, and sends a larger record alone', async () => {
    const server = await StreamServer.start();
    const sink = server.sink({ maxBytes: 250 });
    await sink.position!(source, context);
    expect(await sink.put(batchOf(0, 5), context)).toBe(2);
    const [large] = batchOf(2, 3).records;
    const batch = { ...batchOf(2, 4), records: [{ ...large!, value: 'x'.repeat(300) }] };
    expect(await sink.put({ ...batch, to: 3 }, context)).toBe(3);
    expect((await server.messages()).map(({ to }) => to)).toEqual([undefined, undefined, 2, 3]);
  });

  test('has a stream for each partition, at a URL of its own', async () => {
    const server = await StreamServer.start();
    const under = server.sink({ url: `${server.url}/streams/?tenant=1` });
    const own = server.sink({ url: ({ partition }) => `${server.url}/own-${partition}` });
    for (const sink of [under, own]) {
      await sink.position!(source, context);
      await sink.put(batchOf(0, 1), context);
    }
    expect(server.streams.toSorted()).toEqual(['own-0', `streams/${source.id}`]);
    expect(server.requests[0]).toBe('GET tenant=1&offset=-1');
  });
});

describe('a sink whose requests fail', () => {
  // The requests are GET, POST (the claim), PUT, POST, GET (what was appended since), and POST (the batch).
  test.each(
    [0, 1, 2, 3, 4, 5].flatMap((at) => [[at, 'requestLost'] as const, [at, 'answerLost'] as const]),
  )('stores each record once where request %i is lost: %s', async (at, fault) => {
    const server = await StreamServer.start();
    const sink = server.sink();
    server.faults.push(...Array.from({ length: at }, () => 'none' as const), fault);
    const deliver = async (): Promise<unknown> => {
      const position = (await sink.position!(source, context)) ?? 0;
      return position < 3 ? sink.put(batchOf(position, 3), context) : position;
    };
    await expect(deliver()).rejects.toMatchObject({ kind: 'retry' });
    expect(await deliver()).toBe(3);
    expect(await server.values()).toEqual([0, 1, 2]);
  });

  test('is told that a batch is there whose answer was lost', async () => {
    const server = await StreamServer.start();
    const sink = server.sink();
    await sink.position!(source, context);
    await sink.put(batchOf(0, 1), context);
    server.faults.push('answerLost');
    await expect(sink.put(batchOf(1, 3), context)).rejects.toMatchObject({ kind: 'retry' });
    expect(await sink.position!(source, context)).toBe(3);
  });

  test('keeps out a batch that was given up, and arrives later', async () => {
    const server = await StreamServer.start();
    const sink = server.sink({ timeoutMs: 100 });
    await sink.position!(source, context);
    await sink.put(batchOf(0, 1), context);
    const late = deferred();
    server.delay = () => late.promise;
    await expect(sink.put(batchOf(1, 3), context)).rejects.toMatchObject({
      kind: 'retry',
      message: expect.stringContaining('within 100 ms') as string,
    });
    server.delay = async () => {};
    expect(await sink.position!(source, context)).toBe(1);
    await sink.put(batchOf(1, 2), context);
    late.resolve();
    await sink.put(batchOf(2, 3), context);
    expect(await server.values()).toEqual([0, 1, 2]);
  });

  test.each<[number, string]>([
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'retry'],
    [400, 'retry'],
    [409, 'fatal'],
    [410, 'fatal'],
    [413, 'refused'],
    [429, 'retry'],
    [503, 'retry'],
    [204, 'fenced'],
  ])('takes an answer %i to a batch for %s', async (status, kind) => {
    const server = await StreamServer.start();
    const sink = server.sink();
    await sink.position!(source, context);
    await sink.put(batchOf(0, 1), context);
    server.faults.push(new Response(null, { status }));
    await expect(sink.put(batchOf(1, 3), context)).rejects.toMatchObject({ kind });
    expect(await server.values()).toEqual([0]);
  });

  test('goes on behind a refused record without asking', async () => {
    const server = await StreamServer.start();
    const sink = server.sink();
    await sink.position!(source, context);
    await sink.put(batchOf(0, 1), context);
    server.faults.push(new Response(null, { status: 413 }));
    await expect(sink.put(batchOf(1, 3), context)).rejects.toMatchObject({ kind: 'refused' });
    server.requests.length = 0;
    expect(await sink.put(batchOf(1, 2), context)).toBe(2);
    expect(server.requests).toEqual(['POST']);
  });

  test('does not put before the position is known', async () => {
    const server = await StreamServer.start();
    await expect(server.sink().put(batchOf(0, 1), context)).rejects.toThrow('position');
    expect(server.requests).toEqual([]);
  });
});

describe('of two tabs', () => {
  test('the one that begins later fences the other', async () => {
    const server = await StreamServer.start();
    const [zombie, sink] = [server.sink(), server.sink()];
    await zombie.position!(source, context);
    await zombie.put(batchOf(0, 2), context);
    expect(await sink.position!(source, context)).toBe(2);
    await sink.put(batchOf(2, 4), context);
    await expect(zombie.put(batchOf(2, 5), context)).rejects.toMatchObject({ kind: 'fenced' });
    await sink.put(batchOf(4, 6), context);
    expect(await server.values()).toEqual(upTo(6));
    expect(await zombie.position!(source, context)).toBe(6);
  });

  test('one writes before the other has begun, which asks again', async () => {
    const server = await StreamServer.start();
    const [zombie, sink] = [server.sink(), server.sink()];
    await zombie.position!(source, context);
    await zombie.put(batchOf(0, 2), context);
    expect(await sink.position!(source, context)).toBe(2);
    await zombie.put(batchOf(2, 3), context);
    await expect(sink.put(batchOf(2, 4), context)).rejects.toMatchObject({ kind: 'fenced' });
    expect(await sink.position!(source, context)).toBe(3);
    await sink.put(batchOf(3, 4), context);
    await expect(zombie.put(batchOf(3, 5), context)).rejects.toMatchObject({ kind: 'fenced' });
    expect(await server.values()).toEqual(upTo(4));
  });

  test('both begin at once, and one at most goes on', async () => {
    const server = await StreamServer.start();
    const sinks = upTo(4).map(() => server.sink());
    for (const sink of sinks) await sink.position!(source, context);
    const puts = await Promise.allSettled(
      sinks.map(async (sink) => sink.put(batchOf(0, 2), context)),
    );
    expect(puts.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
    const [sink] = sinks;
    const position = (await sink!.position!(source, context)) ?? 0;
    await sink!.put(batchOf(position, 4), context);
    expect(await server.values()).toEqual(upTo(4));
  });

  test.each([
    ['the same', 0],
    ['a clock that is behind', -60_000],
    ['a clock that is ahead', 60_000],
  ])('the one that begins later has a higher epoch: %s', async (_, skewMs) => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    onTestFinished(() => void vi.useRealTimers());
    const server = await StreamServer.start();
    const [first, second] = [server.sink(), server.sink()];
    await first.position!(source, context);
    await second.position!(source, context);
    await first.put({ ...batchOf(0, 0), to: 1 }, context);
    vi.setSystemTime(1_700_000_000_000 + skewMs);
    await expect(second.put(batchOf(0, 1), context)).rejects.toMatchObject({ kind: 'fenced' });
    await expect(first.put(batchOf(1, 2), context)).rejects.toMatchObject({ kind: 'fenced' });
    expect(await second.position!(source, context)).toBe(1);
    await second.put(batchOf(1, 2), context);
    const epochs = (await server.messages()).map(({ epoch = 0 }) => epoch);
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    expect(new Set(epochs).size).toBe(4);
    expect(await server.values()).toEqual([1]);
  });

  test('the one that was taken for dead writes nothing where the server has forgotten it', async () => {
    const server = await StreamServer.start();
    const [zombie, sink] = [server.sink(), server.sink()];
    await zombie.position!(source, context);
    await zombie.put(batchOf(0, 2), context);
    await sink.position!(source, context);
    await sink.put(batchOf(2, 4), context);
    server.forgetProducers();
    await expect(zombie.put(batchOf(2, 5), context)).rejects.toMatchObject({ kind: 'retry' });
    await expect(sink.put(batchOf(4, 5), context)).rejects.toMatchObject({ kind: 'retry' });
    expect(await server.values()).toEqual(upTo(4));
    expect(await sink.position!(source, context)).toBe(4);
    await sink.put(batchOf(4, 6), context);
    expect(await server.values()).toEqual(upTo(6));
  });

  test('none writes in an epoch that the server has forgotten, and knows again otherwise', async () => {
    const server = await StreamServer.start();
    const sink = server.sink();
    await sink.position!(source, context);
    await sink.put(batchOf(0, 2), context);
    server.forgetProducers();
    const producer = { 'producer-id': source.id, 'producer-epoch': '7', 'producer-seq': '0' };
    await server.ask('POST', { source: source.id, epoch: 7 }, producer);
    await expect(sink.put(batchOf(2, 3), context)).rejects.toMatchObject({
      kind: 'retry',
      message: expect.stringContaining('answered 400') as string,
    });
    expect(await sink.position!(source, context)).toBe(2);
    await sink.put(batchOf(2, 4), context);
    expect(await server.values()).toEqual(upTo(4));
  });
});

describe('a server', () => {
  test('that was restarted over its files goes on where it was', async () => {
    const server = await StreamServer.start('files');
    const sink = server.sink();
    await sink.position!(source, context);
    await sink.put(batchOf(0, 2), context);
    await server.restart();
    await sink.put(batchOf(2, 4), context);
    await server.restart();
    const next = server.sink();
    expect(await next.position!(source, context)).toBe(4);
    await next.put(batchOf(4, 6), context);
    await expect(sink.put(batchOf(4, 7), context)).rejects.toMatchObject({ kind: 'fenced' });
    expect(await server.values()).toEqual(upTo(6));
  });

  test('that was restarted with nothing gets all anew, and nothing of before', async () => {
    const server = await StreamServer.start('memory');
    const [zombie, sink] = [server.sink(), server.sink()];
    await zombie.position!(source, context);
    await zombie.put(batchOf(0, 2), context);
    await sink.position!(source, context);
    await sink.put(batchOf(2, 4), context);
    await server.restart();
    await expect(sink.put(batchOf(4, 6), context)).rejects.toMatchObject({ kind: 'retry' });
    expect(await sink.position!(source, context)).toBeNull();
    await sink.put(batchOf(0, 3), context);
    await expect(zombie.put(batchOf(2, 5), context)).rejects.toMatchObject({ kind: 'fenced' });
    await sink.put(batchOf(3, 6), context);
    expect(await server.values()).toEqual(upTo(6));
  });

  test('whose stream was deleted between position and put gets no hole', async () => {
    const server = await StreamServer.start();
    await deliveredTo(server, 2);
    const sink = server.sink();
    expect(await sink.position!(source, context)).toBe(2);
    server.deleteAll();
    await expect(sink.put(batchOf(2, 3), context)).rejects.toMatchObject({ kind: 'retry' });
    expect(server.streams).toEqual([]);
  });

  test('whose stream has a beginning and no batch gets all that the log has', async () => {
    const server = await StreamServer.start();
    await server.ask('PUT', { source: source.id });
    expect(await server.sink().position!(source, context)).toBeNull();
  });

  test('that has dropped the beginning and all batches cannot tell', async () => {
    const server = await StreamServer.start();
    await server.ask('PUT', { source: source.id, epoch: 3 });
    const sink = server.sink();
    expect(await sink.position!(source, context)).toBeUndefined();
    expect(await sink.put(batchOf(5, 6), context)).toBe(6);
  });

  test.each<[string, (server: StreamServer) => Promise<unknown>, string]>([
    ['of others', (server) => server.ask('PUT', { source: 'other/a1-b2/0' }), 'others'],
    ['of text', (server) => server.ask('PUT', 'x', { 'content-type': 'text/plain' }), 'text/plain'],
  ])('has a stream %s: nothing can succeed', async (_, make, what) => {
    const server = await StreamServer.start();
    await make(server);
    await expect(server.sink().position!(source, context)).rejects.toMatchObject({
      kind: 'fatal',
      message: expect.stringContaining(what) as string,
    });
  });

  test('has a stream that is closed: nothing can succeed', async () => {
    const server = await StreamServer.start();
    const sink = server.sink();
    await sink.position!(source, context);
    await sink.put(batchOf(0, 1), context);
    await server.ask('POST', undefined, { 'stream-closed': 'true' });
    await expect(sink.put(batchOf(1, 2), context)).rejects.toMatchObject({
      kind: 'fatal',
      message: expect.stringContaining('the stream is closed') as string,
    });
  });

  test('that answers with a part of a stream is asked for the rest', async () => {
    const { id } = source;
    const messages = [{ source: id }, { source: id, epoch: 4 }, { source: id, from: 0, to: 2 }, {}];
    const asked: number[] = [];
    const parts = async (url: string | URL | Request): Promise<Response> => {
      const offset = Math.max(Number(new URL(url as string).searchParams.get('offset')), 0);
      asked.push(offset);
      const headers = {
        'content-type': 'application/json',
        'stream-next-offset': `${offset + 1}`,
        ...(offset === 3 && { 'stream-up-to-date': 'true' }),
      };
      return new Response(JSON.stringify([{ source: id, ...messages[offset] }]), { headers });
    };
    const sink = durableStreamsSink({ url: 'https://server.test', fetch: parts, bookmarks: null });
    expect(await sink.position!(source, context)).toBe(2);
    expect(asked).toEqual([0, 1, 2, 3]);
  });

  test('is none: the failure passes, and says what to look at', async () => {
    const server = await StreamServer.start();
    const page = async (): Promise<Response> => new Response('<html>Sign in</html>');
    await expect(server.sink({ fetch: page }).position!(source, context)).rejects.toMatchObject({
      kind: 'retry',
      message: expect.stringContaining('without a Stream-Next-Offset') as string,
    });
  });
});

/** Delivers the offsets up to `end`, one batch each. */
async function deliveredTo(
  server: StreamServer,
  end: number,
  options: Parameters<StreamServer['sink']>[0] = {},
): Promise<void> {
  const sink = server.sink(options);
  const position = (await sink.position!(source, context)) ?? 0;
  for (let from = position; from < end; from++) await sink.put(batchOf(from, from + 1), context);
}

describe('a bookmark', () => {
  test('lets the end of a stream be read without the rest', async () => {
    const server = await StreamServer.start();
    const bookmarks = new FakeStorage();
    await deliveredTo(server, 20, { bookmarks });
    server.requests.length = 0;
    expect(await server.sink({ bookmarks }).position!(source, context)).toBe(20);
    expect(server.requests).toHaveLength(1);
    const [offset] = server.requests[0]!.match(/\d+_\d+$/)!;
    const answer = await fetch(`${server.url}/${source.id}?offset=${offset}`);
    expect(await answer.json()).toMatchObject([{ from: 19, to: 20 }]);
  });

  test('that another tab has left behind is as good', async () => {
    const server = await StreamServer.start();
    const bookmarks = new FakeStorage();
    await deliveredTo(server, 5, { bookmarks });
    await deliveredTo(server, 9);
    expect(await server.sink({ bookmarks }).position!(source, context)).toBe(9);
  });

  test.each<[string, string]>([
    ['another batch', JSON.stringify({ offset: '-1', from: 3 })],
    ['behind the end', JSON.stringify({ offset: '0000000000000000_0000000009999999', from: 3 })],
    ['no offset of the server', JSON.stringify({ offset: 'x', from: 3 })],
    ['no JSON', '{'],
    ['something else', '{"a":1}'],
  ])('that is wrong costs reading the stream: %s', async (_, text) => {
    const server = await StreamServer.start();
    const bookmarks = new FakeStorage();
    await deliveredTo(server, 5);
    bookmarks.setItem(`tablog/durable-streams/${source.id}`, text);
    expect(await server.sink({ bookmarks }).position!(source, context)).toBe(5);
  });

  test('of a stream that was deleted says nothing of the one that follows', async () => {
    const server = await StreamServer.start();
    const bookmarks = new FakeStorage();
    await deliveredTo(server, 5, { bookmarks });
    server.deleteAll();
    expect(await server.sink({ bookmarks }).position!(source, context)).toBeNull();
    await deliveredTo(server, 2);
    expect(await server.sink({ bookmarks }).position!(source, context)).toBe(2);
  });

  test('that cannot be kept is missed by nobody', async () => {
    const server = await StreamServer.start();
    const fail = (): never => {
      throw new DOMException('denied', 'SecurityError');
    };
    const bookmarks = { getItem: fail, setItem: fail };
    await deliveredTo(server, 3, { bookmarks });
    expect(await server.sink({ bookmarks }).position!(source, context)).toBe(3);
  });
});

describe('a connector', () => {
  test('delivers to a stream for each partition', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const server = await StreamServer.start();
    const connector = connected(log, server.sink());
    await connector.drain();
    await send(log, 10, 20);
    await connector.drain();
    expect(server.streams).toHaveLength(1);
    expect(server.streams[0]).toMatch(/^server\/.+\/0$/);
    expect(await server.values(server.streams[0])).toEqual(upTo(20));
    expect(await connector.status()).toMatchObject({
      state: 'running',
      partitions: [{ topic: 'events', partition: 0, position: 20, lag: 0 }],
    });
  });
});

test.each<[string, unknown, string]>([
  ['no options', undefined, 'durableStreamsSink() takes an object of options'],
  ['no URL', {}, 'durableStreamsSink() needs url'],
  ['no such URL', { url: 'ftp://x' }, 'url must be an http or https URL, or a function'],
  ['no headers', { url: 'http://x', headers: 'a' }, 'headers must be headers'],
  ['no auth', { url: 'http://x', auth: 1 }, 'auth must be a function'],
  ['no bytes', { url: 'http://x', maxBytes: 0 }, 'maxBytes must be an integer of at least 1'],
  ['no time', { url: 'http://x', timeoutMs: 0 }, 'timeoutMs must be a number of milliseconds'],
  ['credentials', { url: 'http://x', credentials: 'all' }, 'credentials must be one of "omit"'],
  ['no storage', { url: 'http://x', bookmarks: {} }, 'bookmarks must have the methods getItem'],
  ['no fetch', { url: 'http://x', fetch: 1 }, 'fetch must be a function'],
  ['another option', { url: 'http://x', streams: 1 }, 'durableStreamsSink() has no option'],
])('options: %s', (_, options, message) => {
  expect(() => durableStreamsSink(options as never)).toThrow(message);
});
