import { chromium } from 'playwright';
import { BROWSER_ARGS, findBrowser } from '../support/find-browser.mjs';

/** Whatever a case does, it ends or fails within this. */
const DEADLINE_MS = 60_000;

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

  /** Opens the benchmark's page at `origin`. @param {string} origin */
  async function openPage(origin) {
    const page = await context.newPage();
    /** @type {(error: Error) => void} */
    let fail = () => {};
    /** @type {Promise<never>} */
    const failed = new Promise((_, reject) => (fail = reject));
    failed.catch(() => {}); // whoever calls the page gets it
    page.on('pageerror', (error) => fail(error));
    page.on('crash', () => fail(new Error('the page crashed')));
    await page.goto(`${origin}/`);
    await page.waitForFunction('globalThis.bench !== undefined');
    return {
      /**
       * Calls `bench[method](...args)` in the page.
       * @param {string} method
       * @param {readonly unknown[]} args
       */
      call: (method, ...args) => {
        const called = page.evaluate(
          `bench[${JSON.stringify(method)}](...${JSON.stringify(args)})`,
        );
        return withDeadline(Promise.race([called, failed]), `'${method}' in the page`);
      },
      close: () => page.close(),
    };
  }

  /** Waits until no SharedWorker is left, and what it remembered is gone with it. */
  async function workersGone() {
    const until = Date.now() + DEADLINE_MS;
    for (;;) {
      const { targetInfos } = await devtools.send('Target.getTargets');
      if (targetInfos.every(({ type }) => type !== 'shared_worker')) return;
      if (Date.now() > until) throw new Error('a SharedWorker outlives its pages');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  return {
    version: context.browser()?.version() ?? 'unknown',
    openPage,
    workersGone,
    /** Deletes what `origin` stored. @param {string} origin */
    clear: (origin) => devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' }),
    close: () => context.close(),
  };
}

/**
 * @template T
 * @param {Promise<T>} work
 * @param {string} what
 * @returns {Promise<T>}
 */
async function withDeadline(work, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const expired = new Promise((_, reject) => {
    const error = new Error(`${what} did not end within ${DEADLINE_MS / 1000} s`);
    timer = setTimeout(() => reject(error), DEADLINE_MS);
  });
  try {
    return await /** @type {Promise<T>} */ (Promise.race([work, expired]));
  } finally {
    clearTimeout(timer);
  }
}
