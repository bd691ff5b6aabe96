// `npm run test:connect`: connectors to a receiver over SQLite and over PostgreSQL, NATS, Durable Streams, and a
// mirror, in which browser, tabs, worker, server and network die at random, and the far end has each record once.
// Needs nats-server and PostgreSQL, which are installed on Debian and its like as root; without them their runs
// are skipped, and say so. Kafka has a script of its own, `npm run test:kafka`.
//   --runs=N        how many; default 3
//   --records=N     the records of each; default 3,000
//   --seed=N        the first seed; default a random one, which each test's name has
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runVitest } from '../support/run-vitest.mjs';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    records: { type: 'string', default: '3000' },
    seed: { type: 'string' },
  },
});

const hasNats = spawnSync('nats-server', ['--version']).error === undefined;
if (!hasNats || !existsSync('/usr/lib/postgresql')) install('nats-server', 'postgresql');
const isOk = await runVitest(['--project', 'e2e', 'tests/e2e/connect'], {
  TABLOG_CONNECT_RUNS: options.runs,
  TABLOG_CONNECT_RECORDS: options.records,
  TABLOG_SEED: options.seed,
});
// What is of NATS alone has tests of its own, which `npm test` skips where there is no nats-server.
const reads = await runVitest(['--project', 'unit', 'tests/connect/nats-'], {});
process.exitCode = isOk && reads ? 0 : 1;

function install(...names) {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...names]]) {
    spawnSync('apt-get', args, {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
}
