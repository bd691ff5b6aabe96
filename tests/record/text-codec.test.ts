import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { decodeLeniently, decodeStrictly, encodeInto } from '../../src/record/text-codec.ts';

afterEach(() => vi.unstubAllGlobals());

/** As in Jest's jsdom. */
function removeCodecs(): void {
  vi.stubGlobal('TextEncoder', undefined);
  vi.stubGlobal('TextDecoder', undefined);
}

const anyText = fc.string({ unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text));

describe('without TextEncoder and TextDecoder', () => {
  test('text becomes the same bytes, as far as there is room, and the same text again', () => {
    fc.assert(
      fc.property(anyText, fc.nat(40), (text, room) => {
        const [fast, slow] = [new Uint8Array(room), new Uint8Array(room)];
        const read = encodeInto(text, fast);
        const whole = Buffer.from(text);
        removeCodecs();
        expect(encodeInto(text, slow)).toBe(read);
        expect(slow).toEqual(fast);
        expect(decodeStrictly(whole)).toBe(text);
        expect(decodeLeniently(whole)).toBe(text);
        vi.unstubAllGlobals();
      }),
    );
  });

  test('what is refused as UTF-8 is the same', () => {
    const outcome = (bytes: Uint8Array): string => {
      try {
        return decodeStrictly(bytes);
      } catch (error) {
        return (error as Error).name;
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ max: 255, maxLength: 6 }), (bytes) => {
        const fast = outcome(bytes);
        removeCodecs();
        expect(outcome(bytes)).toBe(fast);
        vi.unstubAllGlobals();
      }),
    );
  });

  test('what is not UTF-8 is replaced where that is good enough', () => {
    const bytes = Uint8Array.of(0x61, 0xff, 0x62);
    expect(decodeLeniently(bytes)).toBe('a\ufffdb');
    removeCodecs();
    expect(decodeLeniently(bytes)).toBe('a\ufffdb');
  });
});
