// `npm run soak -- --minutes 60`: tabs that send and copy, and one random fault after the other, in a
// real browser; every half minute all is checked. Prints the seed, and the heaps of tab and worker.
//   --minutes=N     default 5
//   --engine=NAME   default chromium, the one engine whose heaps can be read
//   --seed=N        default a random one
//   --report=FILE   the heaps as JSON
import { parseArgs } from 'node:util';
import { runVitest } from '../support/run-vitest.mjs';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    engine: { type: 'string', default: 'chromium' },
    seed: { type: 'string' },
    report: { type: 'string' },
  },
});

const isOk = await runVitest(['--project', 'matrix'], {
  TABLOG_ENGINE: options.engine,
  TABLOG_MATRIX: 'soak',
  TABLOG_SOAK_MINUTES: options.minutes,
  TABLOG_SEED: options.seed,
  TABLOG_SOAK_REPORT: options.report,
});
process.exitCode = isOk ? 0 : 1;
