import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright';
import type { Browser, BrowserContext, Page } from 'playwright';
import { BROWSER_ARGS, findBrowser } from './find-browser.mjs';

/** A browser with a profile on disk, so that IndexedDB is on disk too. */
export interface Profile {
  /** Starts the browser on the profile, or again after `quit`. */
  start(): Promise<BrowserContext>;
  quit(): Promise<void>;
  /** Kills the browser's processes, as a crash would. */
  kill(): Promise<void>;
  /** Quits, and deletes the profile. */
  remove(): Promise<void>;
}

/** Starts a browser whose contexts keep their data in memory. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = await findBrowser();
  return chromium.launch({
    args: BROWSER_ARGS,
    ...(executablePath !== undefined && { executablePath }),
  });
}

export async function newProfile(): Promise<Profile> {
  const folder = await mkdtemp(join(tmpdir(), 'tablog-profile-'));
  const executablePath = await findBrowser();
  let context: BrowserContext | undefined;
  const quit = async (): Promise<void> => {
    await context?.close();
    context = undefined;
  };
  return {
    async start() {
      context = await chromium.launchPersistentContext(folder, {
        args: BROWSER_ARGS,
        ...(executablePath !== undefined && { executablePath }),
      });
      return context;
    },
    quit,
    async kill() {
      const killed = context!;
      const closed = new Promise((resolve) => killed.once('close', resolve));
      const session = await killed.browser()!.newBrowserCDPSession();
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      for (const { id } of processInfo) process.kill(id, 'SIGKILL');
      await closed;
      context = undefined;
      await rm(join(folder, 'SingletonLock'), { force: true });
    },
    async remove() {
      await quit();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Opens a tab on the page, and waits until the page's script has set `window.api`. */
export async function newTab(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction('window.api !== undefined');
  return page;
}
