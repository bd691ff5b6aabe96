import { openLog } from '../../../src/index.ts';
import { inline } from '../../../src/inline.ts';
import { useLog } from '../use-log.ts';

/** A service worker's scope, as far as it is used here. */
interface ServiceWorkerScope extends EventTarget {
  skipWaiting(): Promise<void>;
}

async function answer(): Promise<object> {
  await using log = await openLog('shop', { host: inline() });
  return await useLog(log, 'sw');
}

const scope = globalThis as unknown as ServiceWorkerScope;

scope.addEventListener('install', () => void scope.skipWaiting());

scope.addEventListener('message', (event) => {
  const { ports } = event as MessageEvent;
  const answering = answer().catch((error: unknown) => ({ error: String(error) }));
  const posted = answering.then((said) => ports[0]!.postMessage(said));
  (event as Event & { waitUntil(work: Promise<void>): void }).waitUntil(posted);
});
