import { setTimeout as sleep } from 'node:timers/promises';
import { injectFault } from '../../support/worker-faults.ts';
import type { WorkerFault } from '../../support/worker-faults.ts';
import { WORKERS } from '../row.ts';
import type { Row } from '../row.ts';
import type { Run } from '../run.ts';

const WORKER_FILE = /tablog-worker.*\.js$/;

/** How long the worker's file cannot be had, in milliseconds. */
const OUTAGE_MS = 3_000;

/** What happens to the worker. */
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
    hosts: WORKERS,
    async inject(run) {
      for (let i = 0; i < 10; i++) await run.fault('kill', () => kill(run));
    },
  },
  {
    fault: 'worker hung',
    hosts: ['shared'],
    async inject(run) {
      await run.fault('hang', () => tellWorkers(run, 'hang'));
    },
  },
  {
    fault: 'worker missing: its file is answered with 404',
    hosts: WORKERS,
    inject: (run) =>
      duringOutage(run, (response) => response.writeHead(404).end('there is no such file')),
  },
  {
    fault: 'worker fails at boot: its file throws',
    hosts: WORKERS,
    inject: (run) =>
      duringOutage(run, (response) =>
        response.writeHead(200, { 'content-type': 'text/javascript' }).end('throw new Error("no")'),
      ),
  },
];

/** Kills the SharedWorker, or the worker of a tab. */
async function kill(run: Run): Promise<void> {
  if (run.host === 'shared') return tellWorkers(run, 'close');
  await run.take().page.evaluate(() => window.newestWorker!.terminate());
}

async function tellWorkers(run: Run, fault: WorkerFault): Promise<void> {
  await run.actors[0]!.page.evaluate(injectFault, fault);
}

/** Kills the worker while its file cannot be had. */
async function duringOutage(
  run: Run,
  answer: Parameters<Run['server']['override']>[1],
): Promise<void> {
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
