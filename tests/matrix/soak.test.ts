import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Random } from '../checker/random.ts';
import { lackOf, selectedEngine } from '../engines/engines.ts';
import { Devtools } from '../scale/devtools.ts';
import { profileOf } from '../support/browser.ts';
import { oneSeed } from '../support/seeds.ts';
import { injectFault } from '../support/worker-faults.ts';
import { useMatrixPage } from './run-row.ts';
import { Run } from './run.ts';

// `npm run soak` runs this, and says by the environment for how long.

const MINUTES = Number(process.env['TABLOG_SOAK_MINUTES'] ?? 1);

/** A file that gets the memory of each round as JSON. */
const REPORT = process.env['TABLOG_SOAK_REPORT'];

/** How long tabs send and copy in a round, with a fault every few seconds. */
const ROUND_MS = 30_000;
const TABS = 3;

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
    const soak = new Soak(run, lackOf(engine, ['crash']) === undefined);
    const samples: Sample[] = [];
    const began = performance.now();
    const minutes = (): number => (performance.now() - began) / 60_000;
    try {
      await run.startBrowser();
      await run.openActors(TABS);
      await run.underWay();
      while (minutes() < MINUTES) {
        const faults = await soak.round();
        const { acked } = run;
        const verdict = await run.finish();
        expect(verdict).toMatchObject({ lost: 0, doubled: 0, problems: [] });
        const heaps = lackOf(engine, ['cdp']) === undefined ? await soak.heaps() : {};
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

/** The faults of a round of a run. */
class Soak {
  readonly #run: Run;
  readonly #canCrash: boolean;

  constructor(run: Run, canCrash: boolean) {
    this.#run = run;
    this.#canCrash = canCrash;
  }

  /** Has one thing after the other go wrong; resolves to how many did. */
  async round(): Promise<number> {
    const run = this.#run;
    const until = performance.now() + ROUND_MS;
    let faults = 0;
    for (; performance.now() < until; faults++) {
      const fault = run.random.pick(this.#faults());
      await run.fault(fault.name, fault);
      while (run.actors.length < TABS) await run.openActor();
    }
    return faults;
  }

  #faults(): (() => Promise<unknown>)[] {
    const run = this.#run;
    const actor = run.take();
    const close = (): Promise<void> => run.close(actor);
    const reload = (): Promise<void> => run.reload(actor);
    const navigate = async (): Promise<void> => {
      await run.leave(actor);
      await actor.page.close();
    };
    const crash = async (): Promise<void> => {
      await run.crash(actor);
      await actor.page.close();
    };
    const killWorker = (): Promise<void> => actor.page.evaluate(injectFault, 'close' as const);
    return [close, navigate, reload, killWorker, ...(this.#canCrash ? [crash] : [])];
  }

  /** The heaps of the oldest tab and of the worker. */
  async heaps(): Promise<Pick<Sample, 'tabBytes' | 'workerBytes'>> {
    const devtools = await Devtools.attach(this.#run.actors[0]!.page);
    const { tab, worker } = await devtools.heap();
    return { tabBytes: tab, workerBytes: worker };
  }
}
