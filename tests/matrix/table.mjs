// The tables of the fault matrix: what the runs of a report gave.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const RELIABILITY = fileURLToPath(new URL('../../RELIABILITY.md', import.meta.url));
const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const SECTION = /(<!-- matrix -->\n)[^]*?(<!-- \/matrix -->)/;

/**
 * A row for each fault, host and engine.
 * @param {readonly import('./run-report.ts').RunReport[]} runs
 */
export function tableOf(runs) {
  const head = [
    '| fault | host | engine | runs | acked | lost | told as lost | doubled | recovery, ms: p50, p99 |',
    '|---|---|---|---:|---:|---:|---:|---:|---|',
  ];
  const rows = groupsOf(runs, ({ fault, host, engine }) => `${fault} | ${host} | ${engine}`);
  return [...head, ...[...rows].map(([name, group]) => `| ${name} | ${cellsOf(group)} |`)].join(
    '\n',
  );
}

/**
 * A row for each engine.
 * @param {readonly import('./run-report.ts').RunReport[]} runs
 */
export function summaryOf(runs) {
  const head = [
    '| engine | faults | runs | acked records | lost | doubled | rules broken | not run there |',
    '|---|---:|---:|---:|---:|---:|---:|---|',
  ];
  const all = new Set(runs.map(({ fault }) => fault));
  const rows = [...groupsOf(runs, ({ version }) => version)].map(([version, group]) => {
    const done = group.filter(({ lack }) => lack === undefined);
    const faults = new Set(done.map(({ fault }) => fault));
    const lacking = [...all].filter((fault) => !faults.has(fault));
    const cells = [
      version,
      `${faults.size} of ${all.size}`,
      done.length,
      sum(done, ({ acked = 0 }) => acked).toLocaleString('en'),
      sum(done, ({ verdict }) => verdict?.lost ?? 0),
      sum(done, ({ verdict }) => verdict?.doubled ?? 0),
      done.filter(isBroken).length,
      lacking.join('; '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [...head, ...rows].join('\n');
}

/** @param {readonly import('./run-report.ts').RunReport[]} runs */
export function writeTables(runs) {
  for (const [file, table] of [
    [RELIABILITY, tableOf(runs)],
    [README, summaryOf(runs)],
  ]) {
    const text = readFileSync(file, 'utf8');
    if (!SECTION.test(text)) throw new Error(`${file} has no <!-- matrix --> section`);
    writeFileSync(
      file,
      text.replace(SECTION, (_, begin, end) => `${begin}\n${table}\n\n${end}`),
    );
  }
}

function cellsOf(group) {
  const [{ lack }] = group;
  if (lack !== undefined) return `not run: ${lack} | | | | |`;
  const recoveries = group.flatMap((run) => run.recoveries ?? []).sort((a, b) => a - b);
  return [
    group.length,
    sum(group, ({ acked = 0 }) => acked),
    sum(group, ({ verdict }) => verdict?.lost ?? 0),
    sum(group, ({ verdict }) => verdict?.told ?? 0),
    sum(group, ({ verdict }) => verdict?.doubled ?? 0),
    `${percentile(recoveries, 0.5)}, ${percentile(recoveries, 0.99)}${note(group)}`,
  ].join(' | ');
}

/** How many runs broke a rule or did not come to their end. */
function note(group) {
  const broken = group.filter(isBroken).length;
  return broken === 0 ? '' : ` (${broken} runs broke a rule)`;
}

function isBroken({ failure, verdict }) {
  return failure !== undefined || (verdict?.problems.length ?? 0) > 0;
}

function groupsOf(runs, nameOf) {
  const groups = new Map();
  for (const run of runs) {
    const name = nameOf(run);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(run);
  }
  return groups;
}

function sum(runs, valueOf) {
  return runs.reduce((total, run) => total + valueOf(run), 0);
}

function percentile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? '';
}
