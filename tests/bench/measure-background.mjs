/**
 * @typedef {import('./measure.mjs').Bench} Bench
 * @typedef {import('./page/background.ts').BackgroundInput} BackgroundInput
 * @typedef {import('./page/background.ts').BackgroundSamples} BackgroundSamples
 * @typedef {import('./page/keeper-wire.ts').Work} Work
 * @typedef {import('./plan.mjs').BackgroundPlan} BackgroundPlan
 *
 * @typedef {object} Background
 * @property {number[]} restMs  Of sends that nothing was beside.
 * @property {Record<Work, { megabytesPerSecond: number[], besideMs: number[] }>} works
 *   The rate of each partition, and the sends meanwhile.
 */

const WORKS = /** @type {const} */ (['merge', 'compact']);

let databases = 0;

/**
 * Merges and compacts by turns, each time in a storage of its own, until enough records have been
 * sent beside each of the two.
 * @param {Bench} bench
 * @param {BackgroundPlan} plan
 * @returns {Promise<Background>}
 */
export async function measureBackground(bench, { sends, ...sizes }) {
  /** @type {Background} */
  const found = {
    restMs: [],
    works: {
      merge: { megabytesPerSecond: [], besideMs: [] },
      compact: { megabytesPerSecond: [], besideMs: [] },
    },
  };
  for (;;) {
    const works = WORKS.filter((work) => found.works[work].besideMs.length < sends);
    if (works.length === 0) return found;
    for (const work of works) {
      const { megabytesPerSecond, besideMs } = found.works[work];
      bench.say(`one record sent, and beside it: ${work}, after ${besideMs.length} of ${sends}`);
      const { tended, rest, beside } = await runOnce(bench, { work, ...sizes });
      found.restMs.push(...rest);
      besideMs.push(...beside);
      megabytesPerSecond.push(...tended.map(({ bytes, ms }) => bytes / 1e6 / (ms / 1000)));
    }
  }
}

/**
 * @param {Bench} bench
 * @param {BackgroundInput} input
 */
async function runOnce({ browser, site }, input) {
  const origin = site.isolatedOrigin(`background-${++databases}`);
  const page = await browser.openPage(origin);
  try {
    return /** @type {BackgroundSamples} */ (await page.call('measureBackground', input));
  } finally {
    await page.close();
    await browser.workersGone();
    await browser.clear(origin);
  }
}
