import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SinkError, httpSink } from '../../src/connect.ts';
import type { HttpSinkOptions, SinkBatch, SinkRecord, SinkSource } from '../../src/connect.ts';
import { receiver } from '../../src/receiver.ts';
import type { ReceivedRecord } from '../../src/receiver.ts';

const source: SinkSource = {
  id: 'server/a1-b2/0',
  connector: 'server',
  log: 'shop',
  topic: 'orders',
  partition: 0,
};
const context = { signal: new AbortController().signal, next: 0 };

function batchOf(...values: readonly unknown[]): SinkBatch {
  const records = values.map((value, i): SinkRecord => ({
    id: `a1-b2-0-${i + 5}`,
    topic: 'orders',
    offset: i + 5,
    timestamp: 1_700_000_000_000,
    key: null,
    value,
    headers: [],
  }));
  return { source, from: 5, to: 5 + values.length, records };
}

/** A sink whose requests are answered so; with the requests, and their bodies. */
function sinkOf(
  answer: () => Response | Promise<Response>,
  options: Partial<HttpSinkOptions> = {},
): { requests: Request[]; bodies: string[]; sink: ReturnType<typeof httpSink> } {
  const [requests, bodies]: [Request[], string[]] = [[], []];
  const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(url, init);
    requests.push(request);
    bodies.push(await request.clone().text());
    return answer();
  };
  return { requests, bodies, sink: httpSink({ url: 'https://server.test/', fetch, ...options }) };
}

async function failureOf(
  answer: () => Response,
  options?: Partial<HttpSinkOptions>,
): Promise<SinkError> {
  const { sink } = sinkOf(answer, options);
  const error: unknown = await Promise.resolve(sink.put(batchOf(1), context)).catch(
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(SinkError);
  return error as SinkError;
}

describe('a request', () => {
  test('says what it brings, and has a key that is the same at every attempt', async () => {
    const { requests, bodies, sink } = sinkOf(() => new Response());
    expect(await sink.put(batchOf({ a: 1 }, new Uint8Array([0xff])), context)).toBe(7);
    expect(Object.fromEntries(requests[0]!.headers)).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': '"server/a1-b2/0/5-6-2"',
      'tablog-protocol': '1',
      'tablog-source': 'server/a1-b2/0',
      'tablog-log': 'shop',
      'tablog-topic': 'orders',
      'tablog-partition': '0',
      'tablog-from': '5',
      'tablog-to': '7',
      'tablog-first-offset': '5',
      'tablog-last-offset': '6',
    });
    expect(JSON.parse(bodies[0]!)).toEqual([
      {
        id: 'a1-b2-0-5',
        topic: 'orders',
        offset: 5,
        timestamp: 1_700_000_000_000,
        key: null,
        headers: [],
        value: { a: 1 },
      },
      {
        id: 'a1-b2-0-6',
        topic: 'orders',
        offset: 6,
        timestamp: 1_700_000_000_000,
        key: null,
        headers: [],
        value: { base64: '/w==' },
      },
    ]);
  });

  test('reads no position from a cache, and lets the browser remember that it may post', async () => {
    const told = (): Response => new Response(null, { headers: { 'tablog-position': '6' } });
    const { requests, sink } = sinkOf(told, { receiver: true });
    await sink.position!(source, context);
    await sink.put(batchOf(1), context);
    expect(requests.map(({ method, cache }) => [method, cache])).toEqual([
      ['GET', 'no-store'],
      ['POST', 'default'],
    ]);
  });

  test.each<[HttpSinkOptions['body'], string, number]>([
    ['values', '[1,2,3]', 8],
    ['record', '1', 6],
    [({ records }) => records.map(({ value }) => String(value)).join(','), '1,2,3', 8],
  ])('has the body that was asked for: %s', async (body, text, next) => {
    const { bodies, sink } = sinkOf(() => new Response(), { body: body! });
    expect(await sink.put(batchOf(1, 2, 3), context)).toBe(next);
    expect(bodies).toEqual([text]);
  });

  test('has lines where it is NDJSON', async () => {
    const { requests, bodies, sink } = sinkOf(() => new Response(), { body: 'ndjson' });
    await sink.put(batchOf('a', 'b'), context);
    expect(requests[0]!.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = bodies[0]!.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { value: unknown }).value)).toEqual(['a', 'b']);
  });

  test.each([
    [24, 7],
    [23, 6],
  ])('is bounded in bytes, not in units of UTF-16: %i bytes', async (maxBytes, next) => {
    const { sink } = sinkOf(() => new Response(), { body: 'values', maxBytes });
    const value = 'é€😀'; // 9 bytes, two quotes, and a separator
    expect(await sink.put(batchOf(value, value), context)).toBe(next);
  });

  test('is bounded in bytes, and a larger record goes alone', async () => {
    const { bodies, sink } = sinkOf(() => new Response(), { body: 'values', maxBytes: 10 });
    expect(await sink.put(batchOf('1234', 'x'.repeat(50), '12'), context)).toBe(6);
    expect(await sink.put({ ...batchOf('x'.repeat(50), '12') }, context)).toBe(6);
    expect(bodies).toEqual(['["1234"]', `["${'x'.repeat(50)}"]`]);
  });

  test('has the headers of the user, of a function, and none where nobody is signed in', async () => {
    const { requests, sink } = sinkOf(() => new Response(), {
      headers: ({ records }) => ({ 'x-count': String(records.length) }),
      auth: async ({ log }) => ({ authorization: `Bearer ${log}` }),
    });
    await sink.put(batchOf(1, 2), context);
    expect(requests[0]!.headers.get('x-count')).toBe('2');
    expect(requests[0]!.headers.get('authorization')).toBe('Bearer shop');
  });
});

test('of a refused record left out has another key than the batch with it', async () => {
  const { requests, sink } = sinkOf(() => new Response());
  const whole = batchOf(1, 2);
  await sink.put(whole, context);
  await sink.put({ ...whole, records: whole.records.slice(1) }, context);
  const keys = requests.map(({ headers }) => headers.get('idempotency-key'));
  expect(keys).toEqual(['"server/a1-b2/0/5-6-2"', '"server/a1-b2/0/6-6-1"']);
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['false', false],
  ['a text', 'Bearer x'],
])('sends nothing where auth returns %s', async (_, user) => {
  const { requests, sink } = sinkOf(() => new Response(), { auth: () => user as never });
  const put = Promise.resolve(sink.put(batchOf(1), context));
  await expect(put).rejects.toMatchObject({ kind: 'unauthorized' });
  expect(requests).toEqual([]);
});

test('does not wait for ever for auth', async () => {
  const { sink } = sinkOf(() => new Response(), {
    auth: () => new Promise(() => {}),
    timeoutMs: 5,
  });
  const put = Promise.resolve(sink.put(batchOf(1), context));
  await expect(put).rejects.toMatchObject({ kind: 'retry', message: /within 5 ms/ });
});

test('a value that is no JSON is a record that is refused', async () => {
  const { sink } = sinkOf(() => new Response());
  const put = Promise.resolve(sink.put(batchOf(1, { big: 5n }), context));
  await expect(put).rejects.toMatchObject({ kind: 'refused', offset: 6 });
});

describe('an answer', () => {
  test.each([301, 302, 303, 307])('%i is no delivery, wherever it leads', async (status) => {
    const headers = { location: 'https://server.test/login' };
    const error = await failureOf(() => new Response(null, { status, headers }));
    expect(error.kind).toBe('retry');
    expect(error.message).toBe(
      'POST https://server.test/ is redirected: pass the URL where it leads',
    );
  });

  test.each([
    [400, 'fatal'],
    [409, 'retry'],
    [413, 'refused'],
    [415, 'fatal'],
    [422, 'refused'],
  ])('%i of a receiver is %s', async (status, kind) => {
    const answer = (): Response => Response.json({ error: 'update it' }, { status });
    const error = await failureOf(answer, { receiver: true });
    expect(error.kind).toBe(kind);
    expect(error.message).toBe(
      `POST https://server.test/ answered ${status}: {"error":"update it"}`,
    );
  });

  test.each<[number, SinkError['kind']]>([
    [400, 'refused'],
    [413, 'refused'],
    [422, 'refused'],
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'retry'],
    [408, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
    [405, 'fatal'],
    [410, 'fatal'],
  ])('%i is %s', async (status, kind) => {
    const error = await failureOf(() => new Response(null, { status }));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain(String(status));
  });

  test.each<[string, number | undefined]>([
    ['3', 3_000],
    ['soon', undefined],
    ['999999999', 86_400_000],
    [new Date(0).toUTCString(), 0],
  ])('with Retry-After: %s', async (value, ms) => {
    const headers = { 'retry-after': value };
    const error = await failureOf(() => new Response(null, { status: 503, headers }));
    expect(error.retryAfterMs).toBe(ms);
  });

  test('200 of something else than a receiver is asked again, and is told as such', async () => {
    const error = await failureOf(() => new Response('<h1>Sign in</h1>'), { receiver: true });
    expect(error.kind).toBe('retry');
    expect(error.message).toMatch(
      /answered 200: <h1>Sign in<\/h1> without a tablog-position: is it the URL of a receiver/,
    );
  });

  test('that does not come within the time is asked for again', async () => {
    const fetch = (_: unknown, init?: RequestInit): Promise<Response> =>
      new Promise((_, reject) => {
        init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error));
      });
    const sink = httpSink({ url: 'https://server.test/', fetch, timeoutMs: 5 });
    const put = Promise.resolve(sink.put(batchOf(1), context));
    await expect(put).rejects.toMatchObject({
      kind: 'retry',
      message: 'no answer to POST https://server.test/ within 5 ms',
    });
  });
});

test.each<[string, object, RegExp]>([
  ['no url', {}, /httpSink\(\) needs url/],
  ['a url of files', { url: 'file:///tmp/x' }, /http or https URL.*file:/],
  ['a url that is none', { url: 'http://[' }, /http or https URL/],
  [
    'an option that there is not',
    { url: 'https://x.test', headres: {} },
    /no option "headres".*headers/,
  ],
  [
    'a body that a receiver does not take',
    { url: 'https://x.test', receiver: true, body: 'values' },
    /a receiver takes/,
  ],
  [
    'a compression that there is not',
    { url: 'https://x.test', compression: 'br' },
    /compression must be one of/,
  ],
])('httpSink() does not take %s', (_, options, message) => {
  expect(() => httpSink(options as HttpSinkOptions)).toThrow(message);
});

describe('a receiver', () => {
  const stored: ReceivedRecord[] = [];
  let position: number | undefined;
  const handle = receiver({
    position: () => position,
    store: (batch) => {
      const { records, position: next } = batch.after(position);
      stored.push(...records);
      position = next;
    },
    authorize: (request) =>
      request.headers.has('x-bad') ? new Response(null, { status: 401 }) : undefined,
    origins: ['https://shop.test'],
    maxBytes: 1_000,
  });

  function ask(
    init: RequestInit,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const all = {
      'tablog-protocol': '1',
      'tablog-source': source.id,
      'tablog-partition': '0',
      ...headers,
    };
    return handle(new Request('https://server.test/', { ...init, headers: all }));
  }

  async function post(
    from: number,
    to: number,
    offsets: readonly number[],
  ): Promise<[number, string | null]> {
    const body = JSON.stringify(offsets.map((offset) => ({ offset, value: offset })));
    const answer = await ask(
      { method: 'POST', body },
      { 'tablog-from': String(from), 'tablog-to': String(to) },
    );
    return [answer.status, answer.headers.get('tablog-position')];
  }

  test('stores what it has not, and tells where it stands', async () => {
    expect((await ask({ method: 'GET' })).headers.get('tablog-position')).toBe('none');
    expect(await post(3, 6, [3, 5])).toEqual([200, '6']);
    expect(await post(3, 6, [3, 5])).toEqual([200, '6']); // the answer was lost
    expect(await post(5, 8, [5, 6, 7])).toEqual([200, '8']); // another tab knew less
    expect(await post(9, 10, [9])).toEqual([409, '8']); // a gap
    expect(await post(8, 9, [])).toEqual([200, '9']); // all filtered
    expect(stored.map(({ offset }) => offset)).toEqual([3, 5, 6, 7]);
    expect((await ask({ method: 'GET' })).headers.get('tablog-position')).toBe('9');
  });

  test.each<[string, Parameters<typeof ask>, number, RegExp]>([
    ['no headers', [{ method: 'GET' }, { 'tablog-source': '' }], 400, /name no source/],
    [
      'a path for a name',
      [{ method: 'GET' }, { 'tablog-source': '../../etc/passwd' }],
      400,
      /name no source/,
    ],
    ['another protocol', [{ method: 'GET' }, { 'tablog-protocol': '9' }], 400, /protocol 9.*has 1/],
    ['no range', [{ method: 'POST', body: '[]' }], 400, /no range/],
    [
      'a range that goes back',
      [
        { method: 'POST', body: '[]' },
        { 'tablog-from': '5', 'tablog-to': '4' },
      ],
      400,
      /no range/,
    ],
    [
      'no JSON',
      [
        { method: 'POST', body: '{' },
        { 'tablog-from': '9', 'tablog-to': '10' },
      ],
      400,
      /not the records/,
    ],
    [
      'records of elsewhere',
      [
        { method: 'POST', body: '[{"offset":10}]' },
        { 'tablog-from': '9', 'tablog-to': '10' },
      ],
      400,
      /not the records/,
    ],
    [
      'records out of order',
      [
        { method: 'POST', body: '[{"offset":10},{"offset":9}]' },
        { 'tablog-from': '9', 'tablog-to': '11' },
      ],
      400,
      /not the records/,
    ],
    [
      'too much',
      [
        { method: 'POST', body: ' '.repeat(1_001) },
        { 'tablog-from': '9', 'tablog-to': '10' },
      ],
      413,
      /1000 bytes/,
    ],
    ['another method', [{ method: 'PUT', body: '' }], 405, /method PUT/],
  ])('refuses %s, and stores nothing', async (_, request, status, message) => {
    const before = [position, stored.length];
    const answer = await ask(...request);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toMatch(message);
    expect([position, stored.length]).toEqual(before);
  });

  test('asks nobody but who may', async () => {
    expect((await ask({ method: 'GET' }, { 'x-bad': '1' })).status).toBe(401);
  });

  test('lets pages of the given origins post, and no others', async () => {
    const preflight = (origin: string): Promise<Response> =>
      handle(
        new Request('https://server.test/', {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-headers': 'tablog-from' },
        }),
      );
    const allowed = await preflight('https://shop.test');
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://shop.test');
    expect(allowed.headers.get('access-control-allow-headers')).toBe('tablog-from');
    expect(
      (await preflight('https://evil.test')).headers.get('access-control-allow-origin'),
    ).toBeNull();
  });

  test('lets everybody post where it says so, and takes nobody’s cookies', async () => {
    const everybodys = receiver({ position: () => 7n, store: () => {}, origins: ['*'] });
    const headers = {
      'tablog-protocol': '1',
      'tablog-source': source.id,
      'tablog-partition': '0',
      origin: 'https://evil.test',
    };
    const answer = await everybodys(new Request('https://server.test/', { headers }));
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    expect(answer.headers.get('tablog-position')).toBe('7');
  });

  test.each(['https://shop.test/', 'shop.test', ''])('refuses %j as an origin', (origin) => {
    const options = { position: () => 0, store: () => {}, origins: [origin] };
    expect(() => receiver(options)).toThrow(/each of origins must be/);
  });

  test('finds a gap within the error of a database, and no end in a circle of causes', async () => {
    const circle = new Error('a circle');
    circle.cause = circle;
    const errors: ((gap: unknown) => Error)[] = [
      (gap) => new Error('rolled back', { cause: gap }),
      () => circle,
    ];
    const statuses: number[] = [];
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => logged.mockRestore());
    for (const wrap of errors) {
      const wrapping = receiver({
        position: () => 1,
        store: (batch) => {
          try {
            batch.after(1);
          } catch (gap) {
            throw wrap(gap);
          }
        },
      });
      const headers = {
        'tablog-protocol': '1',
        'tablog-source': source.id,
        'tablog-partition': '0',
        'tablog-from': '5',
        'tablog-to': '6',
      };
      const request = new Request('https://server.test/', { method: 'POST', body: '[]', headers });
      statuses.push((await wrapping(request)).status);
    }
    expect(statuses).toEqual([409, 500]);
    expect(logged).toHaveBeenCalledTimes(1);
  });

  test('unpacks what is compressed', async () => {
    const { sink } = sinkOf(() => new Response(), {});
    expect('position' in sink).toBe(false);
    const fetch = ((url: string, init: RequestInit) => handle(new Request(url, init))) as never;
    const options = {
      url: 'https://server.test/',
      receiver: true,
      compression: 'gzip',
      fetch,
    } as const;
    const packed = httpSink(options);
    const from = position!;
    const record = { ...batchOf('packed').records[0]!, offset: from };
    expect(await packed.put({ source, from, to: from + 1, records: [record] }, context)).toBe(
      from + 1,
    );
    expect(stored.at(-1)).toMatchObject({ offset: from, value: 'packed' });
  });
});
