import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { isOpen } from './ports.ts';
import { clockEnv } from './shifted-clock.ts';

/** A server that is a process of its own, which a test kills and starts again. */
export class ChildServer {
  readonly #port: number;
  readonly #spawn: (env: NodeJS.ProcessEnv) => ChildProcess;
  #child: ChildProcess | undefined;
  #aheadMs = 0;

  /** `spawn` starts the process with the environment that it is given. */
  constructor(port: number, spawn: (env: NodeJS.ProcessEnv) => ChildProcess) {
    this.#port = port;
    this.#spawn = spawn;
  }

  /** Starts it, where it does not run; resolves when it listens. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const child = this.#spawn({ ...process.env, ...clockEnv(this.#aheadMs) });
    this.#child = child;
    child.once('exit', (code, signal) => {
      if (this.#child !== child) return; // it was killed
      // As a supervisor would: the next start is another process.
      this.#child = undefined;
      console.error(`the server at ${this.#port} has ended by itself: ${code ?? signal}`);
    });
    while (!(await isOpen(this.#port))) {
      if (this.#child !== child) throw new Error('the server does not start');
    }
  }

  /** Resolves to whether it ran. */
  async kill(): Promise<boolean> {
    const child = this.#child;
    if (child === undefined) return false;
    this.#child = undefined;
    child.kill('SIGKILL');
    await once(child, 'exit');
    return true;
  }

  /** Sets its clock forth: one of Node has it from its next start on. */
  passTime(ms: number): void {
    this.#aheadMs += ms;
  }
}
