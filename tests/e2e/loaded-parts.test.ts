import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { servePage } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { selectedEngine } from '../engines/engines.ts';
import { needsNow, useContext } from './fixture.ts';
import type { LeanApi } from './lean-page/main.ts';
import { ALL_USED } from './use-log.ts';

declare const api: LeanApi;

const PARTS = [
  'admin-calls',
  'batch-failure',
  'codecs',
  'decode-errors',
  'group-member',
  'gzip',
  'held-submissions',
  'log-statuses',
  'raw-batches',
  'runner',
  'stored-batches',
  'transaction-manager',
];
const LAZY_FILE = new RegExp(`assets/(${PARTS.join('|')})-.*\\.js$`);
const TRANSACTION_FILE = /assets\/transaction-manager-.*\.js$/;
const WORKER_FILE = /worker-.*\.js$/;

const browser = useContext();
let server: PageServer;

beforeAll(async () => {
  server = await servePage(new URL('./lean-page', import.meta.url).pathname);
});

afterAll(() => server.close());

afterEach(() => {
  for (const path of [LAZY_FILE, TRANSACTION_FILE, WORKER_FILE]) server.override(path, undefined);
});

/** What `openLog` throws in the tab; `undefined`: it opened. */
function open(
  tab: Page,
): Promise<{ code: unknown; retriable: unknown; message: string } | undefined> {
  return tab.evaluate(async () => {
    try {
      api.log = await api.openLog('shop');
      return undefined;
    } catch (error) {
      const { code, retriable, message } = error as Record<'code' | 'retriable', unknown> & Error;
      return { code, retriable, message };
    }
  });
}

describe('a page that has opened its log', () => {
  it('has all of its code, also when the server is gone', async ({ skip }) => {
    await needsNow(skip, 'offline');
    const tab = await newTab(browser.context, server.url);
    expect(await open(tab)).toBeUndefined();
    let asked = 0;
    server.override(LAZY_FILE, (response) => {
      asked++;
      response.writeHead(503).end();
    });
    await browser.context.setOffline(true);
    expect(await tab.evaluate(() => api.useLog(api.log!, 'offline'))).toEqual(ALL_USED);
    expect(asked).toBe(0);
  });

  it('has waited for the parts beside the worker, and not after it', async ({ skip }) => {
    await needsNow(skip, 'routes');
    const tab = await newTab(browser.context, server.url);
    const asked = new Set<string>();
    const allAsked = new Promise<void>((resolve) => {
      tab.on('request', (request) => {
        const part = LAZY_FILE.exec(new URL(request.url()).pathname)?.[1];
        if (part !== undefined) asked.add(part);
        if (asked.size === PARTS.length) resolve();
      });
    });
    // The worker's file comes when every part has been asked for.
    await browser.context.route(WORKER_FILE, async (route) => {
      await allAsked;
      await route.continue();
    });
    expect(await open(tab)).toBeUndefined();
    expect([...asked].sort()).toEqual(PARTS);
  });
});

describe('openLog', () => {
  it('rejects where a part cannot be loaded, with its name and URL, and works once it can', async () => {
    server.override(TRANSACTION_FILE, (response) => response.writeHead(503).end());
    const tab = await newTab(browser.context, server.url);
    const error = await open(tab);
    expect(error).toMatchObject({ code: 'LOAD_FAILED', retriable: false });
    expect(error!.message).toMatch(/the code of transactions .*reload the page/);
    // WebKit does not say which file it could not import.
    const { name } = await selectedEngine();
    if (name !== 'webkit') {
      expect(error!.message).toMatch(/http:\/\/localhost:\d+\/assets\/transaction-manager-/);
    }
    server.override(TRANSACTION_FILE, undefined);
    // Chromium asks for the file again; the others only in a new page.
    if (!name.startsWith('chromium')) await tab.reload();
    await tab.waitForFunction('window.api !== undefined');
    expect(await open(tab)).toBeUndefined();
    expect(await tab.evaluate(() => api.useLog(api.log!, 'again'))).toEqual(ALL_USED);
  });

  it('says what the worker says where neither comes', async () => {
    for (const path of [LAZY_FILE, WORKER_FILE]) {
      server.override(path, (response) => response.writeHead(404).end());
    }
    const tab = await newTab(browser.context, server.url);
    expect(await open(tab)).toMatchObject({ code: 'WORKER_FAILED' });
  });
});
