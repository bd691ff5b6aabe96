// `npm run matrix`: the fault matrix, in every engine that is installed.
//   --engine=NAME   only in this engine; may be repeated
//   --rows=TEXT     only rows whose name and host contain it, such as 'browser killed' or '(shared)'
//   --quick         without the rows that take longest
//   --runs=N        how often each row is run with each host; default 1
//   --seed=N        the first seed; default a random one, which each test's name has
//   --report=FILE   a file that gets a line of JSON for each run; runs that it has stay in it
//   --write         writes the tables of RELIABILITY.md and README.md from the runs of --report
// With --write and without --engine and --rows nothing is run.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { installedEngines } from '../engines/installed.mjs';
import { summaryOf, tableOf, writeTables } from './table.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const { values: options } = parseArgs({
  options: {
    engine: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    rows: { type: 'string' },
    runs: { type: 'string', default: '1' },
    seed: { type: 'string' },
    report: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

const report = path.resolve(
  options.report ?? path.join(mkdtempSync(path.join(tmpdir(), 'tablog-matrix-')), 'runs.jsonl'),
);
const isRun = !options.write || options.engine !== undefined || options.rows !== undefined;
let failures = 0;
if (isRun) {
  for (const { name } of await installedEngines(options.engine)) failures += await run(name);
}
const runs = existsSync(report)
  ? readFileSync(report, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];
console.log(`\n${tableOf(runs)}\n\n${summaryOf(runs)}\n`);
if (options.write) writeTables(runs);
process.exitCode = failures === 0 ? 0 : 1;

/** Resolves to the number of failures: 0 or 1. */
function run(engine) {
  console.log(`\n${engine}`);
  const args = ['vitest', 'run', '--config', 'tests/vitest.config.ts', '--project', 'matrix'];
  return new Promise((resolve) => {
    const child = spawn('npx', args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
      env: {
        ...process.env,
        TABLOG_ENGINE: engine,
        TABLOG_MATRIX_REPORT: report,
        TABLOG_MATRIX_ROWS: options.rows ?? '',
        TABLOG_MATRIX_RUNS: options.runs,
        TABLOG_MATRIX: 'matrix',
        ...(options.quick && { TABLOG_MATRIX_QUICK: 'true' }),
        ...(options.seed !== undefined && { TABLOG_SEED: options.seed }),
      },
    });
    child.once('error', () => resolve(1));
    child.once('close', (code) => resolve(code === 0 ? 0 : 1));
  });
}
