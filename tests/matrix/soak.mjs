// `npm run soak -- --minutes 60`: tabs that send and copy, and one random fault after the other, in a
// real browser; every half minute all is checked. Prints the seed, and the heaps of tab and worker.
//   --minutes=N     default 5
//   --engine=NAME   default chromium, the one engine whose heaps can be read
//   --seed=N        default a random one
//   --report=FILE   the heaps as JSON
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    engine: { type: 'string', default: 'chromium' },
    seed: { type: 'string' },
    report: { type: 'string' },
  },
});

const args = ['vitest', 'run', '--config', 'tests/vitest.config.ts', '--project', 'matrix'];
const child = spawn('npx', args, {
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  stdio: ['ignore', 'inherit', 'inherit'],
  shell: process.platform === 'win32',
  env: {
    ...process.env,
    TABLOG_ENGINE: options.engine,
    TABLOG_MATRIX: 'soak',
    TABLOG_SOAK_MINUTES: options.minutes,
    ...(options.seed !== undefined && { TABLOG_SEED: options.seed }),
    ...(options.report !== undefined && { TABLOG_SOAK_REPORT: options.report }),
  },
});
child.once('close', (code) => (process.exitCode = code ?? 1));
