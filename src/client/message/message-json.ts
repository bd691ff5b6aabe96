import { isBytes } from '../../base/brand.ts';
import type { Header } from '../../record/record-cursor.ts';
import { decodeStrictly } from '../../record/text-codec.ts';

/** A key or a value in a form that JSON can express. */
export function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return isBytes(value) ? jsonBytes(value) : value;
}

export function jsonHeaders(headers: readonly Header[]): unknown[] {
  return headers.map(([name, value]) => [name, jsonValue(value)]);
}

/**
 * Bytes as text where they are valid UTF-8, as logged bytes mostly are; otherwise as `{ base64 }`.
 */
function jsonBytes(bytes: Uint8Array): unknown {
  try {
    return decodeStrictly(bytes);
  } catch {
    let binary = '';
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return { base64: btoa(binary) };
  }
}
