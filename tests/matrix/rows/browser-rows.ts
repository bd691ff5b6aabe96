import { setTimeout as sleep } from 'node:timers/promises';
import { ALL_HOSTS, WORKERS } from '../row.ts';
import type { Row } from '../row.ts';

const SLEEP_MS = 20_000;

/** What happens to the whole browser. */
export const BROWSER_ROWS: readonly Row[] = [
  {
    fault: 'browser killed, and opened again',
    hosts: ALL_HOSTS,
    needs: ['kill'],
    async inject(run) {
      await run.fault('kill', async () => {
        await run.profile.kill();
        await run.startBrowser();
        await run.openActors(2);
      });
    },
  },
  {
    fault: `machine slept for ${SLEEP_MS / 1_000} s`,
    hosts: WORKERS,
    needs: ['kill'],
    async inject(run) {
      await run.fault('sleep', () => run.profile.suspend(() => sleep(SLEEP_MS)));
    },
  },
];
