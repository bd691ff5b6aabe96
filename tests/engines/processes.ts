import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The process and all that it has started, the process first. Not for Windows. */
export async function processTree(root: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const tree = [root];
  for (const parent of tree) {
    for (const [pid, ppid] of pairs) if (ppid === parent) tree.push(pid);
  }
  return tree;
}

/** Ends the processes that still run. */
export function killAll(pids: readonly number[], signal: NodeJS.Signals = 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Kills a process that another one has started; resolves when it has ended. */
export async function killAndWait(pid: number): Promise<void> {
  killAll([pid]);
  // Nobody but its parent is told of the end of a process.
  while (await isRunning(pid)) await sleep(10);
}

/** Resolves when the processes have ended by themselves, or after `ms`. */
export async function endWithin(pids: readonly number[], ms: number): Promise<void> {
  const end = performance.now() + ms;
  for (const pid of pids) {
    while (performance.now() < end && (await isRunning(pid))) await sleep(10);
  }
}

async function isRunning(pid: number): Promise<boolean> {
  const { stdout } = await run('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}
