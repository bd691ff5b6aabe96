import { ALL_HOSTS, WORKER_ENDED_BY_PAGE } from '../row.ts';
import type { Row } from '../row.ts';
import type { Actor, Run } from '../run.ts';
import { suspend } from '../suspend.ts';
import type { MatrixApi } from '../page/main.ts';

/** Longer than a member may be silent: a tab that is suspended for so long loses its partitions. */
const SUSPENSION_MS = 12_000;

/** What happens to a tab. */
export const TAB_ROWS: readonly Row[] = [
  {
    fault: 'tab closed',
    hosts: ALL_HOSTS,
    async inject(run) {
      const actor = run.take();
      run.forget(actor);
      await run.fault('close', () => actor.page.close());
    },
  },
  {
    fault: 'tab crashed',
    hosts: ALL_HOSTS,
    needs: ['crash'],
    async inject(run) {
      const actor = run.take();
      run.forget(actor);
      await run.fault('crash', () => run.profile.crash(actor.page));
    },
  },
  {
    fault: 'first tab crashed, which started the worker',
    hosts: ['shared'],
    needs: ['crash'],
    async inject(run) {
      const [first] = run.actors;
      run.forget(first!);
      await run.fault('crash', () => run.profile.crash(first!.page));
    },
  },
  {
    fault: 'tab reloaded',
    hosts: ALL_HOSTS,
    async inject(run) {
      const actor = run.take();
      await run.fault('reload', async () => {
        await actor.page.reload();
        await actAnew(run, actor);
      });
    },
  },
  {
    fault: 'tab navigated away',
    hosts: ALL_HOSTS,
    async inject(run) {
      const actor = run.take();
      run.forget(actor);
      await run.fault('navigate', () => actor.page.goto('about:blank'));
    },
  },
  {
    fault: 'tab navigated away, and back again',
    hosts: ALL_HOSTS,
    failsIn: WORKER_ENDED_BY_PAGE,
    async inject(run) {
      const actor = run.take();
      await run.fault('navigate', () => actor.page.goto(`${run.server.url}/elsewhere.html`));
      await run.fault('back', async () => {
        await actor.page.goBack();
        // A page from the back-forward cache goes on; any other begins anew.
        if (!(await isAtWork(actor))) await actAnew(run, actor);
      });
    },
  },
  {
    fault: `tab suspended for ${SUSPENSION_MS / 1_000} s`,
    isSlow: true,
    hosts: ALL_HOSTS,
    needs: ['crash'],
    async inject(run) {
      const actor = run.take();
      await run.fault('suspend', () => suspend(run, actor, SUSPENSION_MS));
    },
  },
];

/** Has a page that was loaded again go to work. */
async function actAnew(run: Run, actor: Actor): Promise<void> {
  await actor.page.waitForFunction('window.api !== undefined');
  await run.act(actor, run.newProducer());
}

function isAtWork({ page }: Actor): Promise<boolean> {
  return page.evaluate(() => (globalThis as { api?: MatrixApi }).api?.isAtWork() === true);
}
