import { setTimeout as sleep } from 'node:timers/promises';
import { ALL_HOSTS, WORKERS } from '../row.ts';
import type { Row } from '../row.ts';
import type { Actor } from '../run.ts';

const SLEEP_MS = 20_000;

/** Faults of the whole browser. */
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
    fault: 'browser killed three times, one after the other',
    isSlow: true,
    hosts: WORKERS,
    needs: ['kill'],
    async inject(run) {
      for (let i = 0; i < 3; i++) {
        await run.fault('kill', async () => {
          await run.profile.kill();
          await run.startBrowser();
          await run.openActors(2);
        });
      }
    },
  },
  {
    fault: 'private window: tab crashed',
    hosts: ALL_HOSTS,
    needs: ['crash'],
    start: { isPrivate: true },
    inject: (run) => run.fault('crash', () => run.crash(run.take())),
  },
  {
    fault: 'ten tabs open at once',
    hosts: ALL_HOSTS,
    tabs: 0,
    async inject(run) {
      const tabs: Actor[] = [];
      for (let i = 0; i < 10; i++) tabs.push(await run.openTab());
      await run.fault('open', () => Promise.all(tabs.map((tab) => run.act(tab))));
    },
  },
  {
    fault: 'brokers of three kinds on one log, and a tab of each crashed',
    isSlow: true,
    hosts: ['mixed'],
    tabs: 6,
    needs: ['crash'],
    async inject(run) {
      for (const actor of run.actors.slice(0, 3)) {
        await run.fault('crash', () => run.crash(actor));
      }
    },
  },
  {
    fault: 'processor throttled to a twentieth for 10 s',
    isSlow: true,
    hosts: WORKERS,
    needs: ['cdp'],
    async inject(run) {
      const sessions = await Promise.all(
        run.actors.map(({ page }) => run.context.newCDPSession(page)),
      );
      const throttle = (rate: number): Promise<unknown> =>
        Promise.all(sessions.map((each) => each.send('Emulation.setCPUThrottlingRate', { rate })));
      await run.fault('throttle', async () => {
        await throttle(20);
        await sleep(10_000);
      });
      await throttle(1);
    },
  },
  {
    fault: 'network gone',
    hosts: ALL_HOSTS,
    needs: ['offline'],
    async inject(run) {
      await run.fault('offline', () => run.context.setOffline(true));
      await run.context.setOffline(false);
    },
  },
  {
    fault: `machine slept for ${SLEEP_MS / 1_000} s`,
    isSlow: true,
    hosts: WORKERS,
    needs: ['kill'],
    async inject(run) {
      await run.fault('sleep', () => run.profile.suspend(() => sleep(SLEEP_MS)));
    },
  },
];
