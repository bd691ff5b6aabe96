import { LOAD_FAILED } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { errorText } from '../base/error-text.ts';

/**
 * A part of the tab's code that is a file of its own, so that a page can begin without it. `openLog`
 * loads every part beside the worker's start: a page that is offline later has its code.
 */
export class Part<Module extends object> {
  readonly #name: string;
  readonly #import: () => Promise<Module>;
  #loading: Promise<Module> | undefined;

  /** `name` is how an error calls it: 'transactions'. */
  constructor(name: string, load: () => Promise<Module>) {
    this.#name = name;
    this.#import = load;
  }

  /** The part: loaded at the first call, and kept. Throws `LOAD_FAILED`; the next call asks again. */
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

  /** Keeps `module` as the part, so that `import()` is not called: a service worker must not. */
  have(module: Module): void {
    this.#loading = Promise.resolve(module);
  }

  /** `LOAD_FAILED`, which tells what could not be loaded. */
  failure(why: string, cause?: unknown): TablogError {
    const happened = `the code of ${this.#name} could not be loaded (${why})`;
    return new TablogError(LOAD_FAILED, happened, { cause, details: { part: this.#name } });
  }

  async #attempt(): Promise<Module> {
    try {
      return await this.#import();
    } catch (cause) {
      throw this.failure(errorText(cause), cause); // Chromium and Firefox name the URL, WebKit does not
    }
  }
}
