import { withDeadline } from './deadline.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof openTab>>} Tab
 * @typedef {'crash' | 'close'} Death
 */

/**
 * Opens the benchmark's page at `origin`.
 * @param {import('playwright').BrowserContext} context
 * @param {string} origin
 * @param {(news: unknown) => void} [told]  Gets what the page tells, by `tell(news)`.
 */
export async function openTab(context, origin, told) {
  const page = await context.newPage();
  /** @type {(error: Error) => void} */
  let fail = () => {};
  /** @type {Promise<never>} */
  const failed = new Promise((_, reject) => (fail = reject));
  failed.catch(() => {}); // whoever calls the page gets it
  page.on('pageerror', (error) => fail(error));
  page.on('crash', () => fail(new Error('the page crashed')));
  if (told !== undefined) await page.exposeFunction('tell', told);
  await page.goto(`${origin}/`);
  await page.waitForFunction('globalThis.bench !== undefined');
  return {
    /** Rejects when something goes wrong in the page. */
    failed,
    /**
     * Calls `bench[method](...args)` in the page.
     * @param {string} method
     * @param {readonly unknown[]} args
     */
    call: (method, ...args) => {
      const called = page.evaluate(`bench[${JSON.stringify(method)}](...${JSON.stringify(args)})`);
      return withDeadline(Promise.race([called, failed]), `'${method}' in the page`);
    },
    close: () => page.close(),
    /**
     * Resolves when the page is dead, with the time just before its death was asked for, in
     * milliseconds since 1970: so what the browser takes to kill it counts too.
     * @param {Death} how
     */
    die: async (how) => {
      if (how === 'close') {
        const asked = now();
        await page.close();
        return asked;
      }
      const devtools = await context.newCDPSession(page);
      const crashed = page.waitForEvent('crash');
      const asked = now();
      devtools.send('Page.crash').catch(() => {}); // it never answers
      await crashed;
      return asked;
    },
  };
}

/** The clock of the pages' `now()`. */
function now() {
  return performance.timeOrigin + performance.now();
}
