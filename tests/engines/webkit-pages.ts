import { EventEmitter } from 'node:events';
import type { BrowserContext, ConsoleMessage, Page } from 'playwright';
import type { WebKitHost } from './webkit-host.ts';

type Binding = (source: unknown, ...args: unknown[]) => unknown;

/**
 * The part of Playwright's `BrowserContext` and `Page` that the tests use of WebKitGTK, over a
 * `WebKitHost`. A method that is missing throws an error with its name.
 */
class GtkContext extends EventEmitter {
  readonly #host: WebKitHost;
  readonly #id: number;
  readonly #bindings = new Map<string, Binding>();
  readonly #pages: GtkPage[] = [];
  #isClosed = false;

  constructor(host: WebKitHost, id: number) {
    super();
    this.#host = host;
    this.#id = id;
    void host.ended.then(() => this.#end());
  }

  async newPage(): Promise<Page> {
    const tab = await this.#host.call<number>('newTab', { context: this.#id });
    const page = new GtkPage(this.#host, tab, this);
    this.#pages.push(page);
    page.once('close', () => this.#pages.splice(this.#pages.indexOf(page), 1));
    return asPage(page);
  }

  pages(): Page[] {
    return this.#pages.map(asPage);
  }

  async addInitScript(script: string | (() => unknown)): Promise<void> {
    const source = typeof script === 'string' ? script : `(${script.toString()})()`;
    await this.#host.call('addInitScript', { context: this.#id, source });
  }

  async exposeBinding(name: string, binding: Binding): Promise<void> {
    this.#bindings.set(name, binding);
    await this.addInitScript(bindingScript(name));
  }

  /** Runs a binding that a page called; returns the script that answers the page. */
  async answer(page: GtkPage, { name, call, args }: BindingCall): Promise<string> {
    const value: unknown = await this.#bindings.get(name)!({ page }, ...args);
    return `__hostAnswers[${call}](${JSON.stringify(value ?? null)})`;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#host.call('closeContext', { context: this.#id });
    this.#end();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.emit('close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface BindingCall {
  readonly name: string;
  readonly call: number;
  readonly args: readonly unknown[];
}

/** An event that the host tells of a page. */
export type PageEvent =
  | { readonly event: 'pageerror'; readonly text: string }
  | { readonly event: 'console'; readonly type: string; readonly text: string }
  | { readonly event: 'crash' }
  | ({ readonly event: 'binding' } & BindingCall);

class GtkPage extends EventEmitter {
  readonly #host: WebKitHost;
  readonly #tab: number;
  readonly #context: GtkContext;
  /** The answers to calls of pages that were left. */
  readonly #unanswered = new Set<string>();

  constructor(host: WebKitHost, tab: number, context: GtkContext) {
    super();
    this.#host = host;
    this.#tab = tab;
    this.#context = context;
    host.listen(tab, (event) => this.#hear(event));
  }

  get tab(): number {
    return this.#tab;
  }

  context(): GtkContext {
    return this.#context;
  }

  async goto(url: string): Promise<null> {
    return this.#load('goto', url);
  }

  async reload(): Promise<null> {
    return this.#load('reload');
  }

  async goBack(): Promise<null> {
    return this.#load('back');
  }

  async evaluate(work: string | ((arg: unknown) => unknown), arg?: unknown): Promise<unknown> {
    const given = arg === undefined ? '' : JSON.stringify(arg);
    const expression = typeof work === 'string' ? work : `(${work.toString()})(${given})`;
    const body = `try {
      const value = await (${expression});
      try {
        return JSON.stringify({ value });
      } catch {
        return '{}'; // what cannot leave the page, such as its window, is undefined outside
      }
    } catch (error) {
      return JSON.stringify({ error: { message: String(error), stack: error?.stack } });
    }`;
    const answer = await this.#host.call<string>('evaluate', { tab: this.#tab, body });
    const { value, error } = JSON.parse(answer) as {
      value?: unknown;
      error?: { message: string; stack?: string };
    };
    if (error !== undefined) throw new Error(`page.evaluate: ${error.message}\n${error.stack}`);
    return value;
  }

  /** Waits within the page, so that the wait costs no calls. */
  async waitForFunction(work: string | ((arg: unknown) => unknown), arg?: unknown): Promise<void> {
    const given = arg === undefined ? '' : JSON.stringify(arg);
    const condition = typeof work === 'string' ? `(${work})` : `(${work.toString()})(${given})`;
    await this.evaluate(`(async () => {
      while (!(await ${condition})) await new Promise((resolve) => setTimeout(resolve, 20));
    })()`);
  }

  async waitForEvent(event: 'console', fits: (message: ConsoleMessage) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const listener = (message: ConsoleMessage): void => {
        if (!fits(message)) return;
        this.off(event, listener);
        resolve();
      };
      this.on(event, listener);
    });
  }

  async addInitScript(script: string | (() => unknown)): Promise<void> {
    const source = typeof script === 'string' ? script : `(${script.toString()})()`;
    await this.#host.call('addInitScript', { tab: this.#tab, source });
  }

  async title(): Promise<string> {
    return (await this.evaluate('document.title')) as string;
  }

  async close(): Promise<void> {
    await this.#host.call('closeTab', { tab: this.#tab });
    this.emit('close');
  }

  async #load(how: 'goto' | 'reload' | 'back', url?: string): Promise<null> {
    await this.#host.call('load', { tab: this.#tab, how, ...(url !== undefined && { url }) });
    const scripts = [...this.#unanswered];
    this.#unanswered.clear();
    await Promise.all(scripts.map((script) => this.#answer(script)));
    return null;
  }

  /** Answers the page; one that was left may come back, and is answered then. */
  async #answer(script: string): Promise<void> {
    await this.evaluate(script).catch(() => this.#unanswered.add(script));
  }

  #hear(event: PageEvent): void {
    if (event.event === 'binding') {
      void this.#context.answer(this, event).then((script) => this.#answer(script));
    } else if (event.event === 'console') {
      const { type, text } = event;
      this.emit('console', { type: () => type, text: () => text });
    } else if (event.event === 'pageerror') {
      this.emit('pageerror', new Error(event.text));
    } else {
      this.emit('crash', asPage(this));
    }
  }
}

function bindingScript(name: string): string {
  return `(() => {
    globalThis.__hostAnswers ??= {};
    let calls = Math.floor(Math.random() * 1e9);
    globalThis[${JSON.stringify(name)}] = (...args) => new Promise((resolve) => {
      const call = ++calls;
      __hostAnswers[call] = resolve;
      __tellHost({ event: 'binding', name: ${JSON.stringify(name)}, call, args });
    });
  })()`;
}

/** A context as the tests see it. */
export function gtkContext(host: WebKitHost, id: number): BrowserContext {
  return strict(new GtkContext(host, id), 'browserContext') as unknown as BrowserContext;
}

const pages = new WeakMap<GtkPage, Page>();

function asPage(page: GtkPage): Page {
  let strictPage = pages.get(page);
  if (strictPage === undefined) {
    strictPage = strict(page, 'page') as unknown as Page;
    pages.set(page, strictPage);
  }
  return strictPage;
}

/** The host's number of a page. */
export function tabOf(page: unknown): number {
  return (page as GtkPage).tab;
}

/** `object`, whose missing methods are an error that says so. */
function strict<T extends object>(object: T, name: string): T {
  return new Proxy(object, {
    get(target, key) {
      if (key === 'then') return undefined; // it is no promise
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value === 'function') return value.bind(target) as unknown;
      if (value !== undefined || typeof key === 'symbol') return value;
      throw new Error(
        `the driver of WebKitGTK has no ${name}.${key}(): say that the test needs it`,
      );
    },
  });
}
