/**
 * Text as UTF-8, by TextEncoder and TextDecoder. Jest's jsdom has neither, so for tests in jsdom
 * there are replacements here, correct and slow.
 */

let encoder: TextEncoder | undefined;
let strict: TextDecoder | undefined;
let lenient: TextDecoder | undefined;

/** Writes as much of `text` as fits; returns the number of UTF-16 units written. */
export function encodeInto(text: string, into: Uint8Array): number {
  if (typeof TextEncoder === 'undefined') return writeSlowly(text, into);
  encoder ??= new TextEncoder();
  return encoder.encodeInto(text, into).read;
}

/** Decodes UTF-8. Throws a `TypeError` for bytes that are not UTF-8. */
export function decodeStrictly(bytes: Uint8Array): string {
  if (typeof TextDecoder === 'undefined') return readSlowly(bytes);
  strict ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return strict.decode(bytes);
}

/** Decodes UTF-8, with U+FFFD in place of bytes that are not UTF-8. */
export function decodeLeniently(bytes: Uint8Array): string {
  if (typeof TextDecoder !== 'undefined') {
    lenient ??= new TextDecoder('utf-8', { ignoreBOM: true });
    return lenient.decode(bytes);
  }
  try {
    return readSlowly(bytes);
  } catch {
    return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : '\ufffd')).join(
      '',
    );
  }
}

function writeSlowly(text: string, into: Uint8Array): number {
  let at = 0;
  let read = 0;
  for (const char of text) {
    const escaped = encodeURIComponent(char); // '%E4%B8%96', or the character itself
    const bytes = escaped.startsWith('%')
      ? escaped
          .slice(1)
          .split('%')
          .map((hex) => Number.parseInt(hex, 16))
      : [char.charCodeAt(0)];
    if (at + bytes.length > into.length) break;
    into.set(bytes, at);
    at += bytes.length;
    read += char.length;
  }
  return read;
}

function readSlowly(bytes: Uint8Array): string {
  const escaped = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`);
  try {
    return decodeURIComponent(escaped.join(''));
  } catch (cause) {
    throw new TypeError('the bytes are not UTF-8', { cause });
  }
}
