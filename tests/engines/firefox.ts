import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { firefox } from 'playwright';
import type { Browser, LaunchOptions, Page } from 'playwright';
import type { Engine, RunningBrowser, StartOptions } from './engine.ts';
import { processOf } from './page-process.ts';
import { killAll, killAndWait, processTree } from './processes.ts';

const run = promisify(execFile);

/** The names of a Firefox of the system. */
const NAMES = ['firefox-esr', 'firefox'];

const PROXY = fileURLToPath(new URL('firefox-bidi.mjs', import.meta.url));

/** Playwright's own Firefox if it is installed, else a Firefox of the system, by WebDriver BiDi. */
export async function findFirefox(): Promise<Engine | undefined> {
  const own = firefox.executablePath();
  if (existsSync(own)) return engineOf(own, {});
  for (const name of NAMES) {
    const path = `/usr/bin/${name}`;
    if (!existsSync(path)) continue;
    process.env['TABLOG_FIREFOX'] = path;
    return engineOf(path, { channel: 'moz-firefox', executablePath: PROXY });
  }
  return undefined;
}

async function engineOf(path: string, launch: LaunchOptions): Promise<Engine | undefined> {
  const { stdout } = await run(path, ['--version']);
  return {
    name: 'firefox',
    version: stdout.trim().replace(/^Mozilla /, ''),
    launch,
    lacks: {
      clear: 'WebDriver BiDi clears no databases',
      cdp: 'Firefox has no DevTools protocol of Chrome',
      ...(!existsSync('/proc/self/stat') && { crash: 'needs /proc of Linux' }),
    },
    start: (profile, options) => start(launch, profile, options),
    startWithoutProfile: () => startWithoutProfile(launch),
  };
}

async function start(
  launch: LaunchOptions,
  profile: string,
  { quotaBytes, isPrivate = false }: StartOptions = {},
): Promise<RunningBrowser> {
  const context = await firefox.launchPersistentContext(profile, {
    ...launch,
    firefoxUserPrefs: {
      ...PREFS,
      'browser.privatebrowsing.autostart': isPrivate,
      ...(quotaBytes !== undefined && {
        'dom.quotaManager.temporaryStorage.fixedLimit': Math.ceil(quotaBytes / 1024),
      }),
    },
  });
  const pid = async (): Promise<number> =>
    Number(await readFile(join(profile, 'browser.pid'), 'utf8'));
  const processes = async (): Promise<readonly number[]> => processTree(await pid());
  return {
    context,
    processes,
    close: () => context.close(),
    async kill() {
      const closed = new Promise((resolve) => context.once('close', resolve));
      killAll(await processes());
      await closed;
    },
    async crash(page: Page) {
      // WebDriver BiDi tells of no crash.
      await killAndWait(await processOf(page, await pid()));
    },
    async clearDatabases() {
      throw new Error('WebDriver BiDi clears no databases');
    },
    processOf: async (page) => processOf(page, await pid()),
  };
}

const PREFS = {
  // Tabs of one site share a process by default, and would crash together.
  'dom.ipc.processCount.webIsolated': 16,
  // Nothing that talks to the network.
  'app.normandy.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

async function startWithoutProfile(launch: LaunchOptions): Promise<Browser> {
  return firefox.launch({ ...launch, firefoxUserPrefs: PREFS });
}
