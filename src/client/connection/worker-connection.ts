import { deadline, sleep, withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { OUTCOME_UNKNOWN, WORKER_LOST } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { PROTOCOL_VERSION } from '../../protocol/broker.ts';
import type { LostRecords, Method, Request, Response } from '../../protocol/broker.ts';
import { onDeath } from '../../platform/locks/liveness.ts';
import { BrokerPort } from '../../protocol/port/broker-port.ts';
import { markBroken, soundGenerations } from './broken-workers.ts';
import { startError, startWorker } from './worker-host.ts';
import type { InlineHost, WorkerHost, WorkerKind } from './worker-host.ts';
import type { WorkerUrl } from './worker-url.ts';

/** A connection to one broker. The connection ends with the broker. */
export interface WorkerConnection {
  call<M extends Method>(method: M, request: Request<M>, deadlineMs: number): Promise<Response<M>>;
  /**
   * Closes the connection. Calls without an answer reject with `why`; default: `OUTCOME_UNKNOWN`.
   */
  close(why?: TablogError): void;
}

/**
 * The deadline of a worker's first answer, in milliseconds. It bounds how long a page waits for a
 * worker that does not boot: 10 s for two workers and the explanation, with the grace that
 * `withDeadline` adds to each.
 */
const HELLO_DEADLINE_MS = 4_500;

/** The time for the start of all workers and the explanation of its failure, in milliseconds. */
const START_DEADLINE_MS = 9_750;

/** The number of SharedWorkers that are started, one after the other, before `openLog` fails. */
const MAX_TRIES = 2;

/**
 * The pause before the second attempt to start a SharedWorker that failed to load, in milliseconds.
 * For some milliseconds Chromium connects a new client to the failed worker, without an error
 * event. Without the pause every fourth attempt on a busy machine met the failed worker.
 */
const PAUSE_MS = 100;

/**
 * The silence of a SharedWorker after which a tab that had one before dials a second one as well,
 * in milliseconds; `deadline` adds its grace. When Firefox ends the process of a SharedWorker, it
 * returns the dead worker under the old name for about 5 s.
 */
const SECOND_DIAL_MS = 500;

export interface ConnectOptions {
  readonly log: string;
  readonly clientId: string;
  /** The id of the log; null: the log has not been open yet. */
  readonly logId: string | null;
  /** The origin's witness of that log (protocol/log-witness.ts), as text. */
  readonly witness: string | null;
  readonly kind: WorkerKind;
  readonly workerUrl: WorkerUrl | undefined;
  readonly clock: Clock;
  /** Called when the worker died, or missed the deadline of a call and was abandoned. */
  readonly onLost: (reason: 'died' | 'silent') => void;
  /** Called when the worker found the log shorter than the witness. */
  readonly onRecordsLost: (lost: readonly LostRecords[]) => void;
}

/**
 * Starts or joins a worker, and exchanges the hello with the worker. Throws `WORKER_FAILED` or
 * `PROTOCOL_MISMATCH`.
 */
export async function connectToWorker(options: ConnectOptions): Promise<WorkerConnection> {
  const { clock } = options;
  const began = clock.now();
  try {
    return await (options.kind === 'shared' ? connectToSharedWorker(options) : dial(1, options));
  } catch (error) {
    if (!(error instanceof TablogError) || error.code !== 'WORKER_FAILED') throw error;
    const left = Math.max(began + START_DEADLINE_MS - clock.now(), 0);
    throw await withDeadline(clock, left, explain(error, options), () =>
      withAddress(error, options),
    );
  }
}

/** The error with the worker's address and the fault of the file at that address. */
async function explain(error: TablogError, options: ConnectOptions): Promise<TablogError> {
  try {
    const { explainWorkerFailure } = await import('./worker-fault.ts');
    return await explainWorkerFailure(error, options);
  } catch {
    // The module that explains the failure may not load either, as in a tab that is offline.
    return withAddress(error, options, ', nor could other code: the browser may be offline');
  }
}

/** The error without an explanation: its module has failed to load, or the server does not answer. */
function withAddress(
  error: TablogError,
  { workerUrl }: ConnectOptions,
  why = ', nor did the server answer why',
): TablogError {
  const where = workerUrl === undefined ? '' : ` (${String(workerUrl)})`;
  const { details, cause, happened } = error;
  return new TablogError(error, `${happened}${where}${why}`, {
    details: { ...details, fault: 'unreachable' },
    cause,
  });
}

/**
 * Starts a SharedWorker, and after a failure another one. `retry` cannot express the loop: the
 * failure of each attempt decides which worker the next attempt starts.
 */
async function connectToSharedWorker(options: ConnectOptions): Promise<WorkerConnection> {
  const { log, clock, logId } = options;
  const generations = await soundGenerations(log, clock);
  let generation = generations.next().value;
  // An error of the browser names the cause, and a silent worker does not.
  let namedError: TablogError | undefined;
  for (let tries = 1; ; tries++) {
    try {
      return logId !== null
        ? await dialTwo(generation, generations, options)
        : await dial(generation, options);
    } catch (error) {
      if (!(error instanceof TablogError) || error.code !== 'WORKER_FAILED') throw error;
      const { reason } = error.details;
      if (reason !== 'silent') namedError ??= error;
      const isLast = reason === 'refused' || tries === MAX_TRIES;
      if (isLast) throw namedError ?? error;
      // A worker that died during the request has a successor of the same name, which other tabs
      // use: the next attempt keeps the name. For a worker that hangs, or whose code threw, the
      // browser returns the same worker under the same name: the next attempt uses another name.
      if (reason === 'notLoaded') await sleep(clock, PAUSE_MS);
      else generation = generations.next().value;
    }
  }
}

/**
 * Dials a worker, and after `SECOND_DIAL_MS` the next generation as well. The first answer wins, and
 * the connection to the other worker is closed. Only a tab that had a worker before dials two: the
 * first worker of a page may boot slowly, and a second one would make that slower.
 */
function dialTwo(
  generation: number,
  later: Iterator<number, never>,
  options: ConnectOptions,
): Promise<WorkerConnection> {
  return new Promise((resolve) => {
    let dials = 0;
    let isWon = false;
    const start = (of: number): void => {
      dials++;
      const dialled = dial(of, options);
      dialled.then(
        (worker) => {
          cancel();
          if (isWon) worker.close();
          isWon = true;
          resolve(dialled);
        },
        () => {
          if (--dials > 0) return;
          cancel();
          resolve(dialled); // rejects with the last error
        },
      );
    };
    const cancel = deadline(options.clock, SECOND_DIAL_MS, () => start(later.next().value));
    start(generation);
  });
}

async function dial(generation: number, options: ConnectOptions): Promise<WorkerConnection> {
  const { kind, log, workerUrl, onLost } = options;
  const broken = (): void => {
    if (kind === 'shared') markBroken(log, generation);
  };
  const host = startWorker(kind, log, generation, workerUrl);
  try {
    return await greet(host, {
      ...options,
      onLost: (reason) => {
        if (reason === 'silent') broken();
        onLost(reason);
      },
    });
  } catch (error) {
    host.close();
    const { reason } = error instanceof TablogError ? error.details : {};
    if (reason === 'silent' || reason === 'threw') broken();
    throw error;
  }
}

/**
 * A connection to a broker in this thread. Such a broker cannot be lost, so calls are plain calls
 * without a deadline.
 */
export function connectInline(host: InlineHost, log: string): WorkerConnection {
  const opened = host.open(log);
  return {
    call: <M extends Method>(method: M, request: Request<M>) =>
      opened.broker[method](request as never) as Promise<Response<M>>,
    close: () => opened.close(),
  };
}

async function greet(host: WorkerHost, options: ConnectOptions): Promise<WorkerConnection> {
  const { log, clientId, logId, witness, clock, onLost, onRecordsLost } = options;
  const port = new BrokerPort(host.endpoint, onRecordsLost);
  const hello = port.hello({ protocol: PROTOCOL_VERSION, log, clientId, logId, witness });
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

/** The error of calls without an answer. `when` is what ended the wait, as a sentence. */
export function unanswered(when: string): TablogError {
  return new TablogError(OUTCOME_UNKNOWN, `a call had no answer yet when ${when}`);
}
