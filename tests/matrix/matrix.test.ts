import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../checker/random.ts';
import { lackOf, selectedEngine } from '../engines/engines.ts';
import { newProfile } from '../support/browser.ts';
import { serveTwoBuilds } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { oneSeed } from '../support/seeds.ts';
import type { Verdict } from './check-run.ts';
import { ROWS } from './rows.ts';
import { Run } from './run.ts';
import type { RunReport } from './run-report.ts';

/** How often each row is run with each host. */
const RUNS = Number(process.env['TABLOG_MATRIX_RUNS'] ?? 1);

/** The rows and hosts whose names contain it. */
const ONLY = process.env['TABLOG_MATRIX_ROWS'] ?? '';

/** A file that gets a line of JSON for each run. */
const REPORT = process.env['TABLOG_MATRIX_REPORT'];

/** How many tabs send and copy. */
const TABS = 3;

const LIMIT = { timeout: 240_000 };

const seed = oneSeed();
const seeds = Array.from({ length: RUNS }, (_, i) => (seed + i) >>> 0);
let server: PageServer;

beforeAll(async () => {
  server = await serveTwoBuilds(new URL('./page', import.meta.url).pathname);
  server.override(/elsewhere\.html$/, (response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>elsewhere</title>');
  });
});
afterAll(() => server.close());

const cases = ROWS.flatMap((row) =>
  row.hosts.map((host) => ({ row, host, name: `${row.fault} (${host})` })),
).filter(({ name }) => name.includes(ONLY));

describe.each(cases)('$name', ({ row, host }) => {
  it.for(seeds)('loses and doubles nothing: seed %d', LIMIT, async (each, { skip }) => {
    const engine = await selectedEngine();
    const about = { engine: engine.name, version: engine.version, fault: row.fault, host };
    const lack = lackOf(engine, row.needs ?? []);
    if (lack !== undefined) {
      report({ ...about, lack });
      skip(lack);
    }
    const disk = row.diskBytes === undefined ? undefined : mountDisk(row.diskBytes);
    const profile = await newProfile(disk);
    const ended: { verdict?: Verdict; failure?: string } = {};
    const run = new Run({ profile, server, host, random: new Random(each), start: row.start });
    try {
      await run.startBrowser();
      if (row.quotaBytes !== undefined) await run.setQuota(row.quotaBytes);
      await run.openActors(row.tabs ?? TABS);
      if (row.tabs !== 0) await run.underWay();
      await row.inject(run);
      const verdict = await run.finish();
      ended.verdict = verdict;
      expect(verdict.problems).toEqual([]);
      expect(verdict).toMatchObject({ lost: 0, doubled: 0 });
    } catch (error) {
      ended.failure = String(error);
      throw error;
    } finally {
      report({ ...about, seed: each, acked: run.acked, recoveries: run.recoveries, ...ended });
      await profile.remove();
      if (disk !== undefined) unmountDisk(disk);
    }
  });
});

/** A small disk of its own; Linux lets root have one in memory. */
function mountDisk(bytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'tablog-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
  return folder;
}

function unmountDisk(folder: string): void {
  execFileSync('umount', ['--lazy', folder]);
  rmdirSync(folder);
}

function report(line: RunReport): void {
  if (REPORT !== undefined) appendFileSync(REPORT, `${JSON.stringify(line)}\n`);
}
