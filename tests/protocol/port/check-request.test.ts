import { describe, expect, onTestFinished, test } from 'vitest';
import { openBroker } from '../../../src/broker.ts';
import type { Method } from '../../../src/protocol/broker.ts';
import { BrokerPort } from '../../../src/protocol/port/broker-port.ts';
import { checkRequest } from '../../../src/protocol/port/check-request.ts';
import { serveBroker } from '../../../src/protocol/port/serve-broker.ts';
import {
  MAX_APPENDS,
  MAX_ENTRIES,
  MAX_METADATA,
  MAX_REQUEST_BYTES,
} from '../../../src/protocol/wire.ts';
import { memoryStore } from '../../../src/store/memory-store-factory.ts';
import { appendOf, batch, errorOf } from '../../support/broker-fixture.ts';
import { useNoHints } from '../../support/stub-globals.ts';
import { HELLO, METHODS, WELCOME, connected } from '../endpoints.ts';
import { REQUESTS, append, assigned, member, named } from '../requests.ts';

/** The methods whose request has nothing that a broker reads. */
const EMPTY: ReadonlySet<Method> = new Set([
  'runLogCleaner',
  'describeLog',
  'scrubRows',
  'describeBroker',
  'listTopics',
  'listGroups',
]);

const garbage: readonly (readonly [string, () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a number', () => NaN],
  ['a string', () => '__proto__'],
  ['a bigint', () => 1n],
  ['an empty object', () => ({})],
  ['an object by its own __proto__', () => JSON.parse('{"__proto__":{"appends":[],"length":0}}')],
  ['an array of nothing', () => [undefined]],
  ['an array of null', () => [null]],
  ['an array of arrays', () => [[[]]]],
  ['an endless array', () => Object.assign([], { length: 2 ** 32 - 1 })],
  ['an object like an array', () => ({ length: 1e9, 0: 't' })],
  ['a map', () => new Map([['appends', []]])],
  ['a buffer', () => new ArrayBuffer(8)],
];

type Path = readonly (string | number)[];

/** Every path to a value in the request. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  const isObject = typeof value === 'object' && value !== null;
  if (!isObject || value instanceof ArrayBuffer || value instanceof RegExp) return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [path, ...keys.flatMap((key) => pathsIn(value[key as never], [...path, key]))];
}

/** A copy of the request with another value at the path. */
function withValue(request: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  const copy = (Array.isArray(request) ? [...request] : { ...(request as object) }) as Record<
    string | number,
    unknown
  >;
  copy[key] = withValue(copy[key], rest, value);
  return copy;
}

function valueAt(request: unknown, path: Path): unknown {
  return path.reduce((value, key) => value![key as never], request);
}

function typeOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function isOpen(value: unknown): boolean {
  return pathsIn(value).length > 1 || typeOf(value) === 'Object';
}

function faultOf(method: Method, request: unknown): { code?: string; message?: string } {
  try {
    checkRequest(method, request);
    return {};
  } catch (error) {
    return error as Error;
  }
}

test.each(METHODS)('%s of a tab is let through', (method) => {
  checkRequest(method, REQUESTS[method]);
});

test.each(METHODS)('%s is refused with a value of a wrong type, wherever it is', (method) => {
  if (EMPTY.has(method)) return;
  for (const path of pathsIn(REQUESTS[method])) {
    const was = valueAt(REQUESTS[method], path);
    // An object may be empty where all of its properties are optional, as a topic's configuration.
    const wrong: unknown[] = isOpen(was) ? [7, 'text', true, 1n] : [{}, [], { toString: null }];
    for (const value of Array.isArray(was) ? [...wrong, { length: 1e9 }] : wrong) {
      const { code, message } = faultOf(method, withValue(REQUESTS[method], path, value));
      expect([method, path, value, code]).toEqual([method, path, value, 'INVALID_REQUEST']);
      expect(message!.length).toBeLessThan(300);
    }
  }
});

describe('the error', () => {
  test('names the method, the place, the rule, the value and the next step', () => {
    const request = withValue(REQUESTS.produce, ['appends', 0, 'partition'], -1);
    expect(() => checkRequest('produce', request)).toThrow(
      /^INVALID_REQUEST: produce: request\.appends\[0\]\.partition must be an integer from 0 to 9007199254740991, got -1\. Call it with less at once/,
    );
    expect(faultOf('produce', request)).toMatchObject({
      retriable: false,
      outcome: 'refused',
      details: { method: 'produce' },
    });
  });

  test('shows no long text', () => {
    const { message } = faultOf('deleteTopics', ['x'.repeat(1e6)]);
    expect(message).toContain('request[0] must be a name, got a string of 1000000 characters');
  });
});

describe('a request is bounded:', () => {
  const lists: readonly (readonly [Method, Path, number])[] = [
    ['createTopics', [], MAX_ENTRIES / 2], // of two partitions each
    ['createPartitions', [], MAX_ENTRIES / 2],
    ['alterTopics', [], MAX_ENTRIES],
    ['deleteTopics', [], MAX_ENTRIES],
    ['describeTopics', [], MAX_ENTRIES],
    ['deleteRecords', [], MAX_ENTRIES],
    ['importPartition', ['sizes'], MAX_ENTRIES],
    ['produce', ['appends'], MAX_APPENDS],
    ['transact', ['appends'], MAX_ENTRIES],
    ['transact', ['commits'], MAX_ENTRIES],
    ['transact', ['commits', 0, 'offsets'], MAX_ENTRIES],
    ['fetch', ['partitions'], MAX_ENTRIES],
    ['fetch', ['session', 'forget'], MAX_ENTRIES],
    ['listOffsets', [], MAX_ENTRIES],
    ['listTopicOffsets', ['subscription', 'topics'], MAX_ENTRIES],
    ['listTopicOffsets', ['subscription', 'patterns'], MAX_ENTRIES],
    ['releasePartitions', ['partitions'], MAX_ENTRIES],
    ['commitOffsets', ['offsets'], MAX_ENTRIES],
    ['positionPartitions', ['partitions'], MAX_ENTRIES],
    ['positionPartitions', ['startingOffsets'], MAX_ENTRIES],
    ['describeGroups', [], MAX_ENTRIES],
    ['deleteGroups', [], MAX_ENTRIES],
    ['alterGroupOffsets', ['partitions'], MAX_ENTRIES],
  ];

  test('every list of the table has a bound', () => {
    const bounded = new Set(lists.map(([method, path]) => [method, ...path].join('.')));
    const all = Object.entries(REQUESTS).flatMap(([method, request]) =>
      pathsIn(request)
        .filter((path) => Array.isArray(valueAt(request, path)))
        .map((path) => [method, ...path].join('.')),
    );
    // The same shapes as those of the list.
    const same = /^(leaveGroup|joinGroup)\.|protectUncommitted$/;
    expect(all.filter((path) => !bounded.has(path) && !same.test(path))).toEqual([]);
  });

  test.each(lists)('%s %j has %i entries at the most', (method, path, max) => {
    const [one] = valueAt(REQUESTS[method], path) as [unknown];
    const full = Array.from({ length: max }, () => one);
    checkRequest(method, withValue(REQUESTS[method], path, full));
    const more = withValue(REQUESTS[method], path, [...full, one]);
    expect(faultOf(method, more)).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  test('the bytes of all batches, and of a file', () => {
    const half = new ArrayBuffer(MAX_REQUEST_BYTES / 2);
    const appends = [
      { ...append, batch: half },
      { ...append, batch: half },
    ];
    checkRequest('produce', { appends, durability: 'strict' });
    const more = { appends: [...appends, append], durability: 'strict' };
    expect(faultOf('produce', more).message).toContain(
      `request.appends must have ${MAX_REQUEST_BYTES} bytes at the most, got ${MAX_REQUEST_BYTES + 8}`,
    );
    expect(faultOf('transact', { ...REQUESTS.transact, ...more }).code).toBe('INVALID_REQUEST');
    const file = new ArrayBuffer(MAX_REQUEST_BYTES + 1);
    expect(faultOf('importPartition', { ...named, file }).code).toBe('INVALID_REQUEST');
  });

  test('the text of a commit, and ids', () => {
    const metadata = 'x'.repeat(MAX_METADATA + 1);
    const offsets = [{ ...assigned, offset: 0, metadata }];
    expect(faultOf('commitOffsets', { member, offsets }).code).toBe('INVALID_REQUEST');
    expect(faultOf('cancelFetch', { clientId: metadata, fetchId: 1 }).code).toBe('INVALID_REQUEST');
  });
});

describe('over a port', () => {
  useNoHints();

  /** Calls as a script of the origin can: with any value, and no buffer transferred. */
  function caller(
    raw: MessagePort,
  ): (method: Method, value: unknown) => Promise<string | undefined> {
    const codes = new Map<string, (code: string | undefined) => void>();
    raw.addEventListener('message', ({ data }) => {
      const { id, value } = data as { id: string; value: { error?: { code: string } } };
      codes.get(id)?.(value.error?.code);
    });
    let calls = 0;
    return (method, value) =>
      new Promise((resolve) => {
        const id = `hostile ${++calls}`;
        codes.set(id, resolve);
        const argumentList = [{ type: 'RAW', value }];
        raw.postMessage({ id, type: 'APPLY', path: [method], argumentList });
      });
  }

  test.each(garbage)('%s reaches no method of the broker', async (_, make) => {
    const called: Method[] = [];
    const methods = Object.fromEntries(
      METHODS.map((method) => [method, async () => void called.push(method)]),
    );
    const { raw } = await connected(methods);
    const call = caller(raw);
    const asked = METHODS.filter((method) => !EMPTY.has(method));
    const codes = await Promise.all(asked.map((method) => call(method, make())));
    expect(codes).toEqual(asked.map(() => 'INVALID_REQUEST'));
    expect(called).toEqual([]);
  });

  test('a hello with a name that is none makes no broker', async () => {
    const { port2, port1 } = new MessageChannel();
    onTestFinished(() => port1.close());
    const greeted: unknown[] = [];
    serveBroker(port2, async (hello) => {
      greeted.push(hello);
      return { response: WELCOME, broker: {} as never };
    });
    const port = new BrokerPort(port1);
    for (const log of [null, 7, '', '../x', 'x'.repeat(201)]) {
      const error = await errorOf(port.hello({ ...HELLO, log: log as never }));
      expect(error.code).toBe('INVALID_REQUEST');
    }
    expect((await errorOf(port.hello(null as never))).code).toBe('PROTOCOL_MISMATCH');
    expect(greeted).toEqual([]);
  });

  test('a hostile client is refused, and another client of the broker notices nothing', async () => {
    const { broker, close } = openBroker({ log: 'shop', store: memoryStore() });
    onTestFinished(close);
    const serve = async (): Promise<{ raw: MessagePort; port: BrokerPort }> => {
      const { port1, port2 } = new MessageChannel();
      onTestFinished(() => port1.close());
      serveBroker(port2, async () => ({ response: WELCOME, broker }));
      const port = new BrokerPort(port1);
      await port.hello(HELLO);
      return { raw: port1, port };
    };
    const [{ port }, { raw }] = [await serve(), await serve()];
    await port.call('openLog', { logId: null });
    const [topic] = await port.call('createTopics', [{ name: 't' }]);
    const call = caller(raw);
    const one = { topicId: topic!.id, partition: 0, batch: null };
    const appends = Array.from({ length: 100_000 }, () => one);
    const refusals: Promise<string | undefined>[] = [];
    const sent: Promise<unknown>[] = [];
    for (const value of [
      ...garbage.map(([, make]) => make()),
      { appends, durability: 'relaxed' },
    ]) {
      for (const method of METHODS) if (!EMPTY.has(method)) refusals.push(call(method, value));
      const own = [appendOf(topic!, batch('v'))];
      sent.push(port.call('produce', { appends: own, durability: 'relaxed' }));
    }
    const offsets = sent.map((_, baseOffset) => [{ baseOffset, appendTime: null }]);
    expect(await Promise.all(sent)).toEqual(offsets);
    expect(new Set(await Promise.all(refusals))).toEqual(new Set(['INVALID_REQUEST']));
    expect((await port.call('listTopics', null)).map(({ name }) => name)).toEqual(['t']);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
