import { writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { Random } from '../checker/random.ts';
import { lackOf, selectedEngine } from '../engines/engines.ts';
import { Devtools } from '../scale/devtools.ts';
import { profileOf } from '../support/browser.ts';
import { oneSeed } from '../support/seeds.ts';
import { randomDeath } from './deaths.ts';
import { useMatrixPage } from './run-row.ts';
import { Run, TABS } from './run.ts';

// `npm run soak` runs this, and says by the environment for how long.

const MINUTES = Number(process.env['TABLOG_SOAK_MINUTES'] ?? 1);

/** A file that gets the memory of each round as JSON. */
const REPORT = process.env['TABLOG_SOAK_REPORT'];

/** How long tabs send and copy in a round, with a fault every few seconds. */
const ROUND_MS = 30_000;

/** The heaps of a round, in bytes, after a collection. */
interface Sample {
  readonly minutes: number;
  readonly faults: number;
  readonly acked: number;
  readonly tabBytes?: number;
  readonly workerBytes?: number;
}

const page = useMatrixPage();
const seed = oneSeed();

it(
  `${MINUTES} minutes of faults lose and double nothing: seed ${seed}`,
  { timeout: (MINUTES + 10) * 60_000 },
  async () => {
    const engine = await selectedEngine();
    const profile = await profileOf(engine);
    const run = new Run({ profile, server: page.server, host: 'shared', random: new Random(seed) });
    const canCrash = lackOf(engine, ['crash']) === undefined;
    const samples: Sample[] = [];
    const began = performance.now();
    const minutes = (): number => (performance.now() - began) / 60_000;
    try {
      await run.startBrowser();
      await run.openActors(TABS);
      await run.underWay();
      while (minutes() < MINUTES) {
        const faults = await oneRound(run, canCrash);
        const { acked } = run;
        const verdict = await run.finish();
        expect(verdict).toMatchObject({ lost: 0, doubled: 0, problems: [] });
        const heaps = lackOf(engine, ['cdp']) === undefined ? await heapsOf(run) : {};
        samples.push({ minutes: Math.round(minutes() * 10) / 10, faults, acked, ...heaps });
        console.log(JSON.stringify(samples.at(-1)));
        await run.beginAgain();
      }
    } finally {
      if (REPORT !== undefined) writeFileSync(REPORT, JSON.stringify({ seed, samples }, null, 2));
      await profile.remove();
    }
  },
);

/** Has one thing after the other go wrong for a round; resolves to how many did. */
async function oneRound(run: Run, canCrash: boolean): Promise<number> {
  const until = performance.now() + ROUND_MS;
  let faults = 0;
  for (; performance.now() < until; faults++) await randomDeath(run, canCrash);
  return faults;
}

/** The heaps of the oldest tab and of the worker. A worker that is asked as it ends is asked again. */
function heapsOf(run: Run): Promise<Pick<Sample, 'tabBytes' | 'workerBytes'>> {
  return vi.waitFor(
    async () => {
      const devtools = await Devtools.attach(run.actors[0]!.page);
      try {
        const { tab, worker } = await devtools.heap();
        return { tabBytes: tab, workerBytes: worker };
      } finally {
        await devtools.close();
      }
    },
    { timeout: 120_000, interval: 1_000 },
  );
}
