import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright';
import type { BrowserContext, LaunchOptions, Page } from 'playwright';
import { BROWSER_ARGS, lookForBrowser } from '../support/find-browser.mjs';
import type { Engine, EngineName, RunningBrowser } from './engine.ts';
import { killAll, processTree } from './processes.ts';

const run = promisify(execFile);

/** The backend of IndexedDB that Chrome moves to. */
const SQLITE = '--enable-features=IdbSqliteBackingStore';

export async function findChromium(name: EngineName): Promise<Engine | undefined> {
  const executablePath = await lookForBrowser();
  if (executablePath === undefined) return undefined;
  const { stdout } = await run(executablePath, ['--version']);
  const isSqlite = name === 'chromium-sqlite';
  const launch: LaunchOptions = {
    executablePath,
    args: isSqlite ? [...BROWSER_ARGS, SQLITE] : BROWSER_ARGS,
  };
  const [, browser = 'Chromium', version = ''] = /(Chrom\w+)\D+([\d.]+)/.exec(stdout) ?? [];
  return {
    name,
    version: `${browser} ${version}, ${isSqlite ? 'SQLite' : 'LevelDB'}`,
    launch,
    lacks: {},
    start: (profile, { isPrivate = false } = {}) =>
      isPrivate ? startPrivate(launch) : start(launch, profile),
    startWithoutProfile: () => chromium.launch(launch),
  };
}

async function start(launch: LaunchOptions, profile: string): Promise<RunningBrowser> {
  const context = await chromium.launchPersistentContext(profile, launch);
  return running(context, () => context.close(), profile);
}

/** A context without a profile is what an incognito window is. */
async function startPrivate(launch: LaunchOptions): Promise<RunningBrowser> {
  const browser = await chromium.launch(launch);
  return running(await browser.newContext(), () => browser.close());
}

function running(
  context: BrowserContext,
  close: () => Promise<void>,
  profile?: string,
): RunningBrowser {
  const browserProcess = browserProcessOf(context);
  browserProcess.catch(() => {}); // a browser that ends at once; who needs the process has the error
  const processes = async (): Promise<readonly number[]> => processTree(await browserProcess);
  return {
    context,
    close,
    processes,
    async kill() {
      const closed = new Promise((resolve) => context.once('close', resolve));
      killAll(await processes());
      await closed;
      if (profile !== undefined) await rm(join(profile, 'SingletonLock'), { force: true });
    },
    crash,
    clearDatabases,
    processOf,
  };
}

/** Asked at the start, as a browser that is at work answers late. */
async function browserProcessOf(context: BrowserContext): Promise<number> {
  const session = await context.browser()!.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.find(({ type }) => type === 'browser')!.id;
}

async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  // The command has no answer, as the page that would answer is gone.
  session.send('Page.crash').catch(() => {});
  await crashed;
}

async function clearDatabases(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' });
  await session.detach();
}

/** Chromium keeps a spare process, so the newest one need not be the page's. */
async function processOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  const pids = new Set<number>();
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const entry of value as unknown as TraceEvent[]) {
      if (entry.name !== 'TracingStartedInBrowser') continue;
      for (const { processId } of entry.args.data.frames) pids.add(processId);
    }
  });
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['disabled-by-default-devtools.timeline'] },
  });
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  const [pid] = pids;
  if (pids.size !== 1) throw new Error(`a page of ${pids.size} processes`);
  return pid!;
}

interface TraceEvent {
  readonly name: string;
  readonly args: { readonly data: { readonly frames: readonly { readonly processId: number }[] } };
}
