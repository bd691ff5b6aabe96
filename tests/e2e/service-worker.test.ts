import { describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { servePage } from '../support/page-server.ts';
import { useContext } from './fixture.ts';
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
});
