import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor, Run } from './run.ts';

/**
 * Stops the process of a tab, and lets it go on after `ms`. Tabs of the same process stop with it,
 * and so does a SharedWorker in it.
 */
export async function suspend(run: Run, { page }: Actor, ms: number): Promise<void> {
  const pid = await run.profile.processOf(page);
  process.kill(pid, 'SIGSTOP');
  try {
    await sleep(ms);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}
