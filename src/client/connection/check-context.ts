import { LOCKS_UNAVAILABLE, NO_INDEXEDDB, NO_WORKER } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { hasIndexedDb } from '../../platform/indexeddb.ts';
import type { WorkerKind } from './worker-host.ts';

/**
 * Throws where a worker of this kind can never serve a log; the error names the alternative. The
 * check runs before the worker starts, because the failure of a start gives no such reason.
 */
export function checkContext(kind: WorkerKind): void {
  if (!hasIndexedDb()) {
    throw new TablogError(NO_INDEXEDDB, `${contextName()} has no IndexedDB to store a log in`);
  }
  const wanted = kind === 'shared' ? 'SharedWorker' : 'Worker';
  if (!(wanted in globalThis)) {
    const other =
      'Worker' in globalThis ? "Pass { host: 'dedicated' }, or leave host out." : undefined;
    const rule = { ...NO_WORKER, next: other ?? NO_WORKER.next };
    throw new TablogError(rule, `${contextName()} has no ${wanted} to run a log in`);
  }
  const { isSecureContext } = globalThis as Partial<typeof globalThis>; // undefined: unknown
  if (isSecureContext === false) {
    const happened = `${globalThis.origin} is not a secure context, so the browser has no Web Locks for it`;
    throw new TablogError(LOCKS_UNAVAILABLE, happened);
  }
}

function contextName(): string {
  if ('ServiceWorkerGlobalScope' in globalThis) return 'a service worker';
  const { process, document } = globalThis as { process?: unknown; document?: unknown };
  return process !== undefined && document === undefined ? 'Node' : 'this context';
}
