import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright';
import type { Engine, RunningBrowser, StartOptions } from '../engines/engine.ts';
import { killAll } from '../engines/processes.ts';
import { selectedEngine } from '../engines/engines.ts';

/** A browser with a profile on disk, so that IndexedDB is on disk too. */
export interface Profile {
  readonly folder: string;
  /** Starts the browser on the profile, or again after `quit`. */
  start(options?: StartOptions): Promise<BrowserContext>;
  quit(): Promise<void>;
  /** Kills the browser's processes, as a crash would. */
  kill(): Promise<void>;
  /** Crashes the process of one tab. */
  crash(page: Page): Promise<void>;
  /** Clears the databases of the tab's origin, as the browser's settings do. */
  clearDatabases(page: Page): Promise<void>;
  /** The id of the process that runs a tab. */
  processOf(page: Page): Promise<number>;
  /** Stops all of the browser's processes while `work` runs, as a machine that sleeps does. */
  suspend(work: () => Promise<unknown>): Promise<void>;
  /** Quits, and deletes the profile. */
  remove(): Promise<void>;
}

/** Starts a browser whose contexts keep their data in memory. */
export async function startBrowser(): Promise<Browser> {
  return (await selectedEngine()).startWithoutProfile();
}

/** A new profile of the engine that is tested. `parent`: the folder that it lies in. */
export async function newProfile(parent: string = tmpdir()): Promise<Profile> {
  return profileOf(await selectedEngine(), parent);
}

/** A new profile of an engine. `parent`: the folder that it lies in. */
export async function profileOf(engine: Engine, parent: string = tmpdir()): Promise<Profile> {
  const folder = await mkdtemp(join(parent, 'tablog-profile-'));
  let running: RunningBrowser | undefined;
  const quit = async (): Promise<void> => {
    await running?.close();
    running = undefined;
  };
  return {
    folder,
    async start(options) {
      running = await engine.start(folder, options);
      return running.context;
    },
    quit,
    async kill() {
      await running!.kill();
      running = undefined;
    },
    crash: (page) => running!.crash(page),
    clearDatabases: (page) => running!.clearDatabases(page),
    processOf: (page) => running!.processOf(page),
    async suspend(work) {
      const pids = await running!.processes();
      killAll(pids, 'SIGSTOP');
      try {
        await work();
      } finally {
        killAll(pids, 'SIGCONT');
      }
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
