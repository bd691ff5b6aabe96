import { describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { useOrigins } from './fixture.ts';

const page = useOrigins();

describe.each(['shared', 'dedicated', 'inline'] as const)('a table in two tabs (%s)', (host) => {
  it('is the same in both, as either sends, and after a reload', async () => {
    const tabs = [
      await newTab(page.context, page.url),
      await newTab(page.context, page.url),
    ] as const;
    /** Opens a table, and shows in the title what it has, at each change. */
    const open = (tab: (typeof tabs)[number]): Promise<void> =>
      tab.evaluate(async (kind) => {
        const { topic, string, json, table } = window.api;
        await window.api.open('shop', kind);
        const log = window.api.mustGetLog();
        const prices = topic('prices', {
          key: string(),
          value: json<number>(),
          partitions: 3,
          cleanup: 'compact',
        });
        await log.admin.createTopics([prices]);
        const latest = table(log, prices);
        await latest.ready;
        latest.subscribe((snapshot) => {
          const entries = [...snapshot].map(([key, value]) => `${key}=${value}`).sort();
          document.title = `now ${entries.join(' ') || 'empty'}`; // a blank at the end would go
        });
      }, host);
    const send = (tab: (typeof tabs)[number], key: string, value: number | null): Promise<void> =>
      tab.evaluate(
        async ([sent, price]) => {
          const { topic, string, json } = window.api;
          const prices = topic('prices', { key: string(), value: json<number>() });
          await window.api.mustGetLog().producer().send(prices, { key: sent, value: price });
        },
        [key, value] as const,
      );
    const shown = async (text: string): Promise<void> => {
      for (const tab of tabs) {
        await tab.waitForFunction((wanted) => document.title === wanted, text);
      }
    };

    await Promise.all(tabs.map(open));
    await shown('now empty');
    const [a, b] = tabs;
    await send(a, 'apple', 1);
    await send(b, 'pear', 2);
    await shown('now apple=1 pear=2');
    await Promise.all([send(a, 'plum', 3), send(b, 'apple', 4)]);
    await shown('now apple=4 pear=2 plum=3');
    await send(a, 'pear', null);
    await shown('now apple=4 plum=3');
    await b.reload();
    await b.waitForFunction('window.api !== undefined');
    await open(b);
    expect(await b.title()).toBe('now apple=4 plum=3');
    await send(b, 'kiwi', 5);
    await shown('now apple=4 kiwi=5 plum=3');
  });
});
