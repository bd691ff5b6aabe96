/**
 * Tells values apart by what they are, because those of another realm (a frame, jsdom, Jest's sandbox)
 * have classes of their own, and `instanceof` of this realm's is false. The class is asked first all
 * the same where records pass: it is faster.
 */

const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!;

/** A Uint8Array, a Node `Buffer` included. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || typedArrayName.get!.call(value) === 'Uint8Array';
}

/** The time of a `Date`, NaN where that is invalid; `undefined` for anything else. */
export function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return Date.prototype.getTime.call(value);
  } catch {
    return undefined; // the method is for Dates alone, those of other realms included
  }
}

export function isRegExp(value: unknown): value is RegExp {
  return value instanceof RegExp || tagOf(value) === 'RegExp';
}

/** An `Error`, a `DOMException` included. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || tagOf(value) === 'Error' || tagOf(value) === 'DOMException';
}

export function isAbortSignal(value: unknown): value is AbortSignal {
  const signal = value as Partial<AbortSignal> | null | undefined;
  return typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function';
}

/** A `Blob`, a `File` included; happy-dom's have no tag. */
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
