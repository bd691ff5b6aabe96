import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isOpen } from '../../support/ports.ts';

export interface ServerProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
  /** The working folder, which is deleted with the server. */
  readonly folder: string;
}

/** A server in a process of its own. */
export interface ServerProcess {
  /** Kills the process; its files stay. */
  kill(): Promise<void>;
  /** Kills the process, and deletes its files. */
  remove(): Promise<void>;
}

const START_MS = 30_000;

export function newFolder(parent: string): string {
  return mkdtempSync(path.join(parent, 'server-'));
}

/** Starts a server; resolves when it listens. */
export async function startServer(options: ServerProcessOptions): Promise<ServerProcess> {
  const { command, args, env, port, folder } = options;
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  void exited.then(() => process.off('exit', kill));
  const server: ServerProcess = {
    async kill() {
      kill();
      await exited;
    },
    async remove() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const until = Date.now() + START_MS;
  while (!(await isOpen(port))) {
    const isLate = Date.now() > until;
    if (!isLate && child.exitCode === null) continue;
    await server.remove();
    throw new Error(`${[command, ...args].join(' ')} ${isLate ? 'does not listen' : 'has ended'}`);
  }
  return server;
}
