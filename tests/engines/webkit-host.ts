import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endWithin, killAll, processTree } from './processes.ts';
import type { PageEvent } from './webkit-pages.ts';

/** Python of the system, which has the bindings of GTK; another Python in PATH has not. */
export const PYTHON = '/usr/bin/python3';

/** More than WebKit takes to end. */
const QUIT_MS = 10_000;

const HOST = fileURLToPath(new URL('webkit-host.py', import.meta.url));

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

interface Call {
  readonly name: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A running `webkit-host.py`, on a display of its own. */
export class WebKitHost {
  readonly #child: ChildProcess;
  readonly #display: ChildProcess;
  readonly #calls = new Map<number, Call>();
  readonly #listeners = new Map<number, (event: PageEvent) => void>();
  #lastCall = 0;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly version: Promise<string>;

  private constructor(child: ChildProcess, display: ChildProcess) {
    this.#child = child;
    this.#display = display;
    let complaints = '';
    child.stderr!.on('data', (text) => (complaints += String(text)));
    child.stdin!.on('error', () => {}); // the process has ended, which `ended` tells
    this.ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#display.kill();
        for (const { name, reject } of this.#calls.values()) {
          reject(new Error(`WebKit ended during ${name}\n${complaints}`));
        }
        this.#calls.clear();
        resolve();
      });
    });
    this.version = new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(`WebKit did not start\n${complaints}`)));
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const message = JSON.parse(line) as Answer | ({ readonly tab: number } & PageEvent);
        if ('id' in message) this.#settle(message);
        else if ('version' in message) resolve(String(message.version));
        else this.#listeners.get(message.tab)?.(message);
      });
    });
  }

  static async start(args: readonly string[]): Promise<WebKitHost> {
    const display = spawn(
      'Xvfb',
      ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'],
      {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      },
    );
    const number = await new Promise<string>((resolve, reject) => {
      display.once('error', reject);
      display.once('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)));
      display.stdio[3]!.once('data', (text) => resolve(String(text).trim()));
    });
    const child = spawn(PYTHON, [HOST, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...process.env,
        DISPLAY: `:${number}`,
        GDK_BACKEND: 'x11',
        LIBGL_ALWAYS_SOFTWARE: '1',
        NO_AT_BRIDGE: '1',
        WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      },
    });
    const host = new WebKitHost(child, display);
    await host.version;
    return host;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  call<T>(name: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    const id = ++this.#lastCall;
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(id, { name, resolve: resolve as Call['resolve'], reject });
      this.#child.stdin!.write(`${JSON.stringify({ id, call: name, ...args })}\n`);
    });
  }

  listen(tab: number, listener: (event: PageEvent) => void): void {
    this.#listeners.set(tab, listener);
  }

  async quit(): Promise<void> {
    const tree = await processTree(this.#child.pid!);
    await this.call('quit');
    await this.ended;
    // WebKit's processes write what is left of the localStorage, and end by themselves.
    await endWithin(tree, QUIT_MS);
    killAll(tree);
  }

  async kill(): Promise<void> {
    killAll(await processTree(this.#child.pid!));
    await this.ended;
  }

  #settle({ id, value, error }: Answer): void {
    const call = this.#calls.get(id)!;
    this.#calls.delete(id);
    if (error === undefined) call.resolve(value);
    else call.reject(new Error(`${call.name}: ${error}`));
  }
}
