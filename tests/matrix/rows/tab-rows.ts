import { setTimeout as sleep } from 'node:timers/promises';
import { setClock } from '../../support/shifted-clock.ts';
import { BACK_MS, FORTH_MS } from '../clocks.ts';
import { ALL_HOSTS } from '../row.ts';
import type { Row } from '../row.ts';
import type { Actor } from '../run.ts';
import { suspend } from '../suspend.ts';
import type { MatrixApi } from '../page/main.ts';

/** Longer than a member may be silent: a tab that is suspended for so long loses its partitions. */
const SUSPENSION_MS = 12_000;

/** Faults of a tab. */
export const TAB_ROWS: readonly Row[] = [
  {
    fault: 'tab closed',
    hosts: ALL_HOSTS,
    inject: (run) => run.fault('close', () => run.close(run.take())),
  },
  {
    fault: 'tab crashed',
    hosts: ALL_HOSTS,
    needs: ['crash'],
    inject: (run) => run.fault('crash', () => run.crash(run.take())),
  },
  {
    fault: 'first tab crashed, which started the worker',
    hosts: ['shared'],
    needs: ['crash'],
    inject: (run) => run.fault('crash', () => run.crash(run.actors[0]!)),
  },
  {
    fault: 'tab reloaded',
    hosts: ALL_HOSTS,
    inject: (run) => run.fault('reload', () => run.reload(run.take())),
  },
  {
    fault: 'only tab reloaded',
    hosts: ALL_HOSTS,
    tabs: 1,
    inject: (run) => run.fault('reload', () => run.reload(run.take())),
  },
  {
    fault: 'tab navigated away',
    hosts: ALL_HOSTS,
    inject: (run) => run.fault('navigate', () => run.leave(run.take())),
  },
  {
    fault: 'tab navigated away, and back again',
    hosts: ALL_HOSTS,
    async inject(run) {
      const actor = run.take();
      await run.fault('navigate', () => actor.page.goto(`${run.server.url}/elsewhere.html`));
      await run.fault('back', async () => {
        await actor.page.goBack();
        // A page from the back-forward cache goes on; any other begins anew.
        if (!(await isAtWork(actor))) await run.actAnew(actor);
      });
    },
  },
  {
    fault: `tab frozen for ${SUSPENSION_MS / 1_000} s`,
    isSlow: true,
    hosts: ALL_HOSTS,
    needs: ['cdp'],
    async inject(run) {
      const session = await run.context.newCDPSession(run.take().page);
      const becomes = (state: 'frozen' | 'active'): Promise<unknown> =>
        session.send('Page.setWebLifecycleState', { state });
      await run.fault('freeze', () => becomes('frozen'));
      await sleep(SUSPENSION_MS);
      await run.fault('thaw', () => becomes('active'));
    },
  },
  {
    fault: 'clock of a tab set two days forth, then back',
    hosts: ALL_HOSTS,
    async inject(run) {
      const { page } = run.take();
      await run.fault('forth', () => page.evaluate(setClock, FORTH_MS));
      await run.fault('back', () => page.evaluate(setClock, BACK_MS));
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

function isAtWork({ page }: Actor): Promise<boolean> {
  return page.evaluate(() => (globalThis as { api?: MatrixApi }).api?.isAtWork() === true);
}
