// Measures with a thousand of what there are mostly ten, in a real browser, and looks for leaks:
// `npm run scale -- --records 1000000`.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { withTypeScript } from '../support/with-typescript.mjs';

const SIZES = {
  topics: 1_000,
  partitions: 1_000,
  groups: 2_000,
  tabs: 50,
  consumers: 200,
  records: 10_000_000,
};
const OPENINGS = 1_000;

const USAGE = `Usage: npm run scale -- [options]

  --topics <n>, --partitions <n>, --groups <n>, --tabs <n>, --consumers <n>, --records <n>
                  the counts; default ${Object.values(SIZES).join(', ')}
  --openings <n>  how often logs, producers, consumers and members are opened and closed; default ${OPENINGS}
  --only <words>  measures some cases alone, such as topics,records,leaks
  --json <file>   writes the results as JSON`;

const names = /** @type {(keyof typeof SIZES)[]} */ (Object.keys(SIZES));
const { values } = parseArgs({
  options: {
    ...Object.fromEntries(names.map((name) => [name, /** @type {const} */ ({ type: 'string' })])),
    openings: { type: 'string', default: String(OPENINGS) },
    only: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) console.log(USAGE);
else await run();

async function run() {
  const began = performance.now();
  const sizes = Object.fromEntries(
    names.map((name) => [name, Number(values[name] ?? SIZES[name])]),
  );
  /** @type {import('./scale.ts').ScaleReport} */
  const report = await withTypeScript(new URL('scale.ts', import.meta.url), ({ scale }) =>
    scale({
      sizes,
      openings: Number(values.openings),
      only: values.only?.split(','),
      /** @param {string} what */
      onProgress: (what) => {
        const seconds = ((performance.now() - began) / 1_000).toFixed(0);
        console.error(`${seconds.padStart(5)} s  ${what}`);
      },
    }),
  );
  const { rows, leaks, browser } = report;
  console.log(`Chromium ${browser}; milliseconds, and MiB of heap before and after\n`);
  console.table(
    rows.map(({ case: name, count, makeMs, idleMs, ms, round, heap, locks }) => ({
      case: `${count} ${name}`,
      make: Math.round(makeMs),
      'until idle': Math.round(idleMs),
      open: toTenths(ms.open),
      send: toTenths(ms.send),
      read: toTenths(ms.read),
      deliver: toTenths(ms.deliver),
      'round: transactions': round.transactions,
      'round: ms': Math.round(round.ms),
      'tab MiB': `${toMiB(heap.before.tab)} → ${toMiB(heap.after.tab)}`,
      'worker MiB': `${toMiB(heap.before.worker)} → ${toMiB(heap.after.worker)}`,
      locks,
    })),
  );
  console.table(
    leaks.map(({ kind, count, bytesEach, locks }) => ({
      'opened and closed': `${count} times a ${kind}`,
      'bytes each: tab': bytesEach.tab,
      'bytes each: worker': bytesEach.worker,
      locks: `${locks.before} → ${locks.after}`,
    })),
  );
  if (values.json) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

/** @param {number} ms */
function toTenths(ms) {
  return Math.round(ms * 10) / 10;
}

/** @param {number} bytes */
function toMiB(bytes) {
  return (bytes / 2 ** 20).toFixed(1);
}
