/// <reference lib="esnext.disposable" preserve="true" />

/**
 * A handle that is open until `close()`. `await using` closes the handle at the end of its block.
 */
export interface Closable extends AsyncDisposable {
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * WebKit has no `Symbol.asyncDispose`. Code that esbuild, Babel or SWC compiles from `await using`
 * falls back to `Symbol.for('Symbol.asyncDispose')`.
 */
const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ??
  (Symbol.for('Symbol.asyncDispose') as unknown as typeof Symbol.asyncDispose);

/** The base of every handle: `await using` calls its `close`, in every engine. */
export const Closable: abstract new () => Closable = class {
  declare readonly close: () => Promise<void>;

  [asyncDispose](): Promise<void> {
    return this.close();
  }
};

/**
 * Makes a handle work behind any Proxy, which reactive libraries put around values. Private fields
 * exist on the real object only, so a method called on a Proxy throws a `TypeError`
 * (https://tc39.es/ecma262/#sec-privatefieldget). The handle therefore gets its methods and getters
 * as own properties bound to itself. The properties are not enumerable, so that copies leave them
 * out.
 *
 * A constructor calls `bindFacade` first. The call costs time per handle, never per record.
 */
export function bindFacade(handle: object): void {
  const prototype = Object.getPrototypeOf(handle) as object;
  for (const key of Reflect.ownKeys(prototype)) {
    if (key === 'constructor') continue;
    const { value, get } = Object.getOwnPropertyDescriptor(prototype, key) as Member;
    const bound: PropertyDescriptor =
      get === undefined
        ? { value: value!.bind(handle), writable: true }
        : { get: get.bind(handle) };
    // A Proxy's `get` may return another value than the target's only for configurable properties.
    Object.defineProperty(handle, key, { ...bound, configurable: true });
  }
  // Vue never wraps objects with this mark
  // (https://vuejs.org/api/reactivity-advanced.html#markraw).
  Object.defineProperty(handle, '__v_skip', { value: true, configurable: true });
}

interface Member {
  readonly value?: (this: unknown) => unknown;
  readonly get?: (this: unknown) => unknown;
}
