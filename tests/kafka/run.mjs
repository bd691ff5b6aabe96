// `npm run test:kafka`: the gateway in front of a real broker of Kafka 4, in KRaft mode. Needs a JDK, 17 or later, and
// Maven, and says so where they are missing; the broker's jars come from Maven Central.
//   --runs=N        how many runs in which everything dies; default 2
//   --records=N     the records of each; default 2,000
//   --seed=N        the first seed; default a random one, which each test's name has
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runVitest } from '../support/run-vitest.mjs';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '2' },
    records: { type: 'string', default: '2000' },
    seed: { type: 'string' },
  },
});

const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const jars = fileURLToPath(new URL('../../.cache/kafka', import.meta.url));

if (!has('javac')) {
  console.log(
    'npm run test:kafka was not run: there is no JDK, of which Kafka 4 needs 17 or later.',
  );
} else if (!existsSync(jars) && !has('mvn')) {
  console.log(
    "npm run test:kafka was not run: there is no Maven ('mvn'), which brings the broker.",
  );
} else {
  if (!existsSync(jars)) copyJars();
  const isOk = await runVitest(['--project', 'kafka'], {
    TABLOG_KAFKA: '1',
    TABLOG_CONNECT_RUNS: options.runs,
    TABLOG_CONNECT_RECORDS: options.records,
    TABLOG_SEED: options.seed,
  });
  process.exitCode = isOk ? 0 : 1;
}

function has(program) {
  return spawnSync(program, ['-version']).error === undefined;
}

function copyJars() {
  const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`];
  const { status } = spawnSync('mvn', args, { stdio: 'inherit' });
  if (status !== 0) throw new Error('Maven did not bring the broker');
}
