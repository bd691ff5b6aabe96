import { mistake } from '../../base/argument.ts';
import { WORKER_FAILED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { PROTOCOL_VERSION } from '../../protocol/broker.ts';
import type { Broker } from '../../protocol/broker.ts';
import type { Endpoint } from '../../platform/endpoint.ts';
import type { Platform } from '../../platform/platform.ts';
import { newSharedWorker, newWorker } from '../../new-worker.ts';
import type { WorkerUrl } from './worker-url.ts';

/** A broker in the calling thread; made by `inline()` of 'tablog/inline'. */
export interface InlineHost {
  open(log: string): { readonly broker: Broker; close(): void };
  /** The logs that only this host has. Default: the host's logs are in the origin's IndexedDB. */
  readonly logs?: HostedLogs;
  /**
   * The locks, channels and other platform parts that the broker uses. The tab uses the same locks
   * and channels.
   */
  readonly platform?: Platform;
  /**
   * Whether no other thread can have the host's logs, so that it matters not what locks and channels
   * there are. Default: `false`.
   */
  readonly isOneThread?: boolean;
}

/** The logs of a host that stores its logs outside the origin's IndexedDB. */
export interface HostedLogs {
  list(): Promise<readonly string[]>;
  /** Deletes the log and closes its connections. Does nothing where the log does not exist. */
  delete(log: string): Promise<void>;
}

/**
 * Throws a `TypeError` for a value that `inline()` has not returned. `or`: what may be in its place:
 * "'shared', 'dedicated' or ".
 */
export function checkInlineHost(host: unknown, or: string = ''): void {
  const { open, delete: isStore } = (host ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof open === 'function' && isStore === undefined) return;
  const store = isStore === undefined ? '' : ', and a store is passed as inline({ store })';
  throw mistake(`host must be ${or}what inline() returned${store}`, host);
}

export type WorkerKind = 'shared' | 'dedicated';

/**
 * The reason why a worker does not answer. 'refused': the browser did not start the worker.
 * 'notLoaded': the worker's file did not load, or the worker died during the load. 'threw': the
 * worker's code threw at the start. 'silent': no answer and no error came.
 */
export type StartFailure = 'refused' | 'notLoaded' | 'threw' | 'silent';

/** A worker that has been started, and may still be loading. */
export interface WorkerHost {
  readonly endpoint: Endpoint;
  /**
   * Rejects with `WORKER_FAILED` when the browser reports that the worker did not start; never
   * resolves.
   */
  readonly failed: Promise<never>;
  close(): void;
}

/** 'shared' where the context has SharedWorker, else 'dedicated'. Both kinds serve the same log. */
export function defaultWorkerKind(): WorkerKind {
  return 'SharedWorker' in globalThis ? 'shared' : 'dedicated';
}

/**
 * Starts or joins a worker. The `generation` is part of the worker's name, so another generation is
 * another worker.
 */
export function startWorker(
  kind: WorkerKind,
  log: string,
  generation: number,
  url: WorkerUrl | undefined,
): WorkerHost {
  const name = workerName(log, generation);
  try {
    return kind === 'shared' ? startShared(name, url) : startDedicated(name, url);
  } catch (cause) {
    const happened = `the browser refuses to start the worker (${String(cause)})`;
    throw startError('refused', happened, cause);
  }
}

/** The name of a log's worker. */
export function workerName(log: string, generation: number): string {
  return `tablog/${PROTOCOL_VERSION}/${log}/${generation}`;
}

function startShared(name: string, url: WorkerUrl | undefined): WorkerHost {
  const worker =
    url === undefined
      ? newSharedWorker(name)
      : new SharedWorker(url as string, { type: 'module', name });
  return {
    endpoint: worker.port,
    failed: failureOf(worker),
    close: () => worker.port.close(),
  };
}

function startDedicated(name: string, url: WorkerUrl | undefined): WorkerHost {
  const worker =
    url === undefined ? newWorker(name) : new Worker(url as string, { type: 'module', name });
  return {
    endpoint: worker,
    failed: failureOf(worker),
    close: () => worker.terminate(),
  };
}

/** A `WORKER_FAILED` error with the reason in `details.reason`. */
export function startError(reason: StartFailure, happened: string, cause?: unknown): TablogError {
  return new TablogError(WORKER_FAILED, happened, { details: { reason }, cause });
}

function failureOf(worker: SharedWorker | Worker): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener(
      'error',
      (event) => {
        // Only an error that the worker's code threw has a message.
        const message = (event as Partial<ErrorEvent>).message ?? '';
        reject(
          message === ''
            ? startError('notLoaded', 'the worker did not start: its file could not be loaded')
            : startError('threw', `the worker did not start: ${message}`),
        );
      },
      { once: true },
    );
  });
  failed.catch(() => {}); // a caller that races with this promise gets the error
  return failed;
}
