/// <reference lib="esnext.disposable" preserve="true" />

/** What lasts until it is closed; `await using` closes it where a block ends. */
export interface Closable extends AsyncDisposable {
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * WebKit has no `Symbol.asyncDispose`. What esbuild, Babel and SWC make of `await using` looks for the
 * registered symbol of the same name there.
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
