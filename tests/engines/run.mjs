// `npm run test:engines`: the tests in a real browser and the end-to-end tests, in every engine that
// is installed, with what did not run there and why.
//   --engine=NAME   only in this engine; may be repeated
//   --project=NAME  only 'browser', 'e2e' or 'e2e-timed'; may be repeated
//   --report=FILE   the counts of each engine as JSON
// Everything else is passed on to Vitest, such as the name of a test file.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runVitest } from '../support/run-vitest.mjs';
import { installedEngines } from './installed.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: 'string', multiple: true },
    project: { type: 'string', multiple: true, default: ['browser', 'e2e', 'e2e-timed'] },
    report: { type: 'string' },
  },
});

const folder = mkdtempSync(path.join(tmpdir(), 'tablog-engines-'));
const reports = [];
for (const { name, version } of await installedEngines(options.engine)) {
  console.log(`\n${name}: ${version}`);
  const file = path.join(folder, `${name}.json`);
  const ok = await vitest(name, file);
  reports.push({ engine: name, version, ok, ...countsOf(file) });
}
rmSync(folder, { recursive: true });

for (const { engine, version, passed, failed, skipped } of reports) {
  console.log(`\n${engine} (${version}): ${passed} passed, ${failed.length} failed`);
  for (const name of failed) console.log(`  failed: ${name}`);
  for (const { name, reason } of skipped) console.log(`  not run: ${name}: ${reason}`);
}
if (options.report !== undefined) writeFileSync(options.report, JSON.stringify(reports, null, 2));
process.exitCode = reports.every(({ ok }) => ok) ? 0 : 1;

function vitest(engine, file) {
  const projects = options.project.flatMap((project) => ['--project', project]);
  const reporters = ['--reporter=default', '--reporter=./tests/engines/count-reporter.ts'];
  const env = { TABLOG_ENGINE: engine, TABLOG_COUNTS: file };
  return runVitest([...projects, ...reporters, ...positionals], env);
}

/** The counts of `count-reporter.ts`; none where Vitest did not come to its end. */
function countsOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: ['the run itself'], skipped: [] };
  }
}
