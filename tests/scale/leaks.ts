import type { BrowserContext, Page } from 'playwright';
import { newTab } from '../support/browser.ts';
import { Devtools } from './devtools.ts';

/** What is opened and closed again and again. */
const KINDS = ['log', 'producer', 'consumer', 'member of a group'] as const;
type Kind = (typeof KINDS)[number];

export interface Leak {
  readonly kind: Kind;
  readonly count: number;
  /** How many bytes of heap each opening and closing left behind, after a first fifth of them. */
  readonly bytesEach: { readonly tab: number; readonly worker: number };
  /** The locks that were held before and after. */
  readonly locks: { readonly before: number; readonly after: number };
}

/** Opens and closes each kind `count` times. */
export async function measureLeaks(
  context: BrowserContext,
  url: string,
  count: number,
): Promise<Leak[]> {
  const tab = await newTab(context, url);
  await tab.evaluate(async () => {
    await window.api.open('scale', 'default');
    await window.api.mustGetLog().admin.createTopics(['orders']);
    await window.api.mustGetLog().producer().send('orders', { value: 'first' });
  });
  const devtools = await Devtools.attach(tab);
  const leaks: Leak[] = [];
  for (const kind of KINDS) {
    const first = Math.ceil(count / 5);
    await openAndClose(tab, kind, first);
    const [from, before] = [await devtools.heap(), await locksOf(tab)];
    await openAndClose(tab, kind, count - first);
    const [to, after] = [await devtools.heap(), await locksOf(tab)];
    const each = (bytes: number): number => Math.round(bytes / (count - first));
    const bytesEach = { tab: each(to.tab - from.tab), worker: each(to.worker - from.worker) };
    leaks.push({ kind, count, bytesEach, locks: { before, after } });
  }
  await devtools.close();
  await tab.close();
  return leaks;
}

function locksOf(tab: Page): Promise<number> {
  return tab.evaluate(async () => (await navigator.locks.query()).held!.length);
}

function openAndClose(tab: Page, kind: Kind, count: number): Promise<void> {
  return tab.evaluate(
    async ([kind, count]) => {
      const log = window.api.mustGetLog();
      for (let i = 0; i < count; i++) {
        if (kind === 'log') await (await window.api.openLog('scale')).close();
        else if (kind === 'producer') {
          const producer = log.producer({ lingerMs: 0 });
          await producer.send('orders', { value: 'v' });
          await producer.close();
        } else {
          const group = kind === 'consumer' ? {} : { group: 'leaks' };
          const consumer = log.consumer({ topics: ['orders'], from: 'earliest', ...group });
          await consumer.ready;
          await consumer.close();
        }
      }
    },
    [kind, count] as const,
  );
}
