import { appendFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lackOf, selectedEngine } from '../engines/engines.ts';
import { oneSeed } from '../support/seeds.ts';
import { ROWS } from './rows.ts';
import { runRow, useMatrixPage } from './run-row.ts';
import type { RunReport } from './run-report.ts';

// `npm run matrix` runs these, and says by the environment what to run.

/** How often each row is run with each host. */
const RUNS = Number(process.env['TABLOG_MATRIX_RUNS'] ?? 1);

/** The rows and hosts whose names contain it. */
const ONLY = process.env['TABLOG_MATRIX_ROWS'] ?? '';

/** Without the rows that take longest. */
const IS_QUICK = process.env['TABLOG_MATRIX_QUICK'] !== undefined;

/** A file that gets a line of JSON for each run. */
const REPORT = process.env['TABLOG_MATRIX_REPORT'];

const LIMIT = { timeout: 240_000 };

const seed = oneSeed();
const seeds = Array.from({ length: RUNS }, (_, i) => (seed + i) >>> 0);
const page = useMatrixPage();

const cases = ROWS.filter(({ isSlow = false }) => !(IS_QUICK && isSlow))
  .flatMap((row) => row.hosts.map((host) => ({ row, host, name: `${row.fault} (${host})` })))
  .filter(({ name }) => name.includes(ONLY));

describe.each(cases)('$name', ({ row, host }) => {
  it.for(seeds)('loses and doubles nothing: seed %d', LIMIT, async (each, { skip }) => {
    const engine = await selectedEngine();
    const lack = lackOf(engine, row.needs ?? []);
    if (lack !== undefined) {
      const { name, version } = engine;
      write({ engine: name, version, fault: row.fault, host, lack });
      skip(lack);
    }
    const report = await runRow({ row, host, engine, seed: each, server: page.server });
    write(report);
    expect(report.failure).toBeUndefined();
    expect(report.verdict).toMatchObject({ lost: 0, doubled: 0, problems: [] });
  });
});

function write(report: RunReport): void {
  if (REPORT !== undefined) appendFileSync(REPORT, `${JSON.stringify(report)}\n`);
}
