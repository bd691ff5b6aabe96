import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { webkit } from 'playwright';
import type { Browser, BrowserContext } from 'playwright';
import type { Engine, RunningBrowser, StartOptions } from './engine.ts';
import { processOf } from './page-process.ts';
import { processTree } from './processes.ts';
import { PYTHON, WebKitHost } from './webkit-host.ts';
import { gtkContext, tabOf } from './webkit-pages.ts';

const run = promisify(execFile);

/** Playwright's own WebKit if it is installed, else WebKitGTK of the system. */
export async function findWebKit(): Promise<Engine | undefined> {
  return existsSync(webkit.executablePath()) ? OWN : findGtk();
}

const OWN: Engine = {
  name: 'webkit',
  version: "Playwright's WebKit",
  launch: {},
  lacks: {
    cdp: 'WebKit has no DevTools protocol of Chrome',
    crash: 'Playwright tells no process of its WebKit',
    clear: 'Playwright clears no databases',
    kill: 'Playwright tells no process of its WebKit',
  },
  async start(profile) {
    const context = await webkit.launchPersistentContext(profile);
    return {
      context,
      close: () => context.close(),
      processes: refuse,
      kill: refuse,
      crash: refuse,
      clearDatabases: refuse,
      processOf: refuse,
    };
  },
  startWithoutProfile: () => webkit.launch(),
};

async function refuse(): Promise<never> {
  throw new Error('Playwright tells no process of its WebKit');
}

async function findGtk(): Promise<Engine | undefined> {
  if (!existsSync(PYTHON)) return undefined;
  const script = `import gi
gi.require_version('WebKit2', '4.1')
from gi.repository import WebKit2
print(WebKit2.get_major_version(), WebKit2.get_minor_version(), WebKit2.get_micro_version(), sep='.')`;
  let version: string;
  try {
    version = (await run(PYTHON, ['-c', script])).stdout.trim();
    await run('sh', ['-c', 'command -v Xvfb']);
  } catch {
    return undefined;
  }
  return {
    name: 'webkit',
    version: `WebKitGTK ${version}`,
    lacks: {
      cdp: 'WebKit has no DevTools protocol of Chrome',
      routes: 'WebKitGTK lets no other program answer requests',
      offline: 'WebKitGTK cannot be cut off the network',
      locators: 'the driver of WebKitGTK finds no elements',
    },
    start,
    startWithoutProfile,
  };
}

async function start(profile: string, options: StartOptions = {}): Promise<RunningBrowser> {
  const { quotaBytes, isPrivate = false } = options;
  const ratio =
    quotaBytes === undefined ? [] : ['--quota-ratio', await ratioOf(quotaBytes, profile)];
  const host = await WebKitHost.start(['--profile', profile, ...ratio]);
  const id = await host.call<number>('newContext', { ephemeral: isPrivate });
  return {
    context: gtkContext(host, id),
    close: () => host.quit(),
    processes: () => processTree(host.pid),
    kill: () => host.kill(),
    async crash(page) {
      const crashed = new Promise((resolve) => page.once('crash', resolve));
      await host.call('crash', { tab: tabOf(page) });
      await crashed;
    },
    clearDatabases: () => host.call('clearData', { context: id }),
    processOf: (page) => processOf(page, host.pid),
  };
}

/** WebKitGTK takes a quota as a part of the disk. */
async function ratioOf(bytes: number, folder: string): Promise<string> {
  const { blocks, bsize } = await statfs(folder);
  return (bytes / (blocks * bsize)).toFixed(12);
}

async function startWithoutProfile(): Promise<Browser> {
  const host = await WebKitHost.start([]);
  const browser = {
    newContext: () => newContext(host),
    close: () => host.quit(),
    version: () => host.version,
  };
  return browser as unknown as Browser;
}

async function newContext(host: WebKitHost): Promise<BrowserContext> {
  return gtkContext(host, await host.call<number>('newContext', { ephemeral: true }));
}
