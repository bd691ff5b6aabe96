import { setTimeout as sleep } from 'node:timers/promises';
import { injectFault } from '../../support/worker-faults.ts';
import type { WorkerFault } from '../../support/worker-faults.ts';
import { BACK_MS, FORTH_MS } from '../clocks.ts';
import { killWorker, randomDeath } from '../deaths.ts';
import { WORKERS } from '../row.ts';
import type { Row } from '../row.ts';
import type { OverrideAnswer } from '../../support/page-server.ts';
import type { Run } from '../run.ts';

const WORKER_FILE = /tablog-worker.*\.js$/;

const PAGE = /^\/$/;
const SCRIPT = { 'content-type': 'text/javascript' };
const THROWS = 'throw new Error("the worker does not start")';

/** The promise of `openLog` is 10 s; a page has to be evaluated as well. */
const OPEN_LIMIT_MS = 11_500;

/** How long the worker's file cannot be had, in milliseconds. */
const OUTAGE_MS = 3_000;

/** How many deaths a run has where they are at random. */
const DEATH_COUNT = 2;

/** Faults of the worker. */
export const WORKER_ROWS: readonly Row[] = [
  {
    fault: 'worker killed',
    hosts: WORKERS,
    async inject(run) {
      await run.fault('kill', () => kill(run));
    },
  },
  {
    fault: 'worker killed ten times',
    isSlow: true,
    hosts: WORKERS,
    async inject(run) {
      for (let i = 0; i < 10; i++) await run.fault('kill', () => kill(run));
    },
  },
  {
    fault: `tabs and workers die, ${DEATH_COUNT} at random`,
    isSlow: true,
    hosts: WORKERS,
    needs: ['crash'],
    async inject(run) {
      for (let i = 0; i < DEATH_COUNT; i++) await randomDeath(run, true);
    },
  },
  {
    fault: 'worker hung between transactions',
    isSlow: true,
    hosts: ['shared'],
    async inject(run) {
      await run.pause();
      await run.fault('hang', async () => {
        await tellWorkers(run, 'hang');
        await run.goOn();
      });
    },
  },
  {
    // No script can end the worker, whose transaction blocks every other one: in Chromium for a
    // minute, in Firefox for good. Closing all tabs that use it ends it.
    fault: 'worker hung amid a transaction, and all tabs closed after 12 s',
    isSlow: true,
    hosts: ['shared'],
    async inject(run) {
      await run.fault('hang', async () => {
        await tellWorkers(run, 'hangInTransaction');
        await sleep(12_000);
        await Promise.all(run.actors.map((actor) => run.close(actor)));
        await run.openActors(2);
      });
    },
  },
  {
    fault: 'worker’s clock set two days forth, then back',
    hosts: ['shared'],
    async inject(run) {
      await run.fault('forth', () => tellWorkers(run, `clock ${FORTH_MS}`));
      await run.fault('back', () => tellWorkers(run, `clock ${BACK_MS}`));
    },
  },
  {
    fault: 'worker missing: its file is answered with 404',
    isSlow: true,
    hosts: WORKERS,
    inject: (run) => duringOutage(run, (response) => response.writeHead(404).end()),
  },
  {
    fault: 'worker fails at boot: its file throws',
    isSlow: true,
    hosts: WORKERS,
    inject: (run) => duringOutage(run, (response) => response.writeHead(200, SCRIPT).end(THROWS)),
  },
  {
    fault: 'worker missing as the first tab opens the log',
    hosts: WORKERS,
    tabs: 0,
    inject: (run) => atBoot(run, WORKER_FILE, (response) => response.writeHead(404).end()),
  },
  {
    fault: 'worker throws as the first tab opens the log',
    hosts: WORKERS,
    tabs: 0,
    inject: (run) =>
      atBoot(run, WORKER_FILE, (response) => response.writeHead(200, SCRIPT).end(THROWS)),
  },
  {
    fault: 'worker silent as the first tab opens the log',
    isSlow: true,
    hosts: WORKERS,
    tabs: 0,
    inject: (run) =>
      atBoot(run, WORKER_FILE, (response) => response.writeHead(200, SCRIPT).end('')),
  },
  {
    fault: 'worker refused by the Content-Security-Policy',
    hosts: WORKERS,
    tabs: 0,
    inject: (run) =>
      atBoot(run, PAGE, (response, body) => {
        const headers = {
          'content-type': 'text/html',
          'content-security-policy': "worker-src 'none'",
        };
        response.writeHead(200, headers).end(body);
      }),
  },
  {
    fault: 'tabs of two builds, old and new, come and go',
    hosts: WORKERS,
    async inject(run) {
      await run.fault('new build', () => run.openActor('/next/'));
      await run.fault('old tab closed', () => run.close(run.actors[0]!));
      await run.fault('new build again', () => run.openActor('/next/'));
      await run.fault('old tab closed', () => run.close(run.actors[0]!));
    },
  },
];

/** Opens the log in a tab that is refused a worker, and then in one that is not. */
async function atBoot(run: Run, path: RegExp, answer: OverrideAnswer): Promise<void> {
  run.server.override(path, answer);
  const refused = await run.openTab();
  const started = Date.now();
  const code = await run.open(refused);
  const ms = Date.now() - started;
  run.server.override(path, undefined);
  if (code !== 'WORKER_FAILED') throw new Error(`openLog ended with ${code}`);
  if (ms > OPEN_LIMIT_MS) throw new Error(`openLog took ${ms} ms to fail`);
  await run.close(refused);
  await run.fault('served again', () => run.openActors(2));
}

function kill(run: Run): Promise<void> {
  return killWorker(run, run.take());
}

async function tellWorkers(run: Run, fault: WorkerFault): Promise<void> {
  await run.actors[0]!.page.evaluate(injectFault, fault);
}

/** Kills the worker while its file cannot be had. */
async function duringOutage(run: Run, answer: OverrideAnswer): Promise<void> {
  await run.fault('outage', async () => {
    run.server.override(WORKER_FILE, answer);
    try {
      await kill(run);
      await sleep(OUTAGE_MS);
    } finally {
      run.server.override(WORKER_FILE, undefined);
    }
  });
}
