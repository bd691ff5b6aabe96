import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { Random } from '../checker/random.ts';
import type { Engine } from '../engines/engine.ts';
import { profileOf } from '../support/browser.ts';
import { serveTwoBuilds } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import type { Verdict } from './check-run.ts';
import type { Row } from './row.ts';
import { Run, TABS } from './run.ts';
import type { Host } from './run.ts';
import type { RunReport } from './run-report.ts';

/** The page of the matrix, in two builds, for the tests of a file. */
export function useMatrixPage(): { readonly server: PageServer } {
  const used = {} as { server: PageServer };
  beforeAll(async () => {
    used.server = await serveTwoBuilds(new URL('./page', import.meta.url).pathname);
    used.server.override(/elsewhere\.html$/, (response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>elsewhere</title>');
    });
  });
  afterAll(() => used.server.close());
  return used;
}

export interface RowRun {
  readonly row: Row;
  readonly host: Host;
  readonly engine: Engine;
  readonly seed: number;
  readonly server: PageServer;
}

/** More than a run takes on a busy machine, and less than its test may: a run that hangs is told. */
const RUN_LIMIT_MS = 200_000;

/** Runs a row once. What went wrong is in the report. */
export async function runRow({ row, host, engine, seed, server }: RowRun): Promise<RunReport> {
  const about = { engine: engine.name, version: engine.version, fault: row.fault, host, seed };
  const disk = row.diskBytes === undefined ? undefined : mountDisk(row.diskBytes);
  const profile = await profileOf(engine, disk);
  const run = new Run({ profile, server, host, random: new Random(seed), start: row.start });
  const counts = (): Pick<RunReport, 'acked' | 'recoveries'> => ({
    acked: run.acked,
    recoveries: run.recoveries,
  });
  const work = async (): Promise<Verdict> => {
    await run.startBrowser();
    if (row.quotaBytes !== undefined) await run.setQuota(row.quotaBytes);
    await run.openActors(row.tabs ?? TABS);
    if (row.tabs !== 0) await run.underWay();
    await row.inject(run);
    return run.finish();
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`the run has not ended within ${RUN_LIMIT_MS} ms`);
    timer = setTimeout(reject, RUN_LIMIT_MS, error);
  });
  try {
    const verdict = await Promise.race([work(), late]);
    return { ...about, ...counts(), verdict };
  } catch (error) {
    return { ...about, ...counts(), failure: String(error) };
  } finally {
    clearTimeout(timer);
    await profile.remove();
    if (disk !== undefined) unmountDisk(disk);
  }
}

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
