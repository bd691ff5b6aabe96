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
