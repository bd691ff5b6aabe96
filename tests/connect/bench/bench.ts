import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import type { BrowserContext } from 'playwright';
import { newTab } from '../../support/browser.ts';
import { BROWSER_ARGS, findBrowser } from '../../support/find-browser.mjs';
import type { PageServer } from '../../support/page-server.ts';
import { servePage } from '../../support/page-server.ts';
import { abortable } from '../../../src/base/abortable.ts';
import { checkStored } from './check-stored.ts';
import type { Delivered, Job, PathName, Side } from './job.ts';
import { pathsOf } from './paths.ts';
import type { BenchPath, FarEnd } from './paths.ts';

interface BenchOptions {
  readonly records: number;
  readonly bytes: number;
  readonly partitions: number;
  readonly rounds: number;
  readonly only: readonly PathName[];
  readonly signal: AbortSignal;
  readonly onProgress: (what: string) => void;
}

interface PathReport {
  readonly title: string;
  /** Why the path was not measured; `undefined`: it was. */
  readonly lack: string | undefined;
  readonly rounds: readonly Readonly<Record<Side, Delivered>>[];
}

export interface BenchReport {
  readonly options: Pick<BenchOptions, 'records' | 'bytes' | 'partitions' | 'rounds'>;
  readonly paths: readonly PathReport[];
  readonly environment: readonly string[];
}

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache', import.meta.url));

/** The time that one delivery, with what it needs before and after, may take. */
const DEADLINE_MS = 600_000;

/** Measures the paths, each by a connector and by a plain loop in turn. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  const { records, bytes, partitions, rounds, only, onProgress } = options;
  const loadBefore = loadavg()[0]!;
  // Beside the project, not in the system's temporary folder: that may be memory, not a disk.
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(path.join(CACHE, 'bench-connect-'));
  const site = await servePage(fileURLToPath(new URL('page', import.meta.url)));
  const context = await openBrowser(path.join(folder, 'profile'));
  try {
    const environment = [`Chromium ${context.browser()?.version() ?? 'unknown'}`];
    const paths: PathReport[] = [];
    for (const each of pathsOf(only, folder)) {
      const { title, lack } = each;
      if (lack === undefined) {
        environment.push(...each.versions);
        paths.push({ title, lack, rounds: await measurePath(each, options, site, context) });
      } else {
        onProgress(`${title}: not measured, ${lack}`);
        paths.push({ title, lack, rounds: [] });
      }
    }
    environment.push(
      `Node ${process.versions.node}`,
      `${cpus().length} CPUs with a load of ${loadBefore.toFixed(1)} before`,
      new Date().toISOString().slice(0, 10),
    );
    return { options: { records, bytes, partitions, rounds }, paths, environment };
  } finally {
    await context.close();
    await site.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** A browser with its profile, and so IndexedDB, in a folder. */
async function openBrowser(profile: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profile, {
    executablePath: await findBrowser(),
    args: BROWSER_ARGS,
    // A signal is the runner's to handle, which has more to clean up than the browser.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

let origins = 0;

async function measurePath(
  benchPath: BenchPath,
  options: BenchOptions,
  site: PageServer,
  context: BrowserContext,
): Promise<Readonly<Record<Side, Delivered>>[]> {
  const { rounds, onProgress } = options;
  const measured: Readonly<Record<Side, Delivered>>[] = [];
  const measure = async (side: Side, round: number): Promise<Delivered> => {
    const page = site.url.replace('localhost', `connect-${++origins}.localhost`);
    const farEnd = await benchPath.start(side, page, options.partitions);
    try {
      const delivered = await deliver(side, farEnd, options, page, context);
      const rate = ((options.records / delivered.ms) * 1_000).toFixed(0);
      const what = `${rate} records/s, ${delivered.batches} batches`;
      onProgress(`${benchPath.name}, round ${round + 1} of ${rounds}, ${side}: ${what}`);
      return delivered;
    } finally {
      await farEnd.close();
    }
  };
  try {
    for (let round = 0; round < rounds; round++) {
      const tablog = await measure('tablog', round);
      measured.push({ tablog, plain: await measure('plain', round) });
    }
    return measured;
  } finally {
    await benchPath.close();
  }
}

/** Delivers from a new page with a storage of its own; throws unless the far end has each record once. */
async function deliver(
  side: Side,
  farEnd: FarEnd,
  { records, bytes, partitions, signal }: BenchOptions,
  url: string,
  context: BrowserContext,
): Promise<Delivered> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
  const tab = await newTab(context, url);
  try {
    const failed = new Promise<never>((_, reject) => {
      tab.on('pageerror', reject);
      tab.on('crash', () => reject(new Error('the page crashed')));
    });
    const job: Job = { ...farEnd.target, records, bytes, partitions };
    const input = JSON.stringify([side, job]);
    const delivered = await abortable(
      either,
      Promise.race([tab.evaluate<Delivered>(`api.deliver(...${input})`), failed]),
    );
    checkStored(await farEnd.values(tab), { records, partitions });
    return delivered;
  } finally {
    await tab.close();
  }
}
