import { LOAD_FAILED } from './error-rules.ts';
import { TablogError } from './error.ts';
import { errorText } from './error-text.ts';

/**
 * A part of the tab's code in a file of its own, which a page does not need to begin. `openLog`
 * loads every part while the worker starts, so that a page that goes offline later has its code.
 */
export class LazyModule<Module extends object> {
  readonly #name: string;
  readonly #import: () => Promise<Module>;
  #loading: Promise<Module> | undefined;
  #loaded: Module | undefined;

  /** `name` is the part's name in errors: 'transactions'. */
  constructor(name: string, load: () => Promise<Module>) {
    this.#name = name;
    this.#import = load;
  }

  /**
   * The part, for callers that must not wait; `undefined` until it is loaded, which it is in a log
   * that `openLog` has opened.
   */
  get loaded(): Module | undefined {
    return this.#loaded;
  }

  /** Loads the part, once. Throws `LOAD_FAILED`; the next call tries again. */
  load(): Promise<Module> {
    if (this.#loading === undefined) {
      const loading = this.#attempt();
      loading.catch(() => {
        if (this.#loading === loading) this.#loading = undefined;
      });
      this.#loading = loading;
    }
    return this.#loading;
  }

  /**
   * Provides the module, so that `load()` needs no `import()`, which service workers do not have
   * (https://github.com/w3c/ServiceWorker/issues/1356).
   */
  provide(module: Module): void {
    this.#loaded = module;
    this.#loading = Promise.resolve(module);
  }

  /** The part, for callers that cannot wait: `openLog` has loaded it. Throws `LOAD_FAILED`. */
  mustGet(): Module {
    if (this.#loaded === undefined) throw this.failure('it was not loaded before');
    return this.#loaded;
  }

  /** `LOAD_FAILED`, with what could not be loaded. */
  failure(why: string, cause?: unknown): TablogError {
    const happened = `the code of ${this.#name} could not be loaded (${why})`;
    return new TablogError(LOAD_FAILED, happened, { cause, details: { part: this.#name } });
  }

  async #attempt(): Promise<Module> {
    try {
      return (this.#loaded = await this.#import());
    } catch (cause) {
      throw this.failure(errorText(cause), cause); // WebKit names no URL
    }
  }
}
