// Runs every check to the end, whatever fails on the way, and counts: a step is one, a test is one, a
// bundler is one.
// `npm run check` and `.ci/run` both end here.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The scripts of package.json, in the order that tells most the soonest. */
const STEPS = [
  'format:check',
  'lint',
  'types',
  'unused',
  'build',
  'publint',
  'attw',
  'size',
  'build:demo',
];

/** How many test files are named with their time. */
const SLOWEST = 10;

let passed = 0;
let failed = 0;
let skipped = 0;
const failures = [];

for (const step of STEPS) await runStep(step);
await runTests();
await runEngines();
await runMatrix();
await runRuntimes();
await runStep('test:connect');
await runStep('test:kafka');
await runStep('test:environments');
await runBundlers();

if (failures.length > 0) console.log(`\nFailed:\n${indent(failures.join('\n'))}`);
if (skipped > 0) console.log(`\nSkipped, and counted as neither: ${skipped} tests`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function runStep(step) {
  const { code, output, seconds } = await npm(['run', '--silent', step], { quiet: true });
  count(code === 0, `npm run ${step}`, seconds);
  if (code !== 0) console.log(indent(output));
}

async function runTests() {
  console.log('\nnpm test');
  const folder = mkdtempSync(path.join(tmpdir(), 'tablog-check-'));
  const file = path.join(folder, 'tests.json');
  const { code, seconds } = await npm(
    ['test', '--', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
    { quiet: false },
  );
  const report = readReport(file);
  rmSync(folder, { recursive: true });

  const failedBefore = failed;
  for (const { name, status, assertionResults } of report) {
    const place = path.relative(root, name);
    for (const test of assertionResults) {
      if (test.status === 'passed') passed++;
      else if (test.status === 'failed') {
        const [why = ''] = test.failureMessages;
        fail(`${place}: ${test.fullName}\n${indent(why.split('\n').slice(0, 3).join('\n'))}`);
      } else skipped++;
    }
    const told = assertionResults.some((test) => test.status === 'failed');
    if (status === 'failed' && !told) fail(`${place} (the file itself)`);
  }
  // An error outside of every test, or no report at all, is a failure of the run.
  const whole = code === 0 && report.length > 0;
  if (whole || failed === failedBefore) count(whole, 'npm test', seconds);
  printSlowest(report);
}

/** From the start of a file's first test to the end of its last; imports are not in it. */
function printSlowest(report) {
  const files = report
    .map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, SLOWEST);
  if (files.length === 0) return;
  console.log('\nThe slowest test files:');
  for (const { name, seconds } of files) {
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${path.relative(root, name)}`);
  }
}

/** The tests in a real browser, in the engines that `npm test` does not use. */
async function runEngines() {
  console.log('\nnpm run test:engines');
  await runStep('install:engines');
  const others = ['chromium-sqlite', 'firefox', 'webkit'].map((name) => `--engine=${name}`);
  const { report, isOk } = await withReport('test:engines', [...others, '--project=browser']);
  const failedBefore = failed;
  for (const { engine, passed: ok, failed: names, skipped: left } of report) {
    passed += ok;
    skipped += left.length;
    for (const name of names) fail(`${engine}: ${name}`);
  }
  if (!isOk && failed === failedBefore) fail('npm run test:engines');
}

/** The rows of the fault matrix that are quick, with the default host, in every engine. */
async function runMatrix() {
  console.log('\nnpm run matrix');
  const { report, isOk } = await withReport('matrix', ['--quick', '--rows=(shared)']);
  const failedBefore = failed;
  for (const { engine, fault, host, lack, failure, verdict } of report) {
    if (lack !== undefined) skipped++;
    else if (failure === undefined && verdict.problems.length === 0) passed++;
    else fail(`matrix: ${fault} (${host}) in ${engine}: ${failure ?? verdict.problems.join('; ')}`);
  }
  if (!isOk && failed === failedBefore) fail('npm run matrix');
}

/** The log over SQLite outside of the browser; the suite in all runtimes is `npm run test:runtimes`. */
async function runRuntimes() {
  console.log('\nnpm run test:runtimes');
  const parts = ['example', 'kills', 'receiver', 'objects'].map((part) => `--only=${part}`);
  const { report, isOk } = await withReport('test:runtimes', parts);
  const failedBefore = failed;
  for (const { name, ok } of report) {
    if (ok) passed++;
    else fail(`runtimes: ${name}`);
  }
  if (!isOk && failed === failedBefore) fail('npm run test:runtimes');
}

/** Runs a script that writes a report: JSON, or a line of JSON for each result. */
async function withReport(script, args) {
  const folder = mkdtempSync(path.join(tmpdir(), 'tablog-check-'));
  const file = path.join(folder, 'report.json');
  const { code, seconds } = await npm(
    ['run', '--silent', script, '--', ...args, `--report=${file}`],
    { quiet: false },
  );
  const report = readJson(file) ?? readLines(file);
  rmSync(folder, { recursive: true });
  console.log(`${script} took ${seconds.toFixed(1)} s`);
  return { report, isOk: code === 0 && report.length > 0 };
}

function readLines(file) {
  try {
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}

/** A bundler is one, and so is the README's table of them. */
async function runBundlers() {
  console.log('\nnpm run test:bundlers');
  const folder = mkdtempSync(path.join(tmpdir(), 'tablog-check-'));
  const file = path.join(folder, 'bundlers.json');
  const { code, seconds } = await npm(
    ['run', '--silent', 'test:bundlers', '--', '--check', `--report=${file}`],
    { quiet: false },
  );
  const report = readJson(file) ?? [];
  rmSync(folder, { recursive: true });
  const failedBefore = failed;
  for (const { name, ok } of report) {
    if (ok) passed++;
    else fail(`bundlers: ${name}`);
  }
  const whole = code === 0 && report.length > 0;
  if (!whole && failed === failedBefore) count(false, 'npm run test:bundlers', seconds);
}

function readReport(file) {
  return readJson(file)?.testResults ?? [];
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function count(ok, name, seconds) {
  if (ok) passed++;
  else fail(name);
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds.toFixed(1)} s)`);
}

function fail(name) {
  failed++;
  failures.push(name);
}

function npm(args, { quiet }) {
  // Walks and repeated scenarios at their full length, which `npm test` alone spares.
  const env = { ...process.env, TABLOG_LONG: '1', ...(quiet && { NO_COLOR: '1' }) };
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn('npm', args, {
      cwd: root,
      env,
      shell: process.platform === 'win32',
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    });
    let output = '';
    const keep = (chunk) => (output += String(chunk));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const end = (code) => resolve({ code, output, seconds: (performance.now() - started) / 1000 });
    child.once('error', (error) => {
      output += error.message;
      end(1);
    });
    child.once('close', end);
  });
}

function indent(text) {
  return text.trimEnd().replaceAll(/^/gm, '    ');
}
