import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes, double, float, integer, long, short, string, topic } from '../../../src/index.ts';
import type { SimpleSerde, TablogError } from '../../../src/index.ts';
import { countOf, logWith, readAll } from '../../support/log-fixture.ts';
import { hexOf } from '../../support/batches.ts';

/** Through bytes and back, as through a log. */
function roundTrip<T>(serde: SimpleSerde<T>, value: T): T {
  return serde.decode(encoded(serde, value));
}

function encoded<T>(serde: SimpleSerde<T>, value: T): Uint8Array {
  const result = serde.encode(value);
  return typeof result === 'string' ? new TextEncoder().encode(result) : result;
}

function expectRoundTrip<T>(serde: SimpleSerde<T>, values: fc.Arbitrary<T>): void {
  fc.assert(
    fc.property(values, (value) => {
      expect(roundTrip(serde, value)).toEqual(value);
    }),
  );
}

describe('every value comes back', () => {
  test('string', () => expectRoundTrip(string(), fc.string({ unit: 'grapheme' })));
  test('bytes', () => expectRoundTrip(bytes(), fc.uint8Array()));
  test('short', () => expectRoundTrip(short(), fc.integer({ min: -32_768, max: 32_767 })));
  test('integer', () => expectRoundTrip(integer(), fc.integer()));
  test('long', () =>
    expectRoundTrip(long(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })));
  test('float', () => expectRoundTrip(float(), fc.float()));
  test('double', () => expectRoundTrip(double(), fc.double()));

  test('through a log, of every type', async () => {
    const topics = [
      [topic('string', { key: string(), value: string() }), '\uFEFFé🦊'],
      [topic('short', { key: short(), value: short() }), -2],
      [topic('integer', { key: integer(), value: integer() }), -3],
      [topic('long', { key: long(), value: long() }), -4n],
      [topic('float', { key: float(), value: float() }), 0.5],
      [topic('double', { key: double(), value: double() }), 0.1],
      [topic('bytes'), Uint8Array.of(0, 255)],
    ] as const;
    const log = await logWith(...topics.map(([of]) => of));
    const producer = log.producer();
    for (const [of, value] of topics) {
      await producer.send(of as never, { key: value, value } as never);
      expect(await readAll(log, of)).toMatchObject([{ key: value, value }]);
    }
  });
});

// What Kafka's serializers write: big endian, two's complement, IEEE 754.
test.each<[string, SimpleSerde<unknown>, unknown, string]>([
  ['short', short(), 0, '0000'],
  ['short', short(), 1, '0001'],
  ['short', short(), -1, 'ffff'],
  ['short', short(), 32_767, '7fff'],
  ['short', short(), -32_768, '8000'],
  ['integer', integer(), 1, '00000001'],
  ['integer', integer(), -2, 'fffffffe'],
  ['integer', integer(), 2_147_483_647, '7fffffff'],
  ['integer', integer(), -2_147_483_648, '80000000'],
  ['long', long(), 1n, '0000000000000001'],
  ['long', long(), -1n, 'ffffffffffffffff'],
  ['long', long(), 2n ** 63n - 1n, '7fffffffffffffff'],
  ['long', long(), -(2n ** 63n), '8000000000000000'],
  ['float', float(), 1.5, '3fc00000'],
  ['float', float(), -0, '80000000'],
  ['float', float(), Number.NaN, '7fc00000'],
  ['float', float(), 0.1, '3dcccccd'],
  ['double', double(), 1.5, '3ff8000000000000'],
  ['double', double(), Number.NEGATIVE_INFINITY, 'fff0000000000000'],
  ['double', double(), 0.1, '3fb999999999999a'],
  ['string', string(), 'é€🦊', 'c3a9e282acf09fa68a'],
])('%s of %s is written as Kafka does', (_name, serde, value, hex) => {
  expect(hexOf(encoded(serde, value))).toBe(hex);
});

describe('a value of the wrong kind is refused, by name', () => {
  test.each<[string, SimpleSerde<unknown>, unknown, string]>([
    ['string', string(), 5, '5'],
    ['string', string(), undefined, 'undefined'],
    ['string', string(), {}, '{}'],
    ['bytes', bytes(), 'text', '"text"'],
    ['bytes', bytes(), [1, 2], 'an array of 2'],
    ['bytes', bytes(), new ArrayBuffer(1), 'an ArrayBuffer'],
    ['short', short(), 32_768, '32768'],
    ['short', short(), -32_769, '-32769'],
    ['short', short(), 0.5, '0.5'],
    ['integer', integer(), 2 ** 31, '2147483648'],
    ['integer', integer(), Number.NaN, 'NaN'],
    ['integer', integer(), '5', '"5"'],
    ['integer', integer(), 5n, '5'],
    ['long', long(), 2n ** 63n, '9223372036854775808'],
    ['long', long(), -(2n ** 63n) - 1n, '-9223372036854775809'],
    ['long', long(), 5, '5'],
    ['float', float(), '0.5', '"0.5"'],
    ['double', double(), 5n, '5'],
    ['double', double(), new Date(0), '1970-01-01T00:00:00.000Z'],
  ])('%s(): %s', (name, serde, value, shown) => {
    const encode = (): unknown => serde.encode(value);
    expect(encode).toThrow(new RegExp(`^${name}\\(\\) takes .*got ${escaped(shown)}`));
    expect(errorOf(encode)).toSatisfy((e) => e instanceof TypeError || e instanceof RangeError);
  });

  test.each<[string, SimpleSerde<unknown>, number]>([
    ['short', short(), 2],
    ['integer', integer(), 4],
    ['long', long(), 8],
    ['float', float(), 4],
    ['double', double(), 8],
  ])('%s() reads its length and no other', (name, serde, length) => {
    for (const wrong of [0, length - 1, length + 1]) {
      const decode = (): unknown => serde.decode(new Uint8Array(wrong));
      expect(decode).toThrow(TypeError);
      expect(decode).toThrow(`${name}() reads ${length} bytes, and the record has ${wrong}`);
    }
    expect(() => serde.decode(new Uint8Array(length))).not.toThrow();
  });
});

describe('text without UTF-8', () => {
  const texts = topic('t', { key: string(), value: string() });

  test.each(['\ud800', 'a\udc00', '\ud83e-\udd8a'])('%j is refused at send', async (text) => {
    const log = await logWith(texts);
    const producer = log.producer();
    for (const record of [{ value: text }, { key: text, value: '' }]) {
      await expect(producer.send(texts, record)).rejects.toThrow(/lone surrogate.*has no UTF-8/);
      await expect(producer.send(texts, record)).rejects.toThrow(TypeError);
    }
    expect(await countOf(log, texts)).toBe(0);
  });

  test.each(['ff', 'c3', 'eda080', 'c0af'])('bytes %s throw at reading', async (hex) => {
    const bad = Buffer.from(hex, 'hex');
    for (const record of [{ value: bad }, { key: bad, value: '' }]) {
      const log = await logWith('t');
      await log.producer().send('t', record);
      const error: unknown = await readAll(log, texts).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SERDE' });
      expect((error as TablogError).cause).toBeInstanceOf(TypeError);
    }
  });
});

test('a serde that encodes to something else is refused', async () => {
  const log = await logWith('t');
  const odd = topic('t', { value: { encode: () => 5 as never, decode: () => 5 } });
  const sent = log.producer().send(odd, { value: 1 });
  await expect(sent).rejects.toThrow(/value serde of 't' must encode to .*got 5/);
  await expect(sent).rejects.toThrow(TypeError);
});

function errorOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
