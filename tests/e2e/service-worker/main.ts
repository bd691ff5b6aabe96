import { connect } from '../../../src/connect.ts';
import type { Sink } from '../../../src/connect.ts';
import { openLog } from '../../../src/index.ts';
import { events } from './events.ts';
import { inline } from '../../../src/inline.ts';
import { useLog } from '../use-log.ts';

/** A service worker's scope, as far as it is used here. */
interface ServiceWorkerScope extends EventTarget {
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
}

interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

interface PushEvent extends ExtendableEvent {
  readonly data: { text(): string };
}

async function answer(): Promise<object> {
  await using log = await openLog('shop', { host: inline() });
  return await useLog(log, 'sw');
}

/** Stores what came while no tab may have the log. */
async function store(value: string): Promise<{ readonly offset: number }> {
  await using log = await openLog('events', { host: inline() });
  await log.admin.createTopics([events]);
  const { offset } = await log.producer().send(events, { value });
  return { offset };
}

/** Delivers what is stored, as a browser asks for by Background Sync; the target is a cache. */
async function deliver(): Promise<void> {
  await using log = await openLog('events', { host: inline() });
  const delivered = await caches.open('delivered');
  const sink: Sink = {
    async put({ records }) {
      for (const { offset, value } of records) {
        await delivered.put(`/delivered/${offset}`, new Response(String(value)));
      }
    },
  };
  await using connector = connect(log, { name: 'server', topics: [events], sink });
  await connector.drain();
}

const scope = globalThis as unknown as ServiceWorkerScope;

scope.addEventListener('install', () => void scope.skipWaiting());

scope.addEventListener('activate', (event) => {
  (event as ExtendableEvent).waitUntil(scope.clients.claim());
});

scope.addEventListener('fetch', (event) => {
  const { request } = event as FetchEvent;
  if (request.method !== 'POST') return;
  const stored = request.text().then((text) => store(text));
  (event as FetchEvent).respondWith(stored.then((answer) => Response.json(answer)));
});

scope.addEventListener('push', (event) => {
  (event as PushEvent).waitUntil(store((event as PushEvent).data.text()));
});

scope.addEventListener('sync', (event) => {
  (event as ExtendableEvent).waitUntil(deliver());
});

scope.addEventListener('message', (event) => {
  const { ports } = event as MessageEvent;
  const answering = answer().catch((error: unknown) => ({ error: String(error) }));
  const posted = answering.then((said) => ports[0]!.postMessage(said));
  (event as ExtendableEvent).waitUntil(posted);
});
