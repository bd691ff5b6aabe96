import { ALL_HOSTS } from '../row.ts';
import type { Row } from '../row.ts';
import type { MatrixApi } from '../page/main.ts';
import type { Run } from '../run.ts';
import { deleteDatabase, holdDatabase, upgradeDatabase } from '../foreign-script.ts';

declare const api: MatrixApi;

/** What happens to the storage. */
export const STORAGE_ROWS: readonly Row[] = [
  {
    fault: 'database deleted by a foreign script',
    hosts: ALL_HOSTS,
    async inject(run) {
      await run.fault('delete', async () => {
        await run.actors[0]!.page.evaluate(deleteDatabase);
        await beginAnew(run);
      });
    },
  },
  {
    fault: 'database upgraded by a foreign script, which holds it for 3 s',
    hosts: ALL_HOSTS,
    async inject(run) {
      await run.fault('upgrade', () => run.actors[0]!.page.evaluate(upgradeDatabase, 3_000));
    },
  },
  {
    fault: 'all stores held by a foreign transaction for 3 s',
    hosts: ALL_HOSTS,
    async inject(run) {
      await run.fault('hold', () => run.actors[0]!.page.evaluate(holdDatabase, 3_000));
    },
  },
];

/** Every tab opens the log again, as an application does that is told that its log is gone. */
async function beginAnew(run: Run): Promise<void> {
  await Promise.all(
    run.actors.map(async (actor) => {
      await actor.page.evaluate(() => api.leaveLog());
      await run.act(actor, run.newProducer());
    }),
  );
}
