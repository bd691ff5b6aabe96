import { isBuffer, isRegExp } from '../../base/brand.ts';

/**
 * A row's value as SQLite stores it: a buffer as a BLOB, and everything else as JSON, which the
 * tools of SQLite can read. What JSON has no words for is an object with `$`, the name of its type:
 *
 *     undefined       {"$":"undefined"}
 *     NaN, -0, ∞      {"$":"number","of":"NaN"}
 *     a buffer        {"$":"ArrayBuffer","of":"base64"}, and so a typed array by its class
 *     a RegExp        {"$":"RegExp","of":["source","flags"]}
 *     an object with  {"$":"Object","of":[[key, value], ...]}, where a key of its own begins with $
 */
export function encodeRow(value: unknown): string | ArrayBuffer {
  return isBuffer(value) ? value : JSON.stringify(toJson(value));
}

/** The value of a column. Throws a `SyntaxError` for text that is no JSON. */
export function decodeRow(column: unknown): unknown {
  if (typeof column === 'string') return fromJson(JSON.parse(column));
  return columnBuffer(column);
}

/** The bytes of a BLOB, as libraries return it; `undefined` for any other column. */
function columnBuffer(column: unknown): ArrayBuffer | undefined {
  if (isBuffer(column)) return column;
  if (!ArrayBuffer.isView(column)) return undefined;
  const { buffer, byteOffset, byteLength } = column;
  // A library can return a part of a buffer that it shares.
  return byteLength === buffer.byteLength
    ? (buffer as ArrayBuffer)
    : (buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
}

function toJson(value: unknown): unknown {
  if (typeof value === 'object') return value === null ? null : objectToJson(value);
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'undefined') return { $: 'undefined' };
  if (typeof value !== 'number') throw new TypeError(`a row cannot hold a ${typeof value}`);
  if (Object.is(value, -0)) return { $: 'number', of: '-0' };
  return Number.isFinite(value) ? value : { $: 'number', of: String(value) };
}

function objectToJson(value: object): unknown {
  if (Array.isArray(value)) return value.map(toJson);
  if (isBuffer(value)) return { $: 'ArrayBuffer', of: toBase64(new Uint8Array(value)) };
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { $: Object.prototype.toString.call(value).slice(8, -1), of: toBase64(bytes) };
  }
  if (isRegExp(value)) return { $: 'RegExp', of: [value.source, value.flags] };
  if (Object.prototype.toString.call(value) !== '[object Object]') {
    throw new TypeError(`a row cannot hold ${Object.prototype.toString.call(value)}`);
  }
  const entries = Object.entries(value).map(([key, field]) => [key, toJson(field)] as const);
  // `fromEntries` defines properties, so that '__proto__' is one as well.
  return entries.some(([key]) => key.startsWith('$'))
    ? { $: 'Object', of: entries }
    : Object.fromEntries(entries);
}

const TYPED_ARRAYS: Readonly<Record<string, new (buffer: ArrayBuffer) => ArrayBufferView>> = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

function fromJson(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(fromJson);
  const { $: type, of } = json as { readonly $?: string; readonly of?: never };
  if (type === undefined) return fromEntries(Object.entries(json));
  if (type === 'Object') return fromEntries(of!);
  if (type === 'undefined') return undefined;
  if (type === 'number') return Number(of);
  if (type === 'RegExp') return new RegExp(of![0], of![1]);
  const buffer = fromBase64(of!);
  const TypedArray = TYPED_ARRAYS[type];
  return TypedArray === undefined ? buffer : new TypedArray(buffer);
}

function fromEntries(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries.map(([key, field]) => [key, fromJson(field)]));
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text: string): ArrayBuffer {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}
