import { deadline, sleep, withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { OUTCOME_UNKNOWN, WORKER_LOST } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { PROTOCOL_VERSION } from '../../protocol/broker.ts';
import type { Method, Request, Response } from '../../protocol/broker.ts';
import { onDeath } from '../../platform/liveness.ts';
import { BrokerPort } from '../../protocol/broker-port.ts';
import { startError, startWorker } from './worker-host.ts';
import type { InlineHost, WorkerHost, WorkerKind } from './worker-host.ts';
import type { WorkerUrl } from './worker-url.ts';

/** One connection to one broker, for as long as that broker lives. */
export interface WorkerConnection {
  call<M extends Method>(method: M, request: Request<M>, deadlineMs: number): Promise<Response<M>>;
  /**
   * Closes the connection; calls without an answer reject with `why`. Default `OUTCOME_UNKNOWN`.
   */
  close(why?: TablogError): void;
}

/** Also the longest that a page can wait for a worker that does not boot. */
const HELLO_DEADLINE_MS = 5_000;

/** How many SharedWorkers are started, one after the other, before `openLog` fails. */
const MAX_TRIES = 2;

/**
 * The pause before a SharedWorker that failed to load is asked for again. Chromium hands out the
 * failed one again for some milliseconds, without an error event: without a pause, every fourth
 * attempt on a busy machine met it.
 */
const PAUSE_MS = 100;

export interface ConnectOptions {
  readonly log: string;
  readonly clientId: string;
  /** The id of the log; null: it has not been open yet. */
  readonly logId: string | null;
  readonly kind: WorkerKind;
  readonly workerUrl: WorkerUrl | undefined;
  readonly clock: Clock;
  /** Called when the worker died, or was silent for so long that it is given up. */
  readonly onLost: (reason: 'died' | 'silent') => void;
}

/** Starts or joins a worker and greets it. Throws `WORKER_FAILED` or `PROTOCOL_MISMATCH`. */
export async function connectToWorker(options: ConnectOptions): Promise<WorkerConnection> {
  try {
    return await connectToNextWorker(options);
  } catch (error) {
    if (!(error instanceof TablogError) || error.code !== 'WORKER_FAILED') throw error;
    throw await explained(error, options);
  }
}

/** The error, with the worker's address and what is wrong there. */
async function explained(error: TablogError, options: ConnectOptions): Promise<TablogError> {
  try {
    const { explainWorkerFailure } = await import('./worker-fault.ts');
    return await explainWorkerFailure(error, options);
  } catch {
    // The explaining code may not load either, as when the tab is offline.
    const where = options.workerUrl === undefined ? '' : ` (${String(options.workerUrl)})`;
    const happened = `${error.happened}${where}, nor could other code: the browser may be offline`;
    const { details, cause } = error;
    return new TablogError(error, happened, {
      details: { ...details, fault: 'unreachable' },
      cause,
    });
  }
}

/** No `retry` of one call: each attempt decides by the failure which worker to ask for next. */
async function connectToNextWorker(options: ConnectOptions): Promise<WorkerConnection> {
  const { kind, log, workerUrl, clock } = options;
  let generation = 1;
  let told: TablogError | undefined; // the browser's own error says more than a silent worker
  for (let tries = 1; ; tries++) {
    const host = startWorker(kind, log, generation, workerUrl);
    try {
      return await greet(host, options);
    } catch (error) {
      host.close();
      if (!(error instanceof TablogError) || error.code !== 'WORKER_FAILED') throw error;
      const { reason } = error.details;
      if (reason !== 'silent') told ??= error;
      if (kind !== 'shared' || tries === MAX_TRIES) throw told ?? error;
      // A worker that died while it was asked for has a successor of the same name, which other
      // tabs use. A worker that hangs, or whose code threw, is handed out again under its name, so
      // the next try asks for another name.
      if (reason === 'notLoaded') await sleep(clock, PAUSE_MS);
      else generation++;
    }
  }
}

/** A connection to a broker in this thread: it cannot be lost, and costs what a call costs. */
export function connectInline(host: InlineHost, log: string): WorkerConnection {
  const opened = host.open(log);
  return {
    call: <M extends Method>(method: M, request: Request<M>) =>
      opened.broker[method](request as never) as Promise<Response<M>>,
    close: () => opened.close(),
  };
}

async function greet(host: WorkerHost, options: ConnectOptions): Promise<WorkerConnection> {
  const { log, clientId, logId, clock, onLost } = options;
  const port = new BrokerPort(host.endpoint);
  const hello = port.hello({ protocol: PROTOCOL_VERSION, log, clientId, logId });
  const silent = (): Error =>
    startError(
      'silent',
      `the worker did not answer within ${HELLO_DEADLINE_MS} ms: its code may fail at the start`,
    );
  const answer = Promise.race([hello, host.failed]);
  const { brokerId } = await withDeadline(clock, HELLO_DEADLINE_MS, answer, silent);

  const ended = new AbortController();
  const end = (why: TablogError): void => {
    if (ended.signal.aborted) return;
    ended.abort();
    host.close();
    port.giveUp(why);
  };
  const lose = (reason: 'died' | 'silent', why: string): void => {
    end(unanswered(why));
    onLost(reason);
  };
  onDeath('broker', brokerId, ended.signal, () => lose('died', 'the worker died'));

  return {
    async call<M extends Method>(
      method: M,
      request: Request<M>,
      deadlineMs: number,
    ): Promise<Response<M>> {
      if (ended.signal.aborted) {
        throw new TablogError(WORKER_LOST, 'the worker died before the call');
      }
      const silent = (): void => lose('silent', `the worker was silent for ${deadlineMs} ms`);
      const cancel = deadline(clock, deadlineMs, silent);
      try {
        return await port.call(method, request);
      } finally {
        cancel();
      }
    },
    close: (why = unanswered('the log was closed')) => end(why),
  };
}

function unanswered(when: string): TablogError {
  return new TablogError(OUTCOME_UNKNOWN, `a call had no answer yet when ${when}`);
}
