import { openLog, string, topic } from '../../../src/index.ts';
import { useLog } from '../use-log.ts';
import { events } from './events.ts';
import type { Used } from '../use-log.ts';

/** Has the service worker use a log, and resolves with what it says. */
async function ask(type: WorkerType): Promise<Used | { readonly error: string }> {
  await navigator.serviceWorker.register('./main.js', { type });
  const { active } = await navigator.serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise<Used>((resolve) => {
    port1.addEventListener('message', ({ data }: MessageEvent<Used>) => resolve(data));
  });
  port1.start();
  active!.postMessage('use', [port2]);
  return answer;
}

/** The texts that a tab reads of the topic that the service worker has filled. */
async function read(): Promise<number | undefined> {
  await using log = await openLog('shop');
  const texts = topic('sw-texts', { value: string() });
  for await (const { value } of log.consumer({ topics: [texts], from: 'earliest' })) {
    return value?.length;
  }
  return undefined;
}

/** Installs the service worker, which then has the requests of this page. */
async function install(type: WorkerType): Promise<void> {
  await navigator.serviceWorker.register('./main.js', { type });
  await navigator.serviceWorker.ready;
  if (navigator.serviceWorker.controller !== null) return;
  await new Promise((resolve) =>
    navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }),
  );
}

/** Has the service worker store a text; resolves with its offset. */
async function post(text: string): Promise<number> {
  const response = await fetch('./events', { method: 'POST', body: text });
  return ((await response.json()) as { readonly offset: number }).offset;
}

/** The first `count` texts that the service worker has stored, as a tab reads them. */
async function readEvents(count: number): Promise<(string | null)[]> {
  await using log = await openLog('events');
  const texts: (string | null)[] = [];
  for await (const { value } of log.consumer({ topics: [events], from: 'earliest' })) {
    if (texts.push(value) === count) break;
  }
  return texts;
}

/** What the service worker has delivered. */
async function delivered(): Promise<string[]> {
  const cache = await caches.open('delivered');
  const texts = (await cache.keys()).map(async (key) => (await cache.match(key))!.text());
  return Promise.all(texts);
}

const api = { ask, delivered, install, post, read, readEvents, useLog };

export type ServiceWorkerApi = typeof api;

Object.assign(globalThis, { api });
