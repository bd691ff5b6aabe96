import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { useOrigins } from './fixture.ts';
import { until } from './group-tabs.ts';

const page = useOrigins();

/** A tab that stays, so that the worker does. */
async function openKeeper(): Promise<Page> {
  const keeper = await newTab(page.context, page.url);
  await keeper.evaluate(async () => {
    await window.api.open('shop', 'default');
    await window.api.mustGetLog().admin.createTopics([window.api.topic('events')]);
  });
  return keeper;
}

/** All values that are stored, in order. */
function stored(keeper: Page): Promise<string[]> {
  return keeper.evaluate(async () => {
    const [{ partitions }] = await window.api.mustGetLog().admin.describeTopics(['events']);
    const read = await window.api.readAll('events', partitions[0]!.endOffset);
    return read.map(({ value }) => new TextDecoder().decode(value as Uint8Array));
  });
}

/** What a tab is like as it is left. */
type State = 'used' | 'idle' | 'first send' | 'topics changed' | 'lingers' | 'full' | 'backs off';

const STATES: readonly State[] = [
  'used',
  'idle',
  'first send',
  'topics changed',
  'lingers',
  'full',
  'backs off',
];

const LEAVE = {
  navigates: async (tab: Page): Promise<unknown> => tab.goto('about:blank'),
  'loads another page': async (tab: Page): Promise<unknown> => tab.goto(`${page.url}/?elsewhere`),
  closes: async (tab: Page): Promise<unknown> => tab.close({ runBeforeUnload: true }),
} as const;

/** Opens a tab that sends in a listener of `event` and is in that state; what it sent before. */
async function openTab(keeper: Page, state: State, event: string): Promise<Page> {
  const tab = await newTab(page.context, page.url);
  await tab.evaluate(
    async ([state, event]) => {
      await window.api.open('shop', 'default');
      const producer = window.api.mustGetLog().producer({
        ...(state === 'lingers' && { lingerMs: 3_600_000 }),
        ...(state === 'full' && { bufferBytes: 1, batchBytes: 1 }),
      });
      const send = (value: string): void => void producer.send('events', { value }).catch(() => {});
      const target = event === 'pagehide' ? window : document;
      target.addEventListener(event, () => {
        if (state === 'full') for (let i = 0; i < 9; i++) send(`full ${i}`);
        send(event);
      });
      if (state !== 'first send') {
        send('warm');
        await producer.flush();
      }
      if (state === 'idle') window.api.leaving.pass(31_000);
      if (state !== 'backs off') return;
      const backedOff = window.api.leaving.failOnce();
      send('backed off');
      await backedOff;
    },
    [state, event] as const,
  );
  if (state === 'topics changed') {
    await keeper.evaluate(() => window.api.mustGetLog().admin.createTopics(['another']));
  }
  return tab;
}

function expected(state: State, event: string): string[] {
  if (state === 'first send') return [event];
  if (state === 'backs off') return ['warm', 'backed off', event];
  if (state === 'full') return ['warm', ...Array.from({ length: 9 }, (_, i) => `full ${i}`), event];
  return ['warm', event];
}

describe.each(Object.keys(LEAVE) as (keyof typeof LEAVE)[])('a tab that %s', (how) => {
  it.each(STATES)('stores what it sends in pagehide: %s', async (state) => {
    const keeper = await openKeeper();
    const tab = await openTab(keeper, state, 'pagehide');
    await LEAVE[how](tab);
    await until(async () => expect(await stored(keeper)).toEqual(expected(state, 'pagehide')));
  });
});

it('a tab that is hidden stores what it sends then', async () => {
  const keeper = await openKeeper();
  for (const state of ['idle', 'lingers'] as const) {
    const tab = await openTab(keeper, state, 'visibilitychange');
    await LEAVE.navigates(tab);
  }
  await until(async () =>
    expect((await stored(keeper)).filter((value) => value !== 'warm')).toEqual([
      'visibilitychange',
      'visibilitychange',
    ]),
  );
});

it('a tab that is left has committed what it had processed', async () => {
  const keeper = await openKeeper();
  const tab = await newTab(page.context, page.url);
  await tab.evaluate(async () => {
    await window.api.open('shop', 'default');
    const log = window.api.mustGetLog();
    await log.producer().sendBatch(
      'events',
      Array.from({ length: 5 }, (_, i) => ({ value: String(i) })),
    );
    const commit = { everyMs: 3_600_000 };
    const consumer = log.consumer({ group: 'g', topics: ['events'], from: 'earliest', commit });
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 4; i++) await messages.next();
  });
  await LEAVE.navigates(tab);
  await until(async () => {
    const committed = await keeper.evaluate(() =>
      window.api.mustGetLog().admin.listGroupOffsets('g'),
    );
    expect(committed).toMatchObject([{ offset: 3 }]);
  });
});
