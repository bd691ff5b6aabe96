import type { Header } from '../record/record-cursor.ts';

/** A key or a value as JSON can have it. */
export function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? jsonBytes(value) : value;
}

export function jsonHeaders(headers: readonly Header[]): unknown[] {
  return headers.map(([name, value]) => [name, jsonValue(value)]);
}

/** Text where the bytes are UTF-8, as nearly all are that people look at. */
function jsonBytes(bytes: Uint8Array): unknown {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    let binary = '';
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return { base64: btoa(binary) };
  }
}
