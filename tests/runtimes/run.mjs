// `npm run test:runtimes`: the log over SQLite in Node, Bun, Deno and workerd, which it installs.
//   --runtime=NAME  only in this one: node, bun, deno or workerd
//   --only=PART     only 'example', 'suite', 'kills', 'receiver' or 'objects'; may be repeated
//   --kills=N       how many processes are killed in each runtime; default 20
//   --seed=N        the seed of the kills; default a random one, which the report has
//   --report=FILE   the results as JSON
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { runKills } from './kills/run-kills.mjs';
import { runReceiver, runReceiverObject } from './receiver/run-receiver.mjs';
import { installRuntimes } from './runtimes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const VITEST = path.join('node_modules', 'vitest', 'vitest.mjs');
/** What has a store in memory in `npm test`, and the tests of the store itself. */
const SUITE = ['tests/client', 'tests/broker', 'tests/group', 'tests/store/sqlite'];

const { values: options } = parseArgs({
  options: {
    runtime: { type: 'string' },
    only: { type: 'string', multiple: true },
    kills: { type: 'string', default: '20' },
    seed: { type: 'string' },
    report: { type: 'string' },
  },
});

const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 32));
/** @type {{ name: string, ok: boolean }[]} */
const results = [];
for (const runtime of installRuntimes()) {
  if (!isWanted(runtime.name)) continue;
  const title = `${runtime.name} ${runtime.version}`;
  // Node 20 has no SQLite of its own.
  if (isPart('example') && !runtime.version.startsWith('20.')) {
    await count(`${title}: the README's example`, example(runtime));
  }
  if (isPart('receiver')) await count(`${title}: a receiver`, runReceiver(runtime));
  if (isPart('suite')) await count(`${title}: the behaviour suite over SQLite`, suite(runtime));
  if (isPart('kills')) {
    await count(
      `${title}: ${options.kills} kills`,
      runKills(runtime, { kills: Number(options.kills), seed }),
    );
  }
}
if (isPart('receiver') && isWanted('workerd')) {
  await count('workerd: a receiver in a Durable Object', runReceiverObject());
}
if (isPart('objects') && isWanted('workerd')) {
  const { runObjects } = await import('./objects/run-objects.mjs');
  await count('workerd: a Durable Object that is a log', runObjects());
}
if (options.report !== undefined) writeFileSync(options.report, JSON.stringify(results));
process.exitCode = results.length > 0 && results.every(({ ok }) => ok) ? 0 : 1;

function isWanted(name) {
  return options.runtime === undefined || options.runtime === name.toLowerCase();
}

function isPart(name) {
  return options.only?.includes(name) ?? true;
}

async function count(name, running) {
  const began = performance.now();
  let ok = true;
  let told = '';
  try {
    told = (await running) ?? '';
  } catch (error) {
    ok = false;
    told = error.message;
  }
  results.push({ name, ok });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds} s) ${told}`);
}

/** Runs the README's example twice, in a folder of its own. */
async function example({ command, args }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'tablog-example-'));
  const file = path.join(root, 'tests', 'runtimes', 'example', 'shop.js');
  try {
    for (const offset of [0, 1]) {
      const { stdout } = await promisify(execFile)(command, [...args, file], { cwd: folder });
      assert.equal(stdout, `stored at offset ${offset}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs the unit tests of client, broker and groups over SQLite, in the runtime. */
function suite({ command, args }) {
  return new Promise((resolve, reject) => {
    const run = ['run', '--config', 'tests/vitest.config.ts', '--project', 'unit', ...SUITE];
    const child = spawn(command, [...args, VITEST, ...run, '--reporter=dot'], {
      cwd: root,
      env: { ...process.env, TABLOG_STORE: 'sqlite', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => (output += String(chunk)));
    }
    child.once('error', reject);
    child.once('close', (code) => {
      const counted = /Tests {2}(.*)/.exec(output)?.[1] ?? 'no tests were run';
      if (code === 0) resolve(counted);
      else reject(new Error(`${counted}\n${output.slice(-20_000)}`));
    });
  });
}
