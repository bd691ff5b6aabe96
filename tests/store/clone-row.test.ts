import { describe, expect, test } from 'vitest';
import { cloneRow } from '../../src/store/clone-row.ts';

describe('a row', () => {
  const row = {
    text: 'a',
    none: null,
    missing: undefined,
    big: 2n,
    list: [1, [2], { three: 3 }],
    buffer: Uint8Array.of(1, 2).buffer,
    numbers: Float64Array.of(1.5, Number.NaN),
    pattern: /a+/giu,
    nested: { deep: { er: true } },
  };

  test('is cloned as structuredClone does it', () => {
    expect(cloneRow(row)).toEqual(structuredClone(row));
    expect(cloneRow(undefined)).toBeUndefined();
  });

  test('with a key __proto__ keeps its prototype', () => {
    const hostile = JSON.parse('{"config":{"__proto__":{"polluted":true}}}') as typeof row;
    const copy = cloneRow(hostile) as unknown as { readonly config: Record<string, unknown> };
    expect(Object.getPrototypeOf(copy.config)).toBe(Object.prototype);
    expect(Object.keys(copy.config)).toEqual(['__proto__']);
    expect(copy.config['polluted']).toBeUndefined();
  });

  test('shares nothing with its copy', () => {
    const copy = cloneRow(row);
    new Uint8Array(copy.buffer)[0] = 9;
    copy.numbers[0] = 9;
    copy.list.push(9);
    copy.nested.deep.er = false;
    expect(row).toEqual({ ...cloneRow(row), nested: { deep: { er: true } } });
    expect(new Uint8Array(row.buffer)[0]).toBe(1);
    expect(row.numbers[0]).toBe(1.5);
    expect(row.list).toHaveLength(3);
  });

  test('of a part of a buffer takes that part', () => {
    const part = new Float64Array([1, 2, 3]).subarray(1, 2);
    expect(cloneRow(part).buffer.byteLength).toBe(8);
  });

  test.each([[() => 1], [Symbol('s')], [new Map()], [new Date(0)], [{ inner: new WeakMap() }]])(
    'cannot hold %o',
    (value) => {
      expect(() => cloneRow(value)).toThrow(TypeError);
    },
  );
});
