import { LOAD_FAILED } from './error-rules.ts';
import { TablogError } from './error.ts';
import { errorText } from './error-text.ts';

/**
 * A part of the tab's code in a file of its own, which the page's first bundle does not include.
 * `openLog` loads every part while the worker starts, so that a page that goes offline later has
 * all code.
 */
export class LazyModule<Module extends object> {
  readonly #name: string;
  readonly #import: () => Promise<Module>;
  #loading: Promise<Module> | undefined;
  #loaded: Module | undefined;

  /** `name`: the part's name in errors, such as 'transactions'. */
  constructor(name: string, load: () => Promise<Module>) {
    this.#name = name;
    this.#import = load;
  }

  /**
   * Loads the part. All calls share one load. Throws `LOAD_FAILED`; the next call then loads again.
   */
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
   * Provides the module, so that `load()` needs no `import()`. Service workers have no `import()`
   * (https://github.com/w3c/ServiceWorker/issues/1356).
   */
  provide(module: Module): void {
    this.#loaded = module;
    this.#loading = Promise.resolve(module);
  }

  /**
   * The part, for synchronous callers in an open log, whose `openLog` has loaded the part. Throws
   * `LOAD_FAILED`.
   */
  mustGet(): Module {
    if (this.#loaded === undefined) throw this.failure('it was not loaded before');
    return this.#loaded;
  }

  /** A `LOAD_FAILED` error that names the part. */
  failure(why: string, cause?: unknown): TablogError {
    const happened = `the code of ${this.#name} could not be loaded (${why})`;
    return new TablogError(LOAD_FAILED, happened, { cause, details: { part: this.#name } });
  }

  async #attempt(): Promise<Module> {
    try {
      return (this.#loaded = await this.#import());
    } catch (cause) {
      throw this.failure(errorText(cause), cause); // in WebKit the text names no URL
    }
  }
}
