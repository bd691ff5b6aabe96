import type { CDPSession, Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { servePage } from '../support/page-server.ts';
import { needs, useContext } from './fixture.ts';
import type { ServiceWorkerApi } from './service-worker/register.ts';
import { ALL_USED } from './use-log.ts';

declare const api: ServiceWorkerApi;

const browser = useContext();

// Neither may call import(): the specification forbids it.
describe.each(['module', 'classic'] as const)('in a service worker (%s)', (kind) => {
  it('inline() has groups, run(), transactions, gzip and log files; tabs have the same log', async () => {
    const server = await servePage(new URL('./service-worker', import.meta.url).pathname, kind);
    try {
      const tab = await newTab(browser.context, server.url);
      expect(await tab.evaluate((type) => api.ask(type), kind)).toEqual(ALL_USED);
      expect(await tab.evaluate(() => api.read())).toBe(ALL_USED.gzip);
    } finally {
      await server.close();
    }
  });

  it('what a fetch event stores while no tab has the log is read by the tab that opens it', async () => {
    const server = await servePage(new URL('./service-worker', import.meta.url).pathname, kind);
    try {
      const plain = await newTab(browser.context, server.url);
      await plain.evaluate((type) => api.install(type), kind);
      expect(await plain.evaluate(() => api.post('first'))).toBe(0);
      expect(await plain.evaluate(() => api.post('second'))).toBe(1);
      const tab = await newTab(browser.context, server.url);
      const reading = tab.evaluate(() => api.readEvents(3));
      // The tab's SharedWorker and the service worker have the log at the same time.
      expect(await plain.evaluate(() => api.post('third'))).toBe(2);
      expect(await reading).toEqual(['first', 'second', 'third']);
    } finally {
      await server.close();
    }
  });
});

describe('an event of the browser', () => {
  needs('cdp');

  it('push is stored while no tab of the site is open, and read when one opens', async () => {
    await withWorker(async ({ url, registrationId, session, installing }) => {
      await installing.close();
      const data = 'pushed';
      await session.send('ServiceWorker.deliverPushMessage', { origin: url, registrationId, data });
      const tab = await newTab(browser.context, url);
      expect(await tab.evaluate(() => api.readEvents(1))).toEqual(['pushed']);
    });
  });

  it('sync delivers what is stored, while no tab of the site is open', async () => {
    await withWorker(async ({ url, registrationId, session, installing }) => {
      for (const text of ['first', 'second']) await installing.evaluate((of) => api.post(of), text);
      await installing.close();
      const sync = { origin: url, registrationId, tag: 'deliver', lastChance: false };
      await session.send('ServiceWorker.dispatchSyncEvent', sync);
      const tab = await newTab(browser.context, url);
      await tab.waitForFunction(async () => (await api.delivered()).length === 2);
      expect(await tab.evaluate(() => api.delivered())).toEqual(['first', 'second']);
    });
  });
});

interface Installed {
  readonly url: string;
  readonly registrationId: string;
  /** Of a tab of another site. */
  readonly session: CDPSession;
  /** The tab that has installed the worker. */
  readonly installing: Page;
}

/** Installs the service worker of a site of its own. */
async function withWorker(use: (installed: Installed) => Promise<void>): Promise<void> {
  const server = await servePage(new URL('./service-worker', import.meta.url).pathname, 'module');
  try {
    const installing = await newTab(browser.context, server.url);
    await installing.evaluate(() => api.install('module'));
    const elsewhere = await browser.context.newPage();
    const session = await browser.context.newCDPSession(elsewhere);
    const registered = new Promise<string>((resolve) => {
      session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
        const own = registrations.find(({ scopeURL }) => scopeURL.startsWith(server.url));
        if (own !== undefined) resolve(own.registrationId);
      });
    });
    await session.send('ServiceWorker.enable');
    await use({ url: server.url, registrationId: await registered, session, installing });
  } finally {
    await server.close();
  }
}
