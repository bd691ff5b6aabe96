import type { Page } from 'playwright';
import { expect, it } from 'vitest';
import { selectedEngine } from '../engines/engines.ts';
import { newTab } from '../support/browser.ts';
import { needs, useBrowser, usePage } from './fixture.ts';

needs('kill');

const page = usePage();
const browser = useBrowser();

/**
 * Writes a row, and begins two transactions that do not end. Each writes to a store of its own;
 * `inCommon`: a further store that both of them have in their scope.
 */
async function beginWrites(tab: Page, inCommon: readonly string[]): Promise<void> {
  await tab.evaluate(async (common) => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('writes');
      request.addEventListener('upgradeneeded', () => {
        for (const store of ['a', 'b', 'c']) request.result.createObjectStore(store);
      });
      request.addEventListener('success', () => resolve(request.result));
    });
    await new Promise((resolve) => {
      const tx = db.transaction('a', 'readwrite');
      tx.objectStore('a').put('a value', 'kept');
      tx.addEventListener('complete', resolve);
    });
    /** Resolves when rows have been written, and goes on writing. */
    const write = (to: string): Promise<void> =>
      new Promise((resolve) => {
        const store = db.transaction([to, ...common], 'readwrite').objectStore(to);
        let rows = 0;
        const next = (): void => {
          if (rows === 200) resolve();
          store.put('x'.repeat(1_000), rows++).addEventListener('success', next);
        };
        next();
      });
    await Promise.race([write('a'), write('b')]);
    await new Promise((resolve) => setTimeout(resolve, 300)); // the other one may not begin
  }, inCommon);
}

/** The row that was written before. */
async function keptRow(tab: Page): Promise<unknown> {
  return tab.evaluate(
    () =>
      new Promise((resolve) => {
        const request = indexedDB.open('writes');
        request.addEventListener('upgradeneeded', () => resolve('nothing'));
        request.addEventListener('success', () => {
          if (request.result.objectStoreNames.length === 0) return;
          const row = request.result.transaction('a').objectStore('a').get('kept');
          row.addEventListener('success', () => resolve(row.result));
        });
      }),
  );
}

async function afterKillAmidWrites(inCommon: readonly string[]): Promise<unknown> {
  await beginWrites(await newTab(browser.context, page.server.url), inCommon);
  await browser.profile.kill();
  browser.context = await browser.profile.start();
  return keptRow(await newTab(browser.context, page.server.url));
}

// The reason for `STORE_OF_EVERY_WRITE`. An engine that has changed its ways fails one of these.
it('a browser that is killed amid two writes with a store in common keeps its databases', async () => {
  expect(await afterKillAmidWrites(['c'])).toBe('a value');
});

it('a browser that is killed amid two writes of disjoint stores keeps them, except on LevelDB', async () => {
  const { name } = await selectedEngine();
  expect(await afterKillAmidWrites([])).toBe(name === 'chromium' ? 'nothing' : 'a value');
});
