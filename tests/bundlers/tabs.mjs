// Checks of an app in its tabs.

const DEADLINE_MS = 20_000;

/**
 * Two tabs have the README's first sample: each stores a record, and each prints both. They have
 * one worker.
 * @param {import('playwright').Browser} browser
 * @param {string} url
 */
export async function checkSample(browser, url) {
  const context = await browser.newContext();
  try {
    const one = await openTab(context, url);
    await one.printed(/^stored in partition \d at offset 0$/);
    await one.printed(/^0 .*o1/);
    const two = await openTab(context, url);
    await two.printed(/^stored in partition \d at offset 1$/);
    for (const tab of [one, two]) {
      await tab.printed(/^0 .*o1/);
      await tab.printed(/^1 .*o1/);
    }

    const devtools = await browser.newBrowserCDPSession();
    const { targetInfos } = await devtools.send('Target.getTargets');
    await devtools.detach();
    const { origin } = new URL(url);
    const workers = targetInfos.filter(
      (target) => target.type.endsWith('worker') && target.url.startsWith(origin),
    );
    const kinds = workers.map(({ type }) => type).join(', ');
    if (kinds !== 'shared_worker') throw new Error(`the two tabs have as workers: ${kinds}`);
  } finally {
    await context.close();
  }
}

/**
 * A page fails with this error.
 * @param {import('playwright').Browser} browser
 * @param {string} url
 * @param {RegExp} error
 */
export async function checkError(browser, url, error) {
  const context = await browser.newContext();
  try {
    const tab = await openTab(context, url);
    await tab.printed(error, { evenSo: true });
  } finally {
    await context.close();
  }
}

/**
 * A page prints this line and nothing is wrong.
 * @param {import('playwright').Browser} browser
 * @param {string} url
 * @param {RegExp} line
 */
export async function checkPage(browser, url, line) {
  const context = await browser.newContext();
  try {
    const tab = await openTab(context, url);
    await tab.printed(line);
  } finally {
    await context.close();
  }
}

/**
 * @param {import('playwright').BrowserContext} context
 * @param {string} url
 */
async function openTab(context, url) {
  const page = await context.newPage();
  const lines = [];
  let look = () => {};
  const hear = (line) => {
    lines.push(line);
    look();
  };
  page.on('console', (message) => {
    hear(message.type() === 'error' ? `error: ${message.text()}` : message.text());
  });
  page.on('pageerror', (error) => hear(`error: ${String(error)}`));
  await page.goto(url);
  return {
    /** Resolves when the tab has printed such a line; rejects at the first error, or goes on even so. */
    printed: (wanted, { evenSo = false } = {}) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`no ${wanted} in:\n${lines.join('\n')}`));
        }, DEADLINE_MS);
        look = () => {
          const error = evenSo ? undefined : lines.find((line) => line.startsWith('error: '));
          if (error === undefined && !lines.some((line) => wanted.test(line))) return;
          clearTimeout(timer);
          if (error === undefined) resolve();
          else reject(new Error(error));
        };
        look();
      }),
  };
}
