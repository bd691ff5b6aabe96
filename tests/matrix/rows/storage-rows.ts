import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseFiles, leaveAndQuit } from '../database-files.ts';
import { ALL_HOSTS, WORKERS } from '../row.ts';
import type { Row } from '../row.ts';
import type { MatrixApi } from '../page/main.ts';
import type { Run } from '../run.ts';
import type { RunEvent } from '../run-record.ts';
import { deleteDatabase, holdDatabase, upgradeDatabase } from '../foreign-script.ts';

declare const api: MatrixApi;

const QUOTA_BYTES = 12_000_000;
const DISK_BYTES = 300_000_000;
/** The bytes that a full disk still has: less than a few records. */
const LEFT_BYTES = 2_000_000;
const LARGE_BYTES = 200_000;

/** Faults of the storage. */
export const STORAGE_ROWS: readonly Row[] = [
  {
    fault: 'site data cleared while tabs run',
    hosts: ALL_HOSTS,
    needs: ['clear'],
    async inject(run) {
      await run.fault('clear', async () => {
        await run.profile.clearDatabases(run.actors[0]!.page);
        await beginAnew(run);
      });
    },
  },
  {
    fault: 'databases gone while the browser is closed',
    hosts: WORKERS,
    async inject(run) {
      await run.fault('gone', async () => {
        await leaveAndQuit(run);
        for (const file of databaseFiles(run.profile.folder)) rmSync(file);
        await run.startBrowser();
        await run.openActors(2);
      });
    },
  },
  {
    fault: 'quota reached, and raised after 3 s',
    isSlow: true,
    hosts: WORKERS,
    needs: ['cdp'],
    quotaBytes: QUOTA_BYTES,
    inject: (run) => untilRoom(run, { makeRoom: () => run.setQuota(undefined) }),
  },
  {
    fault: 'disk full, and room made after 3 s',
    isSlow: true,
    hosts: WORKERS,
    needs: ['disk'],
    diskBytes: DISK_BYTES,
    async inject(run) {
      const ballast = path.join(path.dirname(run.profile.folder), 'ballast');
      await untilRoom(run, {
        takeRoom: () => fillDisk(ballast),
        makeRoom: () => rmSync(ballast),
      });
    },
  },
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

/** Writes a file that leaves `LEFT_BYTES` of its disk. */
function fillDisk(file: string): void {
  const { bavail, bsize } = statfsSync(path.dirname(file));
  try {
    writeFileSync(file, Buffer.alloc(Math.max(bavail * bsize - LEFT_BYTES, 0)));
  } catch (error) {
    // The browser writes as well, and has taken what was left.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** Sends large records until there is no room for them, and lets there be room after 3 s. */
async function untilRoom(
  run: Run,
  { takeRoom, makeRoom }: { readonly takeRoom?: () => void; readonly makeRoom: () => unknown },
): Promise<void> {
  await run.pause();
  takeRoom?.();
  const large = run.newProducer();
  const { page } = run.actors[0]!;
  await page.evaluate(
    ([producer, maxValueBytes]) => api.startSending(producer, { maxValueBytes }),
    [large, LARGE_BYTES] as const,
  );
  await run.heard((event) => isDeletion(event) || isFull(event));
  await page.evaluate(() => api.stopSending());
  await run.fault('room', async () => {
    await sleep(3_000);
    await makeRoom();
    if (!run.events.some(isDeletion)) await run.goOn();
    // Chromium on LevelDB deletes a database whose files it could not write to, some time later.
    const deleted = run.heard(isDeletion).then(
      () => true,
      () => false,
    );
    if (await Promise.race([deleted, run.underWay().then(() => false)])) await beginAnew(run);
  });
}

/** A storage that hangs on a full disk, as Chromium's can, does not even refuse. */
function isFull(event: RunEvent): boolean {
  return event.kind === 'refused' && ['STORAGE_FULL', 'OUTCOME_UNKNOWN'].includes(event.code);
}

function isDeletion(event: RunEvent): boolean {
  return event.kind === 'status' && event.type === 'logDeleted';
}

/** Every tab opens the log again, as an application does that is told that its log is gone. */
async function beginAnew(run: Run): Promise<void> {
  await Promise.all(
    run.actors.map(async (actor) => {
      await actor.page.evaluate(() => api.leaveLog());
      await run.act(actor, run.newProducer());
    }),
  );
}
