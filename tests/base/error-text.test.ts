import { describe, expect, test } from 'vitest';
import { toTablogError } from '../../src/base/error.ts';
import { errorMessage, errorText } from '../../src/base/error-text.ts';

const face = '😀';

/** An error whose message cannot be read. */
function unreadable(): Error {
  return Object.defineProperty(new Error('x'), 'message', {
    get: () => {
      throw new Error('no message either');
    },
  });
}

const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

describe('the text of what was thrown', () => {
  test.each<[string, unknown, string]>([
    ['an error', new RangeError('too far'), 'RangeError: too far'],
    ['a text', 'just so', 'just so'],
    ['undefined', undefined, 'undefined'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an object without a prototype', Object.create(null), 'an error without a text'],
    ['an error with a message that throws', unreadable(), 'an error without a text'],
    ['a proxy that was revoked', revoked, 'an error without a text'],
    ['a text that is no text', { toString: () => ({}) }, 'an error without a text'],
    ['half a pair', `a${face[0]}b`, 'a\ufffdb'],
    ['the other half', `a${face[1]}b`, 'a\ufffdb'],
    ['a whole pair', face, face],
  ])('%s', (_, thrown, text) => {
    expect(errorText(thrown)).toBe(text);
  });

  test('is cut, but no pair in two', () => {
    expect(errorText('x'.repeat(20), 10)).toBe('x'.repeat(10));
    expect(errorText(`${'x'.repeat(9)}${face}`, 10)).toBe('x'.repeat(9));
    expect(errorText(`${'x'.repeat(8)}${face}`, 10)).toBe(`${'x'.repeat(8)}${face}`);
  });

  test('of V8 for JSON that begins with a pair can be written as UTF-8', () => {
    let thrown: unknown;
    try {
      JSON.parse(face);
    } catch (error) {
      thrown = error;
    }
    const text = errorText(thrown);
    expect(new TextDecoder().decode(new TextEncoder().encode(text))).toBe(text);
  });

  test('is that of the message alone, where only that is wanted', () => {
    expect(errorMessage(new TypeError('alone'))).toBe('alone');
    expect(errorMessage(unreadable())).toBe('an error without a text');
    expect(errorMessage(revoked)).toBe('an error without a text');
  });

  test('is in a TablogError whatever was thrown', () => {
    for (const thrown of [Object.create(null), unreadable(), revoked, undefined]) {
      expect(toTablogError(thrown).code).toBe('INTERNAL');
    }
  });
});
