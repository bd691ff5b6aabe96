// Makes tests/fixtures/kafka-logs anew, with a Kafka broker from Maven Central: see README.md.
//   node tests/tools/kafka-log-files/make.mjs
//   node tests/tools/kafka-log-files/make.mjs --read FILE   what Kafka's own code says of a log file
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const LEAST_JAVA = 17;

const here = fileURLToPath(new URL('.', import.meta.url));
const fixtures = fileURLToPath(new URL('../../fixtures/kafka-logs/', import.meta.url));
const work = mkdtempSync(path.join(tmpdir(), 'tablog-kafka-'));

try {
  checkTools();
  const jars = path.join(work, 'jars');
  run('mvn', ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`]);
  const program = ['-cp', path.join(jars, '*'), 'LogFiles.java'];
  if (process.argv[2] === '--read') {
    run('java', [...program, '--read', path.resolve(process.argv[3] ?? '')]);
  } else {
    rmSync(fixtures, { recursive: true, force: true });
    mkdirSync(fixtures, { recursive: true });
    run('java', [...program, fixtures, path.join(work, 'broker')]);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function checkTools() {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (java.error) throw new Error(`no java: install a JDK, ${LEAST_JAVA} or newer`);
  const [, version] = /version "(\d+)/.exec(java.stderr) ?? [];
  if (!(Number(version) >= LEAST_JAVA)) {
    throw new Error(`java is version ${version}: Kafka's broker needs ${LEAST_JAVA} or newer`);
  }
  if (spawnSync('mvn', ['-version']).error) throw new Error('no mvn: install Maven, 3.8 or newer');
}

function run(command, parameters) {
  const { status, error } = spawnSync(command, parameters, { cwd: here, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} failed (${error?.message ?? `exit ${status}`})`);
}
