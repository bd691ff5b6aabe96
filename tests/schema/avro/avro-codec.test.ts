import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { samples } from './avro-arbitraries.ts';
import { decode, encode, field, record } from './avro-fixture.ts';

/** The library, with values as they are here: a union's value is that of its branch. */
function typeOf(schema: unknown): avsc.Type {
  return avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: false });
}

/** As plain objects and arrays: what the library makes has classes of its own. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

describe('a value of any schema', () => {
  test('is the same after encoding and decoding', () => {
    fc.assert(
      fc.property(samples, ({ schema, value }) => {
        expect(decode(schema, encode(schema, value))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  test('has the bytes that avsc writes, and avsc reads them', () => {
    const forAvsc = (value: unknown): unknown => {
      if (value instanceof Uint8Array) return Buffer.from(value);
      if (Array.isArray(value)) return value.map(forAvsc);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, forAvsc(each)]));
    };
    fc.assert(
      fc.property(samples, ({ schema, value }) => {
        const bytes = encode(schema, value);
        // Beyond 52 bits the library writes another number.
        fc.pre(!/[1-9]\d{15}/.test(JSON.stringify(value)));
        const type = typeOf(schema);
        expect(plain(type.fromBuffer(Buffer.from(bytes)))).toEqual(plain(value));
        expect([...bytes]).toEqual([...type.toBuffer(forAvsc(value))]);
      }),
      { numRuns: 500 },
    );
  });

  test('that is cut anywhere is an error, and never another value', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 0.999, noNaN: true }), (sample, part) => {
        const bytes = encode(sample.schema, sample.value);
        if (bytes.length === 0) return;
        const cut = bytes.slice(0, Math.floor(bytes.length * part));
        expect(() => decode(sample.schema, cut)).toThrow(/end before/);
      }),
      { numRuns: 500 },
    );
  });

  test('never crashes, whatever the bytes are', () => {
    fc.assert(
      fc.property(samples, fc.uint8Array({ maxLength: 60 }), ({ schema }, bytes) => {
        try {
          decode(schema, bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).message).not.toMatch(/undefined|Cannot read|is not a function/);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the specification', () => {
  // https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
  test.each([
    ['int', 0, '00'],
    ['int', -1, '01'],
    ['int', 1, '02'],
    ['int', -64, '7f'],
    ['int', 64, '8001'],
    ['string', 'foo', '06666f6f'],
    [{ type: 'array', items: 'long' }, [3, 27], '04063600'],
    [['null', 'string'], null, '00'],
    [['null', 'string'], 'a', '020261'],
    [record('test', field('a', 'long'), field('b', 'string')), { a: 27, b: 'foo' }, '3606666f6f'],
  ])('%j has %j as %s', (schema, value, hex) => {
    expect(Buffer.from(encode(schema, value)).toString('hex')).toBe(hex);
    expect(
      decode(schema, Buffer.from(hex, 'hex'), schema, { bigints: typeof value === 'bigint' }),
    ).toEqual(value);
  });

  test('the largest and the smallest long are bigints', () => {
    for (const [value, hex] of [
      [2n ** 63n - 1n, 'feffffffffffffffff01'],
      [-(2n ** 63n), 'ffffffffffffffffff01'],
    ] as const) {
      const bytes = encode('long', value);
      expect(Buffer.from(bytes).toString('hex')).toBe(hex);
      expect(decode('long', bytes, 'long', { bigints: true })).toBe(value);
    }
  });

  test('a block of a negative count tells its bytes', () => {
    const bytes = Buffer.from('0304063600', 'hex');
    expect(decode({ type: 'array', items: 'long' }, bytes)).toEqual([3, 27]);
  });
});

describe('a logical type', () => {
  const decimal = { type: 'bytes', logicalType: 'decimal', precision: 6, scale: 2 };
  test.each([
    [{ type: 'int', logicalType: 'date' }, new Date('2026-11-30'), 'e6c402'],
    [{ type: 'long', logicalType: 'timestamp-millis' }, new Date(1), '02'],
    [{ type: 'long', logicalType: 'timestamp-micros' }, 1_700_000_000_000_000, undefined],
    [{ type: 'int', logicalType: 'time-millis' }, 3_600_000, undefined],
    [decimal, '12.30', '0404ce'],
    [decimal, '-0.01', '02ff'],
    [decimal, '1234.56', undefined],
    [{ type: 'fixed', name: 'F', size: 4, logicalType: 'decimal', precision: 4 }, '-1', 'ffffffff'],
    [{ type: 'string', logicalType: 'uuid' }, '0b9dfa8c-3e80-4f0e-9d0c-5b7d1c1d5a55', undefined],
    [
      { type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' },
      '0b9dfa8c-3e80-4f0e-9d0c-5b7d1c1d5a55',
      '0b9dfa8c3e804f0e9d0c5b7d1c1d5a55',
    ],
    [
      { type: 'fixed', name: 'D', size: 12, logicalType: 'duration' },
      { months: 1, days: 2, milliseconds: 3 },
      '010000000200000003000000',
    ],
    [{ type: 'string', logicalType: 'unheard-of' }, 'as it is', undefined],
  ])('%j: %j', (schema, value, hex) => {
    const bytes = encode(schema, value);
    if (hex !== undefined) expect(Buffer.from(bytes).toString('hex')).toBe(hex);
    expect(decode(schema, bytes)).toEqual(value);
  });
});

describe('a value that does not fit', () => {
  const order = record(
    'Order',
    field('id', 'string'),
    field('lines', { type: 'array', items: record('Line', field('quantity', 'int')) }),
    field('notes', { type: 'map', values: 'string' }, { default: {} }),
    field('paid', ['null', { type: 'int', logicalType: 'date' }], { default: null }),
  );
  test.each([
    [
      { id: 'a', lines: [{ quantity: 1 }, { quantity: 1.5 }] },
      'lines[1].quantity: it must be an integer of 32 bits, got 1.5',
    ],
    [{ id: 5, lines: [] }, 'id: it must be a string, got 5'],
    [{ id: 'a' }, 'lines: it must be an array, got undefined'],
    [{ id: 'a', lines: [], notes: { x: null } }, 'notes["x"]: it must be a string, got null'],
    [{ id: 'a', lines: [], paid: 5 }, 'paid: it must be a Date, got 5'],
    ['order', 'it must be a record Order, got "order"'],
  ])('%j is told with its path', (value, message) => {
    expect(() => encode(order, value)).toThrow(message);
  });

  test('takes defaults for what is missing', () => {
    expect(decode(order, encode(order, { id: 'a', lines: [] }))).toEqual({
      id: 'a',
      lines: [],
      notes: {},
      paid: null,
    });
  });

  test('of a union is told with all branches', () => {
    expect(() => encode(['int', 'string'], true)).toThrow('it must be int or string, got true');
  });

  test('that contains itself is an error', () => {
    const node = record('Node', field('next', ['null', 'Node'], { default: null }));
    const value: { next?: unknown } = {};
    value.next = value;
    expect(() => encode(node, value)).toThrow('more than 500 records deep');
  });

  test('a long beyond 53 bits is a number for nobody', () => {
    const bytes = encode('long', 2n ** 60n);
    expect(() => decode('long', bytes)).toThrow('bigints: true');
    expect(decode('long', bytes, 'long', { bigints: true })).toBe(2n ** 60n);
  });
});

test('names of objects are names, whatever they are', () => {
  const map = { type: 'map', values: 'int' };
  const value = JSON.parse('{"__proto__": 1, "constructor": 2}') as object;
  const read = decode(map, encode(map, value)) as object;
  expect(Object.keys(read)).toEqual(['__proto__', 'constructor']);
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  const odd = record('Odd', field('__proto__', 'int'));
  const [name] = Object.entries(decode(odd, encode(odd, JSON.parse('{"__proto__": 7}'))) as object);
  expect(name).toEqual(['__proto__', 7]);
});

test('an array of nulls without end is refused', () => {
  const bytes = encode('long', 2 ** 40);
  expect(() =>
    decode({ type: 'array', items: 'null' }, Buffer.concat([bytes, Buffer.from([0])])),
  ).toThrow('items are of no bytes');
});
