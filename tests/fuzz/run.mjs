// Sends mutated batches through every way by which bytes from elsewhere come in, and counts the answers:
// `npm run fuzz -- --batches 1000000 --seed 7`.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { withTypeScript } from '../support/with-typescript.mjs';

const USAGE = `Usage: npm run fuzz -- [--batches <n>] [--seed <n>] [--from <n>] [--json <file>]

  --batches <n>  how many; default 1000000
  --seed <n>     repeats the batches of a run; default random
  --from <n>     the first batch, to repeat one of a run: --seed 7 --from 123 --batches 1
  --json <file>  writes the results as JSON`;

const { values } = parseArgs({
  options: {
    batches: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    from: { type: 'string', default: '0' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) console.log(USAGE);
else process.exitCode = await run();

/** @returns {Promise<number>} the exit code. */
async function run() {
  const [batches, seed, from] = [values.batches, values.seed, values.from].map(Number);
  const began = performance.now();
  let said = began;
  /** @param {number} done @param {readonly unknown[]} faults */
  const onProgress = (done, faults) => {
    if (performance.now() - said < 5_000) return;
    said = performance.now();
    const seconds = ((said - began) / 1_000).toFixed(0);
    console.error(`${seconds.padStart(5)} s  ${done} batches, ${faults.length} faults`);
  };
  console.error(`seed ${seed}`);
  /** @type {import('./fuzz.ts').FuzzReport} */
  const report = await withTypeScript(new URL('fuzz.ts', import.meta.url), ({ fuzz }) =>
    fuzz({ batches, seed, from, onProgress }),
  );
  const seconds = Math.round((performance.now() - began) / 1_000);
  for (const [door, answers] of Object.entries(report.answers)) {
    const all = Object.entries(answers).sort(([, a], [, b]) => b - a);
    console.log(
      `${door.padEnd(10)} ${all.map(([answer, count]) => `${answer} ${count}`).join(', ')}`,
    );
  }
  const mib = (/** @type {number} */ bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const { slowest, memory, maxRssBytes, records, faults } = report;
  console.log(`${batches} batches in ${seconds} s; ${records} records stored and read back`);
  console.log(`slowest: batch ${slowest.batch}, ${slowest.ms.toFixed(0)} ms of CPU`);
  console.log(
    `in use: ${mib(memory.first)} at first, ${mib(memory.last)} at last; at most ${mib(maxRssBytes)}`,
  );
  for (const { door, batch, how, problem, hex } of faults) {
    console.log(
      `\n${door}, batch ${batch} (--seed ${seed} --from ${batch} --batches 1): ${how}\n${problem}\n${hex}`,
    );
  }
  const text = `${JSON.stringify({ ...report, seconds }, null, 2)}
`;
  if (values.json) await writeFile(values.json, text);
  return faults.length === 0 ? 0 : 1;
}
