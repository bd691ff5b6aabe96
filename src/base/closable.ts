/// <reference lib="esnext.disposable" preserve="true" />

/** A handle that lasts until `close()`; `await using` closes the handle at the end of its block. */
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
