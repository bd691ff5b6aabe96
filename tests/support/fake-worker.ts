import { onTestFinished, vi } from 'vitest';
import { serveWorker } from '../../src/broker/serve-worker.ts';
import type { WorkerScope } from '../../src/broker/serve-worker.ts';
import type { Platform } from '../../src/platform/platform.ts';
import { openIdbStore } from '../../src/store/indexeddb/open-idb-store.ts';
import type { StoreFactory } from '../../src/store/store-factory.ts';
import { FakeLocks } from './fake-locks.ts';

/** The workers that `stubWorkers` lets a page start. */
interface Workers {
  /** What becomes of each worker that is started. */
  fate: 'serves' | 'silent' | 'not loaded';
  platform: Platform;
  store: Pick<StoreFactory, 'open'>;
  /** Whether the workers that serve have stopped answering, as in an endless loop. */
  areHung: boolean;
}

export const workers: Workers = newWorkers();

function newWorkers(): Workers {
  return { fate: 'serves', platform: {}, store: { open: openIdbStore }, areHung: false };
}

/** A worker of either kind, whose broker runs in this thread. */
class FakeWorker extends EventTarget {
  readonly port: MessagePort;

  constructor() {
    super();
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    onTestFinished(() => port1.close());
    const { fate, store, platform } = workers;
    if (fate === 'serves') serveWorker(scopeOf(port2), { store, platform });
    if (fate === 'not loaded') queueMicrotask(() => this.dispatchEvent(new Event('error')));
  }
}

/** A worker's scope over the port, which hears nothing while the workers hang. */
function scopeOf(port: MessagePort): WorkerScope {
  const scope = new EventTarget();
  port.addEventListener('message', ({ data }) => {
    if (!workers.areHung) scope.dispatchEvent(new MessageEvent('message', { data }));
  });
  port.start();
  const postMessage: WorkerScope['postMessage'] = (message, moved = []) => {
    if (!workers.areHung) port.postMessage(message, moved as never);
  };
  return Object.assign(scope, { postMessage });
}

class FakeDedicatedWorker extends FakeWorker {
  constructor() {
    super();
    this.port.addEventListener('message', ({ data }) =>
      this.dispatchEvent(new MessageEvent('message', { data })),
    );
    this.port.start();
  }

  postMessage(message: unknown): void {
    this.port.postMessage(message);
  }

  terminate(): void {
    this.port.close();
  }
}

/** Gives this context workers and Web Locks, until `vi.unstubAllGlobals()`. */
export function stubWorkers(): void {
  const locks = new FakeLocks();
  Object.assign(workers, newWorkers(), { platform: { locks } });
  vi.stubGlobal('SharedWorker', FakeWorker);
  vi.stubGlobal('Worker', FakeDedicatedWorker);
  vi.stubGlobal('navigator', { locks });
}
