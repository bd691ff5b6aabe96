import { decodeStrictly, encodeInto } from './text-codec.ts';

/**
 * The longest text for which a loop over ASCII beats TextEncoder and TextDecoder. A call of these
 * costs some 400 ns in a browser: the loop is five times faster at 50 units, and no faster from 250
 * on.
 */
const LOOP_MAX_UNITS = 200;

/** Throws a `TypeError` at a lone surrogate, which has no UTF-8. */
export function checkUtf8(text: string): void {
  // `isWellFormed` is newer than the browsers served, and many times faster.
  const { isWellFormed } = text as { isWellFormed?: () => boolean };
  if (isWellFormed?.call(text) !== true) utf8Bytes(text);
}

/**
 * Bytes that `text` takes in UTF-8. Throws a `TypeError` at a lone surrogate, which has no UTF-8.
 */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 2;
    else {
      const low = unit < 0xdc00 ? text.charCodeAt(i + 1) : 0;
      if (!(low >= 0xdc00 && low <= 0xdfff)) {
        throw new TypeError(
          `a string with a lone surrogate (at ${i}) has no UTF-8: send bytes, or text.toWellFormed()`,
        );
      }
      bytes += 2;
      i++;
    }
  }
  return bytes;
}

/**
 * Writes `text` at `at` as UTF-8; `false` when it takes more than `size` bytes. With the text's
 * length as `size`, that is `false` for all text but ASCII.
 */
export function writeUtf8(bytes: Uint8Array, at: number, text: string, size: number): boolean {
  if (size === text.length && size <= LOOP_MAX_UNITS) {
    let bits = 0;
    for (let i = 0; i < size; i++) {
      const unit = text.charCodeAt(i);
      bits |= unit;
      bytes[at + i] = unit;
    }
    return bits < 0x80;
  }
  return encodeInto(text, bytes.subarray(at, at + size)) === text.length;
}

/** The text that `bytes` are in UTF-8. Throws a `TypeError` where they are not UTF-8. */
export function readUtf8(bytes: Uint8Array): string {
  return readAscii(bytes) ?? decodeStrictly(bytes);
}

/**
 * The text of ASCII bytes; `undefined` for other bytes, and for as many bytes as a decoder reads
 * faster.
 */
export function readAscii(bytes: Uint8Array): string | undefined {
  const size = bytes.length;
  if (size > LOOP_MAX_UNITS) return undefined;
  let bits = 0;
  for (let i = 0; i < size; i++) bits |= bytes[i]!;
  if (bits > 0x7f) return undefined;
  // Appending is twice as fast as `fromCharCode.apply`, which first makes an array of the bytes.
  let text = '';
  let i = 0;
  for (; i + 8 <= size; i += 8) {
    text += String.fromCharCode(
      bytes[i]!,
      bytes[i + 1]!,
      bytes[i + 2]!,
      bytes[i + 3]!,
      bytes[i + 4]!,
      bytes[i + 5]!,
      bytes[i + 6]!,
      bytes[i + 7]!,
    );
  }
  for (; i < size; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
