import { TABS } from './run.ts';
import type { Actor, Run } from './run.ts';
import { injectFault } from '../support/worker-faults.ts';

/** A way in which a tab or a worker ends. */
type Death = (run: Run, actor: Actor) => Promise<void>;

const DEATHS: Readonly<Record<string, Death>> = {
  'tab closed': (run, actor) => run.close(actor),
  'tab reloaded': (run, actor) => run.reload(actor),
  async 'tab left'(run, actor) {
    await run.leave(actor);
    await actor.page.close();
  },
  'worker killed': (run, actor) => killWorker(run, actor),
};

const CRASH: Death = async (run, actor) => {
  await run.crash(actor);
  await actor.page.close();
};

/** Has a tab or the worker end, at random, and opens another tab where one is gone. */
export async function randomDeath(run: Run, canCrash: boolean): Promise<void> {
  const deaths = { ...DEATHS, ...(canCrash && { 'tab crashed': CRASH }) };
  const [name, death] = run.random.pick(Object.entries(deaths));
  const actor = run.take();
  await run.fault(name, () => death(run, actor));
  while (run.actors.length < TABS) await run.openActor();
}

/** Kills the SharedWorker, or the worker of a tab. */
export async function killWorker(run: Run, { page }: Actor): Promise<void> {
  if (run.host === 'shared') await page.evaluate(injectFault, 'close' as const);
  else await page.evaluate(() => window.newestWorker!.terminate());
}
