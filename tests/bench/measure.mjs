/**
 * @typedef {import('./browser.mjs').Browser} Browser
 * @typedef {import('./plan.mjs').Contender} Contender
 * @typedef {import('./plan.mjs').Plan} Plan
 * @typedef {import('./plan.mjs').Workload} Workload
 * @typedef {{ records: number, bytes: number, ms: number }} Measured
 * @typedef {{ browser: Browser, site: import('./server.mjs').Site, say: (what: string) => void }} Bench
 *
 * @typedef {object} Row
 * @property {import('./plan.mjs').Subject} subject
 * @property {'write' | 'read'} direction
 * @property {string} label
 * @property {Measured[]} samples
 */

/**
 * Runs every contender once a round, so that what slows the machine down slows all of them; every
 * second round backwards, so that none always comes after the same one.
 * @param {Bench} bench
 * @param {Workload} workload
 * @param {number} rounds
 * @returns {Promise<Row[]>}
 */
export async function measureWorkload(bench, workload, rounds) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (let round = 0; round < rounds; round++) {
    const { contenders } = workload;
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      bench.say(`${workload.title}, round ${round + 1} of ${rounds}: ${contender.write.label}`);
      await runContender(bench, workload, contender, (row, measured) => {
        const id = `${row.direction} ${row.label}`;
        if (!rows.has(id)) rows.set(id, { ...row, samples: [] });
        rows.get(id)?.samples.push(measured);
      });
    }
  }
  return [...rows.values()];
}

let databases = 0;

/**
 * Writes into a storage of its own, then reads it: each step in a new page, with no worker left of
 * the one before, so that nothing is read from memory.
 * @param {Bench} bench
 * @param {Workload} workload
 * @param {Contender} contender
 * @param {(row: Omit<Row, 'samples'>, measured: Measured) => void} found
 */
async function runContender({ browser, site }, workload, contender, found) {
  const { subject, records, compression, write, reads } = contender;
  const origin = site.origin(`bench-${++databases}`);

  /**
   * @param {Row['direction']} direction
   * @param {import('./plan.mjs').Step} step
   * @param {object} input
   */
  const measure = async (direction, { name, label }, input) => {
    const page = await browser.openPage(origin);
    try {
      const measured = /** @type {Measured} */ (await page.call(direction, name, input));
      found({ subject, direction, label }, measured);
      return measured;
    } catch (cause) {
      throw new Error(`${workload.title}: ${direction}, ${label}: ${String(cause)}`, { cause });
    } finally {
      await page.close();
      await browser.workersGone();
    }
  };

  const { sample } = workload;
  const written = await measure('write', write, { sample, records, compression });
  for (const read of reads) await measure('read', read, written);
  await browser.clear(origin);
}
