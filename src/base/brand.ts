/**
 * Checks of built-in types that also hold for values of another realm: a frame, jsdom, Jest's
 * sandbox. Each realm has classes of its own, so `instanceof` is false for another realm's values.
 * Checks that run for every record try `instanceof` first, because it is faster.
 */

const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!;

/** Whether the value is a `Uint8Array`; a Node `Buffer` is one. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || typedArrayName.get!.call(value) === 'Uint8Array';
}

/** Whether the value is an `ArrayBuffer`. */
export function isBuffer(value: unknown): value is ArrayBuffer {
  return value instanceof ArrayBuffer || tagOf(value) === 'ArrayBuffer';
}

/**
 * The time of a `Date` in milliseconds, NaN where the date is invalid; `undefined` for anything
 * else.
 */
export function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return Date.prototype.getTime.call(value);
  } catch {
    return undefined; // no Date; `getTime` accepts dates of every realm
  }
}

export function isRegExp(value: unknown): value is RegExp {
  return value instanceof RegExp || tagOf(value) === 'RegExp';
}

/** Whether the value is an `Error` or a `DOMException`. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || tagOf(value) === 'Error' || tagOf(value) === 'DOMException';
}

export function isAbortSignal(value: unknown): value is AbortSignal {
  const signal = value as Partial<AbortSignal> | null | undefined;
  return typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function';
}

/**
 * Whether the value is a `Blob` or a `File`. The shape is checked, because happy-dom's Blob has no
 * tag.
 */
export function isBlob(value: unknown): value is Blob {
  const { size, type, slice } = (value ?? {}) as Partial<Blob>;
  return typeof size === 'number' && typeof type === 'string' && typeof slice === 'function';
}

export function isReadableStream(value: unknown): value is ReadableStream {
  return typeof (value as Partial<ReadableStream> | null | undefined)?.getReader === 'function';
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function';
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
