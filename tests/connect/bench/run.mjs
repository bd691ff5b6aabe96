// `npm run bench:connect`: records a second from a page to a real server on this machine, by a connector and by
// a plain loop over the target's own client, in turn. Prints a table in Markdown; exits with 1 where a record is
// missing or double at the far end.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { withTypeScript } from '../../support/with-typescript.mjs';
import { toMarkdown } from './report.mjs';

const PATHS = ['http', 'nats', 'durable-streams', 'kafka', 'mirror'];

const USAGE = `Usage: npm run bench:connect -- [options]

  --records <n>     the records of each delivery; default 20000
  --bytes <n>       the bytes of each value, as JSON; default 100
  --partitions <n>  the partitions, which are delivered side by side; default 1
  --rounds <n>      how often each is measured; default 3
  --only <words>    some of ${PATHS.join(',')}
  --json <file>     writes every round as JSON`;

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '20000' },
    bytes: { type: 'string', default: '100' },
    partitions: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: PATHS.join(',') },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) console.log(USAGE);
else await run();

async function run() {
  const began = performance.now();
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => stopping.abort(new Error('interrupted')));
  }
  try {
    const options = {
      records: countOf('records', 1),
      bytes: countOf('bytes', 20),
      partitions: countOf('partitions', 1),
      rounds: countOf('rounds', 1),
      only: pathsOf(values.only),
      signal: stopping.signal,
      onProgress: (what) => {
        const seconds = ((performance.now() - began) / 1_000).toFixed(0);
        console.error(`${seconds.padStart(4)} s  ${what}`);
      },
    };
    const report = await withTypeScript(new URL('bench.ts', import.meta.url), ({ bench }) =>
      bench(options),
    );
    console.log(toMarkdown(report));
    if (values.json !== undefined) {
      await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    }
  } catch (error) {
    console.error(
      `\nThe benchmark failed. ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
  }
}

function countOf(name, least) {
  const count = Number(values[name]);
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw new RangeError(`--${name} must be an integer of at least ${least}, got ${values[name]}`);
}

function pathsOf(words) {
  const only = words.split(',');
  const unknown = only.find((word) => !PATHS.includes(word));
  if (unknown === undefined) return only;
  throw new RangeError(`--only must be of ${PATHS.join(', ')}, got ${unknown}`);
}
