import { chromium } from 'playwright';
import { BROWSER_ARGS, findBrowser } from '../support/find-browser.mjs';
import { DEADLINE_MS } from './deadline.mjs';
import { openTab } from './tab.mjs';

/** @typedef {Awaited<ReturnType<typeof openBrowser>>} Browser */

/**
 * A real browser whose profile, and so IndexedDB, is in the folder `profile`.
 * @param {string} profile
 */
export async function openBrowser(profile) {
  const executablePath = await findBrowser();
  const context = await chromium.launchPersistentContext(profile, {
    args: BROWSER_ARGS,
    // A signal is the runner's to handle, which has more to clean up than the browser.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    ...(executablePath !== undefined && { executablePath }),
  });
  // A blank page is of no origin: it keeps the browser open, and no worker.
  const blank = context.pages()[0] ?? (await context.newPage());
  const devtools = await context.newCDPSession(blank);

  /** The ids of those that run. */
  async function sharedWorkers() {
    const { targetInfos } = await devtools.send('Target.getTargets');
    return targetInfos.flatMap(({ type, targetId }) => (type === 'shared_worker' ? targetId : []));
  }

  /** Waits until no SharedWorker is left, and what it remembered is gone with it. */
  async function workersGone() {
    const until = Date.now() + DEADLINE_MS;
    while ((await sharedWorkers()).length > 0) {
      if (Date.now() > until) throw new Error('a SharedWorker outlives its pages');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  return {
    version: context.browser()?.version() ?? 'unknown',
    /** @param {string} origin @param {(news: unknown) => void} [told] */
    openPage: (origin, told) => openTab(context, origin, told),
    sharedWorkers,
    workersGone,
    /** Deletes what `origin` stored. @param {string} origin */
    clear: (origin) => devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' }),
    close: () => context.close(),
  };
}
