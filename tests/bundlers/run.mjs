// `npm run test:bundlers`: packs the package, and has every bundler build or serve a blank app,
// whose entry is the README's first sample as it stands. Each app is opened in two tabs of a real
// browser. The README's table is written from the results; with --check the README must have that
// table already. With --only=vite, only cases whose names contain 'vite' run; with --report=FILE,
// the results are written there as JSON.
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { serve } from '../bench/server.mjs';
import { BROWSER_ARGS, findBrowser } from '../support/find-browser.mjs';
import { CASES } from './cases.mjs';
import { hasTable, tableOf, writeTable } from './table.mjs';
import { checkError, checkPage, checkSample } from './tabs.mjs';
import { install, makeApp, runToEnd, startServer, versionOf } from './workshop.mjs';

const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    report: { type: 'string' },
  },
});

await install();
const browser = await chromium.launch({ executablePath: await findBrowser(), args: BROWSER_ARGS });
/** @type {{ name: string, ok: boolean }[]} */
const results = [];
const rows = [];
for (const made of CASES) {
  const version = made.package === undefined ? '' : versionOf(made.package);
  rows.push({ ...made, version });
  const name = `${made.name} ${version}`.trim();
  if (!name.toLowerCase().includes(options.only.toLowerCase())) continue;
  await count(name, () => runCase(made));
}
await browser.close();

const table = tableOf(rows);
console.log(`\n${table}\n`);
const all = results.every(({ ok }) => ok) && options.only === '';
if (options.check) {
  await count("the README's table of bundlers", async () => {
    if (!hasTable(table)) throw new Error('the table differs: run `npm run test:bundlers`');
  });
} else if (all) writeTable(table);
if (options.report !== undefined) writeFileSync(options.report, JSON.stringify(results));
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;

/** @param {import('./cases.mjs').Case} made */
async function runCase(made) {
  await withApp(made, 'sample', (url) => checkSample(browser, url));
  await withApp(made, 'parts', (url) => checkPage(browser, url, /^parts 12000 5 true$/));
  if (!made.noInline) {
    await withApp(made, 'inline', (url) => checkPage(browser, url, /^inline 0$/));
  }
  if (made.without !== undefined) {
    const { told, ...changed } = made.without;
    const lacking = { ...made, ...changed };
    await withApp(lacking, 'sample', (url) => checkError(browser, url, told));
  }
}

async function withApp(made, page, check) {
  const folder = makeApp(made, page);
  if (made.build !== undefined) {
    await runToEnd(folder, made.build);
    const index = path.join(folder, made.folder ?? '.', 'index.html');
    if (!existsSync(index)) copyFileSync(path.join(folder, 'index.html'), index);
  }
  const server =
    made.server === undefined
      ? await serveFolder(path.join(folder, made.folder ?? '.'))
      : await startServer(folder, made.server);
  try {
    await check(server.url);
  } catch (error) {
    throw new Error(`${page}: ${error.message}`, { cause: error });
  } finally {
    await server.close();
  }
}

async function serveFolder(folder) {
  const { origin, close } = await serve(folder);
  return { url: `${origin('app')}/`, close };
}

async function count(name, run) {
  const started = performance.now();
  let failure;
  try {
    await run();
  } catch (error) {
    failure = error;
  }
  results.push({ name, ok: failure === undefined });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${failure === undefined ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  if (failure !== undefined) console.log(String(failure.message).replaceAll(/^/gm, '    '));
}
