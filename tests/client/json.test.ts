import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test, vi } from 'vitest';
import { json, topic } from '../../src/index.ts';
import type { StandardSchema } from '../../src/index.ts';
import { countOf, logWith, readAll } from '../support/log-fixture.ts';
import { settle } from '../support/waiting.ts';

const order = v.object({ id: v.string(), qty: v.pipe(v.number(), v.integer(), v.minValue(1)) });
const orders = topic('orders', { value: json(order) });
const plain = topic('orders', { value: json<unknown>() });

const read = (text: string): unknown => json<unknown>().decode(new TextEncoder().encode(text));

test('every JSON value comes back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(read(json<unknown>().encode(value) as string)).toEqual(
        JSON.parse(JSON.stringify(value)),
      );
    }),
  );
});

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['a symbol', Symbol('s')],
  ['a bigint', 10n],
  ['what toJSON makes undefined', { toJSON: () => undefined }],
])('%s has no JSON', (_, value) => {
  expect(() => json<unknown>().encode(value)).toThrow(TypeError);
});

test('a cycle has no JSON', () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  expect(() => json<unknown>().encode(cycle)).toThrow(TypeError);
});

test.each(['', '{', '[1,]', "{'a':1}", '\uFEFF{}'])(
  '%j is no JSON, and throws at reading',
  (text) => {
    expect(() => read(text)).toThrow(SyntaxError);
  },
);

test('invalid UTF-8 throws at reading', () => {
  expect(() => json().decode(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(TypeError);
});

test('__proto__ is a property like any other', () => {
  const value = read('{"__proto__":{"polluted":true}}') as object;
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect('polluted' in {}).toBe(false);
});

describe('with a schema', () => {
  test('what fits is sent and read', async () => {
    const log = await logWith(orders);
    await log.producer().send(orders, { value: { id: 'o1', qty: 2 } });
    await log.producer().send(orders, { value: null });
    const [first, tombstone] = await readAll(log, orders);
    expect(first!.value).toEqual({ id: 'o1', qty: 2 });
    expect(tombstone!.value).toBeNull();
  });

  test.each<[string, unknown, string]>([
    ['a missing property', { id: 'o1' }, '"qty"'],
    ['a wrong type', { id: 5, qty: 1 }, '5'],
    ['a broken rule', { id: 'o1', qty: 0 }, '0'],
    ['several', { id: 5, qty: 0 }, '; '],
  ])('%s is refused at send, and nothing is stored', async (_, value, told) => {
    const log = await logWith(orders);
    const producer = log.producer();
    const sent = producer.send(orders, { value: value as never });
    await expect(sent).rejects.toThrow(TypeError);
    await expect(sent).rejects.toThrow(told);
    await expect(producer.sendBatch(orders, [{ value: value as never }])).rejects.toThrow(told);
    expect(await countOf(log, orders)).toBe(0);
  });

  test('what does not fit throws where it is read', async () => {
    const log = await logWith(orders);
    await log.producer().send(plain, { value: { id: 'o1', qty: 'many' } });
    await expect(readAll(log, orders)).rejects.toMatchObject({
      code: 'SERDE',
      details: { topic: 'orders', partition: 0, offset: 0, field: 'value' },
      cause: { message: expect.stringMatching(/does not fit its schema: .*"many"/) as string },
    });
  });
});

describe('an asynchronous schema', () => {
  const asynchronous = (validate: () => Promise<never>): StandardSchema<string> => ({
    '~standard': { version: 1, vendor: 'tests', validate },
  });

  test('is refused, at send and at reading', async () => {
    const schema = asynchronous(() => new Promise(() => {}));
    const typed = topic('orders', { value: json(schema) });
    const log = await logWith(typed);
    await expect(log.producer().send(typed, { value: 'v' })).rejects.toThrow(/schema.*synchronous/);
    await log.producer().send(plain, { value: 'v' });
    await expect(readAll(log, typed)).rejects.toMatchObject({
      code: 'SERDE',
      cause: { message: expect.stringMatching(/schema.*synchronous/) as string },
    });
  });

  test('is refused as one of valibot is', () => {
    const schema = v.pipeAsync(
      v.string(),
      v.checkAsync(async () => true),
    );
    expect(() => json(schema as unknown as StandardSchema<string>).encode('v')).toThrow(
      /synchronous/,
    );
  });

  test('leaves no rejection unhandled', async () => {
    const unhandled = vi.fn<(reason: unknown) => void>();
    const listeners = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', unhandled);
    try {
      const serde = json(asynchronous(() => Promise.reject(new Error('late'))));
      expect(() => serde.encode('v')).toThrow(/synchronous/);
      await settle();
    } finally {
      process.removeAllListeners('unhandledRejection');
      for (const listener of listeners) process.on('unhandledRejection', listener);
    }
    expect(unhandled).not.toHaveBeenCalled();
  });
});
