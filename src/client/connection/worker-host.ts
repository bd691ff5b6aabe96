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
  /**
   * Logs that only this host has. Without it, the host's logs are those in the origin's IndexedDB.
   */
  readonly logs?: HostedLogs;
  /**
   * What the broker takes from the place it runs in. The tab takes its locks and channels from
   * there.
   */
  readonly platform?: Platform;
}

/** The logs of a host that does not keep them in the origin's IndexedDB. */
export interface HostedLogs {
  list(): Promise<readonly string[]>;
  /** Deletes the log and closes its connections. Does nothing where there is no such log. */
  delete(log: string): Promise<void>;
}

/** Throws a `TypeError` for a value that `inline()` has not returned. */
export function checkInlineHost(host: unknown): void {
  if (typeof (host as Partial<InlineHost> | null)?.open === 'function') return;
  throw mistake('host must be what inline() returned', host);
}

export type WorkerKind = 'shared' | 'dedicated';

/**
 * Why a worker does not answer: the browser refused to start it, its file did not load (or the
 * worker died during the load), its code threw at the start, or nothing came at all.
 */
export type StartFailure = 'refused' | 'notLoaded' | 'threw' | 'silent';

/** A worker that has been started, and may not be there yet. */
export interface WorkerHost {
  readonly endpoint: Endpoint;
  /** Rejects with `WORKER_FAILED` when the browser says that it did not start; never resolves. */
  readonly failed: Promise<never>;
  close(): void;
}

/** SharedWorker where there is one, else a worker of this tab's own: the log is the same. */
export function defaultWorkerKind(): WorkerKind {
  return 'SharedWorker' in globalThis ? 'shared' : 'dedicated';
}

/** Starts or joins a worker; one of another `generation` is another worker. */
export function startWorker(
  kind: WorkerKind,
  log: string,
  generation: number,
  url: WorkerUrl | undefined,
): WorkerHost {
  const name = `tablog/${PROTOCOL_VERSION}/${log}/${generation}`;
  try {
    return kind === 'shared' ? startShared(name, url) : startDedicated(name, url);
  } catch (cause) {
    const happened = `the browser refuses to start the worker (${String(cause)})`;
    throw startError('refused', happened, cause);
  }
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

/** `WORKER_FAILED`, with the reason in its details. */
export function startError(reason: StartFailure, happened: string, cause?: unknown): TablogError {
  return new TablogError(WORKER_FAILED, happened, { details: { reason }, cause });
}

function failureOf(worker: SharedWorker | Worker): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener(
      'error',
      (event) => {
        // Only an error of its code has a message.
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
  failed.catch(() => {}); // who waits for it handles it
  return failed;
}
