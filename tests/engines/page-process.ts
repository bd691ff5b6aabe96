import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright';
import { processTree } from './processes.ts';

/** How long the page is busy, in milliseconds. */
const BUSY_MS = 500;

/**
 * The id of the process that runs a page: of the browser's processes, the one that uses a processor
 * while the page does. For browsers that do not tell; by Linux' `/proc`.
 */
export async function processOf(page: Page, browser: number): Promise<number> {
  for (;;) {
    const before = await ticksOf(await processTree(browser));
    await page.evaluate((busyMs) => {
      const end = performance.now() + busyMs;
      while (performance.now() < end);
    }, BUSY_MS);
    const after = await ticksOf([...before.keys()]);
    const used = [...after]
      .map(([pid, ticks]) => ({ pid, ticks: ticks - before.get(pid)! }))
      .sort((a, b) => b.ticks - a.ticks);
    const [first, second] = used;
    // Another process that is busy as well leaves it open which of the two is the page's.
    if (first!.ticks > 2 * second!.ticks) return first!.pid;
  }
}

/** The processor time of each process, in ticks of 10 ms. */
async function ticksOf(pids: readonly number[]): Promise<Map<number, number>> {
  const ticks = new Map<number, number>();
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined) continue; // it has ended
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks.set(pid, Number(fields[11]) + Number(fields[12]));
  }
  return ticks;
}
