import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { isOpen } from './ports.ts';

/** A server that is a process of its own, which a test kills and starts again. */
export class ChildServer {
  readonly #port: number;
  readonly #spawn: () => ChildProcess;
  #child: ChildProcess | undefined;

  constructor(port: number, spawn: () => ChildProcess) {
    this.#port = port;
    this.#spawn = spawn;
  }

  /** Starts it, where it does not run; resolves when it listens. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const child = this.#spawn();
    this.#child = child;
    while (!(await isOpen(this.#port))) {
      if (child.exitCode !== null) throw new Error('the server does not start');
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
}
