// `npm run matrix`: the fault matrix, in every engine that is installed.
//   --engine=NAME   only in this engine; may be repeated
//   --rows=TEXT     only rows whose name and host contain it, such as 'browser killed' or '(shared)'
//   --quick         without the rows that take longest
//   --runs=N        how often each row is run with each host; default 1
//   --seed=N        the first seed; default a random one, which each test's name has
//   --report=FILE   a file that gets a line of JSON for each run; runs that it has stay in it
//   --write         writes the tables of RELIABILITY.md and README.md from the runs of --report
// With --write and without --engine and --rows nothing is run.
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { installedEngines } from '../engines/installed.mjs';
import { runVitest } from '../support/run-vitest.mjs';
import { summaryOf, tableOf, writeTables } from './table.mjs';

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
let isOk = true;
if (isRun) {
  for (const { name } of await installedEngines(options.engine)) isOk = (await run(name)) && isOk;
}
const runs = existsSync(report)
  ? readFileSync(report, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];
console.log(`\n${tableOf(runs)}\n\n${summaryOf(runs)}\n`);
if (options.write) writeTables(runs);
process.exitCode = isOk ? 0 : 1;

/** Runs the rows in an engine; resolves to whether all went well. */
function run(engine) {
  console.log(`\n${engine}`);
  return runVitest(['--project', 'matrix'], {
    TABLOG_ENGINE: engine,
    TABLOG_MATRIX: 'matrix',
    TABLOG_MATRIX_REPORT: report,
    TABLOG_MATRIX_ROWS: options.rows,
    TABLOG_MATRIX_RUNS: options.runs,
    TABLOG_MATRIX_QUICK: options.quick ? 'true' : undefined,
    TABLOG_SEED: options.seed,
  });
}
