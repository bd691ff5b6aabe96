// `npm run bench:runtimes`: records of 100 bytes over SQLite in a file, relaxed, in each runtime, beside
// SQLite alone in the same run. Prints a table of medians; --report=FILE gets every round as JSON.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { installRuntimes } from '../runtimes.mjs';

const MEASURE = fileURLToPath(new URL('measure.mjs', import.meta.url));
const { values: options } = parseArgs({ options: { report: { type: 'string' } } });

const results = installRuntimes().map(({ name, version, command, args }) => {
  const output = execFileSync(command, [...args, MEASURE], { encoding: 'utf8' });
  return { runtime: `${name} ${version}`, rates: JSON.parse(output.trim().split('\n').at(-1)) };
});
if (options.report !== undefined) writeFileSync(options.report, JSON.stringify(results, null, 2));

const cases = Object.keys(results[0].rates);
console.log(`| thousand records a second | ${results.map(({ runtime }) => runtime).join(' | ')} |`);
console.log(`|---|${results.map(() => '---:|').join('')}`);
for (const name of cases) {
  const cells = results.map(({ rates }) => (median(rates[name]) / 1_000).toFixed(1));
  console.log(`| ${name} | ${cells.join(' | ')} |`);
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
