import { describe, expect, test } from 'vitest';
import {
  checkInteger,
  checkMs,
  checkName,
  checkOneOf,
  withDefaults,
} from '../../src/base/argument.ts';
import { show } from '../../src/base/show.ts';

describe('checkName', () => {
  test.each(['a', 'orders', 'Orders.v2', 'a-b_c', '.', '7', 'x'.repeat(200)])(
    'takes %j',
    (name) => {
      expect(() => checkName('topic name', name)).not.toThrow();
    },
  );

  test.each([
    ['', '""'],
    ['a b', '"a b"'],
    ['ä', '"ä"'],
    ['a/b', '"a/b"'],
    ['a\n', '"a\\n"'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [{}, '{}'],
    [{ topic: 't', messages: [] }, '{ topic, messages }'],
  ])('refuses %j, and says what it got', (name, shown) => {
    expect(() => checkName('log name', name)).toThrow(
      new TypeError(
        `a log name must be 1 to 200 of the characters A-Z a-z 0-9 . _ -, got ${shown}`,
      ),
    );
  });

  test('refuses 201 characters, and shows some of them', () => {
    expect(() => checkName('topic name', 'x'.repeat(201))).toThrow(`got "${'x'.repeat(80)}"`);
  });
});

describe('checkInteger', () => {
  test.each([
    [0, 0],
    [5, 0],
    [-3, -5],
    [Number.MAX_SAFE_INTEGER, 1],
  ])('takes %d of at least %d', (value, min) => {
    expect(() => checkInteger('max', value, min)).not.toThrow();
  });

  test('takes both bounds', () => {
    for (const value of [1, 10]) expect(() => checkInteger('n', value, 1, 10)).not.toThrow();
  });

  test.each([[-1], [1.5], [Number.NaN], [Infinity], [2 ** 53]])(
    'refuses the number %d as a RangeError',
    (value) => {
      expect(() => checkInteger('batchBytes', value, 0)).toThrow(
        new RangeError(`batchBytes must be an integer of at least 0, got ${value}`),
      );
    },
  );

  test.each([0, 11])('refuses %d outside of 1 to 10', (value) => {
    expect(() => checkInteger('n', value, 1, 10)).toThrow(
      new RangeError(`n must be an integer from 1 to 10, got ${value}`),
    );
  });

  test.each([
    ['5', '"5"'],
    [null, 'null'],
    [undefined, 'undefined'],
    [5n, '5n'],
    [[5], 'an array of 1'],
  ])('refuses %s as a TypeError', (value, shown) => {
    expect(() => checkInteger('n', value, 0)).toThrow(
      new TypeError(`n must be an integer of at least 0, got ${shown}`),
    );
  });
});

describe('checkMs', () => {
  test.each([0, 0.5, 1e9, 2 ** 31 - 1])('takes %d', (value) => {
    expect(() => checkMs('lingerMs', value)).not.toThrow();
  });

  test.each([-1, 2 ** 31, 1e12, Number.NaN, Infinity])('refuses %d as a RangeError', (value) => {
    expect(() => checkMs('lingerMs', value)).toThrow(
      new RangeError(
        `lingerMs must be a number of milliseconds from 0 to 2147483647, got ${value}`,
      ),
    );
  });

  test('has another least number where that is given', () => {
    expect(() => checkMs('lingerMs', 1, 1)).not.toThrow();
    expect(() => checkMs('lingerMs', 0, 1)).toThrow('from 1 to 2147483647, got 0');
  });

  test('refuses what is no number as a TypeError', () => {
    expect(() => checkMs('lingerMs', '5')).toThrow(
      new TypeError('lingerMs must be a number of milliseconds from 0 to 2147483647, got "5"'),
    );
  });
});

describe('checkOneOf', () => {
  test('takes what is listed, and names the list otherwise', () => {
    const allowed = ['none', 'gzip'] as const;
    expect(() => checkOneOf('compression', 'gzip', allowed)).not.toThrow();
    for (const [value, shown] of [
      ['lz4', '"lz4"'],
      [1, '1'],
      [undefined, 'undefined'],
    ]) {
      expect(() => checkOneOf('compression', value, allowed)).toThrow(
        new TypeError(`compression must be one of "none", "gzip", got ${String(shown)}`),
      );
    }
  });
});

describe('withDefaults', () => {
  const defaults = { lingerMs: 5, compression: 'none' };

  test('puts what is given over the defaults, and changes neither', () => {
    const options = { lingerMs: 0 };
    expect(withDefaults('a producer', options, defaults)).toEqual({
      lingerMs: 0,
      compression: 'none',
    });
    expect(options).toEqual({ lingerMs: 0 });
    expect(defaults).toEqual({ lingerMs: 5, compression: 'none' });
  });

  test.each([null, 7, 'lingerMs'])('refuses %j for options', (options) => {
    const given = options as unknown as Partial<typeof defaults>;
    expect(() => withDefaults('a producer', given, defaults)).toThrow(
      new TypeError(`a producer takes an object of options, got ${show(options)}`),
    );
  });

  test('takes undefined for not given', () => {
    const options = { lingerMs: undefined } as unknown as Partial<typeof defaults>;
    expect(withDefaults('a producer', options, defaults)).toEqual(defaults);
  });

  test.each([
    ['lingerms', 'did you mean lingerMs? It takes'],
    ['eachMessage', 'did you mean consumer.run({ eachMessage })? It takes'],
    ['toString', 'it takes'],
    ['__proto__', 'it takes'],
  ])('refuses the unknown option %s, and names the known ones', (name, takes) => {
    const options = JSON.parse(`{"${name}":1}`) as Partial<typeof defaults>;
    expect(() => withDefaults('a producer', options, defaults)).toThrow(
      new TypeError(`a producer has no option "${name}": ${takes} lingerMs, compression`),
    );
  });
});
