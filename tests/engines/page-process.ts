import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright';
import { processTree } from './processes.ts';

/** More than any process allocates by itself meanwhile. */
const BALLAST_BYTES = 128 * 1024 * 1024;

const PAGE_BYTES = 4_096;

/**
 * The id of the process that runs a page: of the browser's processes, the one that grows when the
 * page allocates. For browsers that do not tell; by Linux' `/proc`.
 */
export async function processOf(page: Page, browser: number): Promise<number> {
  const before = await sizesOf(await processTree(browser));
  await page.evaluate((bytes) => {
    Object.assign(globalThis, { ballast: new Uint8Array(bytes).fill(1) });
  }, BALLAST_BYTES);
  const after = await sizesOf([...before.keys()]);
  await page.evaluate(() => void Object.assign(globalThis, { ballast: undefined }));
  const grown = [...after].filter(([pid, bytes]) => bytes - before.get(pid)! > BALLAST_BYTES / 2);
  if (grown.length !== 1) throw new Error(`${grown.length} processes have grown with the page`);
  return grown[0]![0];
}

/** The memory of each process in bytes. */
async function sizesOf(pids: readonly number[]): Promise<Map<number, number>> {
  const sizes = new Map<number, number>();
  for (const pid of pids) {
    const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => undefined);
    if (statm === undefined) continue; // it has ended
    sizes.set(pid, Number(statm.split(' ')[1]) * PAGE_BYTES);
  }
  return sizes;
}
