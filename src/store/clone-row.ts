import { isRegExp } from '../base/brand.ts';

/**
 * A copy of a row, as IndexedDB would store it. A row consists of primitive values, plain objects,
 * arrays, buffers, typed arrays and regular expressions; any other value throws a `TypeError`.
 * `structuredClone` is slower, and Jest's jsdom does not have it.
 */
export function cloneRow<T>(value: T): T {
  return clone(value) as T;
}

function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    if (typeof value !== 'function' && typeof value !== 'symbol') return value;
    throw notCloneable(value);
  }
  if (Array.isArray(value)) return value.map(clone);
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice();
  switch (Object.prototype.toString.call(value)) {
    case '[object Object]': {
      const copy: Record<string, unknown> = {};
      for (const key of Object.keys(value)) {
        const field = clone((value as typeof copy)[key]);
        if (key === '__proto__') ownProto(copy, field);
        else copy[key] = field;
      }
      return copy;
    }
    case '[object ArrayBuffer]':
      return (value as ArrayBuffer).slice(0);
    default:
      if (isRegExp(value)) return new RegExp(value.source, value.flags);
      throw notCloneable(value);
  }
}

/** An assignment would set the prototype; structured cloning makes a property of its own. */
function ownProto(copy: object, value: unknown): void {
  const attributes = { configurable: true, enumerable: true, writable: true };
  Object.defineProperty(copy, '__proto__', { ...attributes, value });
}

function notCloneable(value: object | symbol): TypeError {
  return new TypeError(`a row cannot hold ${Object.prototype.toString.call(value)}`);
}
