import { openLog, string, topic } from '../../../src/index.ts';
import { useLog } from '../use-log.ts';
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

const api = { ask, read, useLog };

export type ServiceWorkerApi = typeof api;

Object.assign(globalThis, { api });
