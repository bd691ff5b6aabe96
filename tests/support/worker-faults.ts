/** What a worker is told to do: to end, to run for ever, or to run for ever amid a transaction. */
export type WorkerFault = 'close' | 'hang' | 'hangInTransaction';

const CHANNEL = 'faults-of-workers';

/**
 * Appended to the file of tablog's worker as the tests serve it. Each SharedWorker listens, and no
 * dedicated worker, which a page can terminate itself.
 */
export const FAULT_HOOK = `
if ('onconnect' in globalThis) {
  new BroadcastChannel('${CHANNEL}').addEventListener('message', async ({ data }) => {
    if (data === 'close') return close();
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
