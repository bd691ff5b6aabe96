import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser } from './browser.mjs';
import { buildPage } from './build-page.mjs';
import { measureBackground } from './measure-background.mjs';
import { measureGroup } from './measure-group.mjs';
import { measureLatencies } from './measure-latency.mjs';
import { measureWorkload } from './measure.mjs';
import { parseOptions } from './options.mjs';
import { makePlan } from './plan.mjs';
import { toMarkdown, toText } from './report.mjs';
import { backgroundTimesOf, groupTimesOf, latenciesOf, ratesOf } from './results.mjs';
import { serve } from './server.mjs';

/** @typedef {() => Promise<unknown>} Undo */

const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

/** What is open, newest last: closed whatever happens. @type {Undo[]} */
const open = [];

/** @param {import('./options.mjs').Options} options */
async function run(options) {
  const started = performance.now();
  /** @param {string} what */
  const say = (what) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.error(`${seconds.padStart(4)} s  ${what}`);
  };
  const { rounds, latencies, background, deaths, groups, workloads } = makePlan(options);

  // Beside the project, not in the system's temporary folder: that may be memory, not a disk.
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(path.join(CACHE, 'bench-'));
  open.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  say('building the page');
  const files = path.join(folder, 'site');
  await buildPage(files);
  const site = await serve(files);
  open.push(() => site.close());
  const browser = await openBrowser(path.join(folder, 'profile'));
  open.push(() => browser.close());

  const bench = { browser, site, say };
  const latency = latenciesOf(await measureLatencies(bench, latencies));
  const backgroundTimes = backgroundTimesOf(await measureBackground(bench, background));
  const tables = [];
  for (const workload of workloads) {
    const rows = await measureWorkload(bench, workload, rounds);
    tables.push({ title: workload.title, rates: ratesOf(rows) });
  }
  const groupTimes = [];
  for (const group of groups) {
    groupTimes.push(...groupTimesOf(await measureGroup(bench, group, deaths)));
  }
  const environment = {
    browser: browser.version,
    cpus: String(cpus().length),
    node: process.versions.node,
    date: new Date().toISOString().slice(0, 10),
  };
  const results = {
    tables,
    latencies: latency,
    background: backgroundTimes,
    groups: groupTimes,
    environment,
  };
  console.log(toText(results));
  if (options.json) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.markdown) await writeFile(options.markdown, toMarkdown(results));
}

/** @type {Promise<void> | undefined} */
let closing;

/** One after the other: a browser that is still open would write into the folder being deleted. */
function closeAll() {
  closing ??= (async () => {
    for (let undo = open.pop(); undo !== undefined; undo = open.pop()) {
      await undo().catch((/** @type {unknown} */ error) => console.error(error));
    }
  })();
  return closing;
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => void closeAll().finally(() => process.exit(1)));
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options !== undefined) await run(options);
} catch (error) {
  const why = error instanceof Error ? error.message : String(error);
  console.error(closing === undefined ? `\nThe benchmark failed. ${why}` : '\nInterrupted.');
  process.exitCode = 1;
} finally {
  await closeAll();
}
