import { setClock } from './shifted-clock.ts';

/** A deed that a worker is told to do. */
export type WorkerFault =
  | 'close'
  /** Runs for ever. */
  | 'hang'
  /** Runs for ever, amid a transaction over the whole database. */
  | 'hangInTransaction'
  /** Sets its clock so many milliseconds ahead of the machine's, or behind where negative. */
  | `clock ${number}`;

const CHANNEL = 'faults-of-workers';

/**
 * Appended to the file of tablog's worker as the tests serve it. Each SharedWorker listens, and no
 * dedicated worker, which a page can terminate itself.
 */
export const FAULT_HOOK = `
if ('onconnect' in globalThis) {
  new BroadcastChannel('${CHANNEL}').addEventListener('message', async ({ data }) => {
    if (data === 'close') return close();
    if (data.startsWith('clock')) return (${String(setClock)})(Number(data.slice('clock '.length)));
    if (data === 'hangInTransaction') {
      const [{ name }] = await indexedDB.databases();
      await new Promise((resolve) => {
        indexedDB.open(name).onsuccess = ({ target: { result: db } }) => {
          const tx = db.transaction([...db.objectStoreNames], 'readwrite');
          tx.objectStore(db.objectStoreNames[0]).get('x').onsuccess = resolve;
        };
      });
    }
    for (;;);
  });
}
`;

/** Injects a fault into every SharedWorker of the page's origin. Runs in a page. */
export function injectFault(fault: WorkerFault): void {
  const channel = new BroadcastChannel('faults-of-workers');
  channel.postMessage(fault);
  channel.close();
}
