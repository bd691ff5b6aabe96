import { createContext, runInContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { show } from '../../src/base/show.ts';

class Order {
  readonly id = 1;
}

describe('show', () => {
  test.each([
    ['a text', '"a text"'],
    ['x'.repeat(100), `"${'x'.repeat(80)}"`],
    [5, '5'],
    [-0.5, '-0.5'],
    [Number.NaN, 'NaN'],
    [5n, '5n'],
    [true, 'true'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'an invalid Date'],
    [{}, '{}'],
    [Object.create(null), '{}'],
    [{ topic: 't', messages: [1] }, '{ topic, messages }'],
    [{ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 }, '{ a, b, c, d, e, f, … }'],
    [[], 'an array of 0'],
    [[1, 2, 3], 'an array of 3'],
    [new Uint8Array(5), 'a Uint8Array of 5 bytes'],
    [new ArrayBuffer(1), 'an ArrayBuffer'],
    [new Map([[1, 2]]), 'a Map'],
    [new AbortController().signal, 'an AbortSignal'],
    [Promise.resolve(), 'a Promise'],
    [new URL('http://a/'), 'a URL'],
    [new Order(), 'Order { id }'],
    [Order, 'the class Order'],
    [
      (() =>
        class {
          readonly id = 1;
        })(),
      'a class',
    ],
    [show, 'the function show'],
    [() => {}, 'a function'],
  ])('%s', (value, shown) => {
    expect(show(value)).toBe(shown);
  });

  test('never throws, and stays short', () => {
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }),
        (value) => {
          expect(show(value).length).toBeLessThan(600);
          expect(show(value)).not.toContain('[object');
        },
      ),
    );
  });

  test('takes a Proxy that throws for what it is', () => {
    const refuse = (): never => {
      throw new Error('refused');
    };
    const handler = { getPrototypeOf: refuse, ownKeys: refuse, get: refuse };
    expect(show(new Proxy({}, handler))).toBe('an object that cannot be read');
    expect(show(new Proxy(() => {}, { getOwnPropertyDescriptor: refuse }))).toBe(
      'a function that cannot be read',
    );
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(show(proxy)).toBe('an object that cannot be read');
  });

  test('calls no getter', () => {
    const getter = vi.fn(() => 'x');
    const value = Object.defineProperties(
      {},
      {
        a: { get: getter, enumerable: true },
        constructor: { get: getter },
        [Symbol.toStringTag]: { get: getter },
        toString: { get: getter },
      },
    );
    expect(show(value)).toBe('{ a }');
    expect(show(Object.create(value))).toBe('{}');
    expect(getter).not.toHaveBeenCalled();
  });

  test('knows values of another realm', () => {
    const other = createContext({});
    expect(show(runInContext('({ a: 1 })', other))).toBe('{ a }');
    expect(show(runInContext('[1]', other))).toBe('an array of 1');
    expect(show(runInContext('new Map()', other))).toBe('a Map');
  });
});
