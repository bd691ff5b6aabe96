import { deadline, withDeadline } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { OUTCOME_UNKNOWN, WORKER_FAILED, WORKER_LOST } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { PROTOCOL_VERSION } from '../protocol/broker.ts';
import type { Method, Request, Response } from '../protocol/broker.ts';
import { whenDead } from '../protocol/liveness.ts';
import { BrokerPort } from '../protocol/broker-port.ts';
import { startWorker } from './host.ts';
import type { InlineHost, WorkerHost, WorkerKind } from './host.ts';

/** One connection to one broker, for as long as that broker lives. */
export interface Link {
  call<M extends Method>(method: M, request: Request<M>, deadlineMs: number): Promise<Response<M>>;
  close(): void;
}

/** Also the longest that a page can wait for a worker that does not boot. */
const HELLO_DEADLINE_MS = 5_000;

/** So many workers are tried, one after the other. */
const MAX_TRIES = 2;

export interface DialOptions {
  readonly log: string;
  readonly clientId: string;
  readonly kind: WorkerKind;
  readonly workerUrl: string | URL | undefined;
  readonly clock: Clock;
  readonly onLost: () => void;
}

/** Starts or joins a worker and greets it. Throws `WORKER_FAILED` or `PROTOCOL_MISMATCH`. */
export async function dialWorker(options: DialOptions): Promise<Link> {
  const { kind, log, workerUrl } = options;
  let generation = 1;
  for (let tries = 1; ; tries++) {
    const host = startWorker(kind, log, generation, workerUrl);
    try {
      // A SharedWorker that hangs is handed out again under its name, so the next try is another
      // name. One that died as it was asked for is not, and the others have its successor.
      return await greet(host, options, () => generation++);
    } catch (error) {
      host.close();
      if (kind !== 'shared' || tries === MAX_TRIES) throw error;
    }
  }
}

/** A link to a broker in this thread: it cannot be lost, and is as fast as a call. */
export function dialInline(host: InlineHost, log: string): Link {
  const opened = host.open(log);
  return {
    call: <M extends Method>(method: M, request: Request<M>) =>
      opened.broker[method](request as never) as Promise<Response<M>>,
    close: () => opened.close(),
  };
}

async function greet(host: WorkerHost, options: DialOptions, onSilent: () => void): Promise<Link> {
  const { log, clientId, clock, onLost } = options;
  const port = new BrokerPort(host.endpoint);
  const hello = port.hello({ protocol: PROTOCOL_VERSION, log, clientId });
  const silent = (): Error => {
    onSilent();
    return new TablogError(
      WORKER_FAILED,
      `the worker did not answer within ${HELLO_DEADLINE_MS} ms: its code may fail at the start`,
    );
  };
  const { brokerId } = await Promise.race([
    withDeadline(clock, HELLO_DEADLINE_MS, hello, silent),
    host.failed,
  ]);

  const ended = new AbortController();
  const end = (why: string): void => {
    if (ended.signal.aborted) return;
    ended.abort();
    host.close();
    port.giveUp(new TablogError(OUTCOME_UNKNOWN, `a call had no answer yet when ${why}`));
  };
  const lose = (why: string): void => {
    end(why);
    onLost();
  };
  whenDead('broker', brokerId, ended.signal, () => lose('the worker died'));

  return {
    async call<M extends Method>(
      method: M,
      request: Request<M>,
      deadlineMs: number,
    ): Promise<Response<M>> {
      if (ended.signal.aborted) {
        throw new TablogError(WORKER_LOST, 'the worker died before the call');
      }
      const silent = (): void => lose(`the worker was silent for ${deadlineMs} ms`);
      const cancel = deadline(clock, deadlineMs, silent);
      try {
        return await port.call(method, request);
      } finally {
        cancel();
      }
    },
    close: () => end('the log was closed'),
  };
}
