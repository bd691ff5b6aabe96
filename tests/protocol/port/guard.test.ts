import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Method } from '../../../src/protocol/broker.ts';
import { METHODS, connected } from '../endpoints.ts';
import type { Connected } from '../endpoints.ts';

const RAW = { type: 'RAW', value: 'polluted' };
const call = (path: unknown, argumentList: unknown = [RAW], type = 'APPLY'): object => ({
  id: 'evil',
  type,
  path,
  argumentList,
});

const forbidden: readonly (readonly [string, unknown])[] = [
  [
    'sets a property of Object.prototype',
    { id: 'evil', type: 'SET', path: ['__proto__', 'polluted'], value: RAW },
  ],
  [
    'sets __proto__',
    {
      id: 'evil',
      type: 'SET',
      path: ['__proto__'],
      value: { type: 'RAW', value: { polluted: true } },
    },
  ],
  ['sets a method', { id: 'evil', type: 'SET', path: ['listTopics'], value: RAW }],
  [
    'sets a method’s property',
    { id: 'evil', type: 'SET', path: ['listTopics', 'polluted'], value: RAW },
  ],
  ['gets a method', { id: 'evil', type: 'GET', path: ['listTopics'] }],
  ['gets everything', { id: 'evil', type: 'GET', path: [] }],
  ['constructs', call(['listTopics'], [RAW], 'CONSTRUCT')],
  ['constructs by a constructor', call(['listTopics', 'constructor'], [RAW], 'CONSTRUCT')],
  ['asks for an endpoint', { id: 'evil', type: 'ENDPOINT', path: [] }],
  ['releases the broker', { id: 'evil', type: 'RELEASE', path: [] }],
  ['calls by a path of two', call(['listTopics', 'call'])],
  [
    'calls the Function constructor',
    call(['listTopics', 'constructor'], [{ type: 'RAW', value: 'globalThis.polluted = 1' }]),
  ],
  ['calls by no path', call([])],
  ['calls by a path that is text', call('listTopics')],
  ['calls by a path that is an object', call({ 0: 'listTopics', length: 1 })],
  ['calls by a wrapped name', call([['listTopics']])],
  ['calls an unknown name', call(['close'])],
  ['calls forget', call(['forget'])],
  ['calls constructor', call(['constructor'])],
  ['calls __proto__', call(['__proto__'])],
  ['calls toString', call(['toString'])],
  ['calls with no argument', call(['listTopics'], [])],
  ['calls with two arguments', call(['listTopics'], [RAW, RAW])],
  ['calls with a list that is none', call(['listTopics'], RAW)],
  ['calls with nothing as its argument', call(['listTopics'], [null])],
  [
    'calls with an argument that is handled',
    call(['listTopics'], [{ type: 'HANDLER', name: 'proxy', value: 1 }]),
  ],
  [
    'calls with a thrown argument',
    call(['listTopics'], [{ type: 'HANDLER', name: 'throw', value: { isError: false, value: 1 } }]),
  ],
  ['is null', null],
  ['is undefined', undefined],
  ['is text', 'listTopics'],
  ['is a number', 7],
  ['is an array', [call(['listTopics'])]],
  ['is empty', {}],
  ['has a type only', { type: 'APPLY' }],
];

async function guarded(): Promise<
  Connected & { answers: unknown[]; methods: Record<Method, ReturnType<typeof vi.fn>> }
> {
  const methods = Object.fromEntries(
    METHODS.map((method) => [method, vi.fn(async () => [])]),
  ) as Record<Method, ReturnType<typeof vi.fn>>;
  const connection = await connected(methods as never);
  const answers: unknown[] = [];
  connection.raw.addEventListener('message', ({ data }) => answers.push(data));
  return { ...connection, answers, methods };
}

describe('a message that is no allowed call', () => {
  test.each(forbidden)('changes nothing and is not answered where it %s', async (_, message) => {
    const { port, raw, answers, methods } = await guarded();
    raw.postMessage(message);
    expect(await port.call('describeLog', null)).toEqual([]); // messages keep their order
    expect(answers).toHaveLength(1);
    for (const [method, called] of Object.entries(methods)) {
      expect(called).toHaveBeenCalledTimes(method === 'describeLog' ? 1 : 0);
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect((globalThis as { polluted?: unknown }).polluted).toBeUndefined();
    expect(await port.call('listTopics', null)).toEqual([]);
  });

  test('does not stop what comes after, whatever it is', async () => {
    const { port, raw, answers, methods } = await guarded();
    const name = fc.oneof(
      fc.constantFrom(...METHODS, '__proto__', 'constructor', 'hello', 'then'),
      fc.string(),
    );
    const anyMessage = fc.oneof(
      fc.anything(),
      fc.record(
        {
          id: fc.anything(),
          type: fc.constantFrom('GET', 'SET', 'APPLY', 'CONSTRUCT', 'ENDPOINT', 'RELEASE', 'x'),
          path: fc.oneof(fc.array(name, { minLength: 2 }), fc.anything()),
          argumentList: fc.array(fc.oneof(fc.constant(RAW), fc.anything())),
          value: fc.anything(),
        },
        { requiredKeys: [] },
      ),
    );
    await fc.assert(
      fc.asyncProperty(anyMessage, async (message) => {
        answers.length = 0;
        raw.postMessage(message);
        await port.call('describeLog', null);
        expect(answers).toHaveLength(1);
      }),
      { numRuns: 300 },
    );
    for (const [method, called] of Object.entries(methods)) {
      if (method !== 'describeLog') expect(called).not.toHaveBeenCalled();
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

test('a call with a name of Object.prototype inside its value is data and nothing else', async () => {
  const { port, methods } = await guarded();
  const value = JSON.parse(
    '[{"name":"__proto__","config":{"__proto__":{"polluted":true}}}]',
  ) as never;
  await port.call('createTopics', value);
  expect(methods.createTopics).toHaveBeenCalledOnce();
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});
