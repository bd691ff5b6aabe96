import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveBuild } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { DemoTab, openDemo, until } from './demo-page.ts';
import type { Demo } from './demo-page.ts';
import { needs, useContext } from './fixture.ts';

needs('locators');

let server: PageServer;
const browser = useContext();

beforeAll(async () => {
  const configFile = fileURLToPath(new URL('../../vite.config.ts', import.meta.url));
  server = await serveBuild({ configFile });
});
afterAll(() => server.close());

const open = (): Promise<Demo> => openDemo(browser.context, server.url);

it('moves by itself: records come into every partition, and both tabs show them', async () => {
  const { page, tab, second, problems } = await open();
  for (const one of [tab, second]) {
    await until(async () => {
      for (const [, end] of await one.offsets()) expect(end).toBeGreaterThan(0);
    });
  }
  const cells = page.locator('#github-events .track .cell:visible');
  await until(async () => expect(await cells.count()).toBeGreaterThan(10));
  expect(await tab.text('#producer output')).toBe('Sending.');
  expect(await page.evaluate(() => window.shifted)).toBeLessThan(0.01);
  expect(problems).toEqual([]);
});

describe.each([
  { name: 'a SharedWorker', deleteSharedWorker: false },
  { name: 'a worker a tab', deleteSharedWorker: true },
])('the second tab, with $name', ({ deleteSharedWorker }) => {
  it('shares the partitions, and hands them over when it is closed', async () => {
    if (deleteSharedWorker) await browser.context.addInitScript('delete globalThis.SharedWorker');
    const { page, tab, second, problems } = await open();
    await tab.shared([2, 2]);
    await second.shared([2, 2]);
    expect(await second.owners()).toEqual(await tab.owners());

    await page.getByRole('button', { name: 'Close it' }).click();
    await tab.shared([4]);
    await until(async () => {
      expect(await tab.text('#second-tab [data-name=state]')).toMatch(
        /^Closed\. kestrel is gone\. siskin took partitions \d and \d\.$/,
      );
    });

    await page.getByRole('button', { name: 'Open it again' }).click();
    await tab.shared([2, 2]);
    expect(problems).toEqual([]);
  });
});

it('nobody is called idle while a partition is on its way', async () => {
  const { tab, second, said } = await open();
  await tab.shared([2, 2]);
  for (let i = 0; i < 3; i++) {
    for (const one of [second, tab]) {
      await one.root.getByRole('button', { name: 'Leave the group' }).click();
      await tab.shared([4]);
      await one.root.getByRole('button', { name: 'Join the group' }).click();
      await tab.shared([2, 2]);
    }
  }
  const heard = await said();
  expect(heard).toContain('Reads 2 of 4 partitions.');
  expect(heard.filter((text) => text.toLowerCase().includes('idle'))).toEqual([]);
});

it('a fifth member of four partitions is idle, and says so until it is needed', async () => {
  const { tab, second } = await open();
  await tab.shared([2, 2]);
  const members = [tab, second];
  for (let i = 0; i < 3; i++) {
    const page = await browser.context.newPage();
    await page.goto(`${server.url}/?frame=1`);
    members.push(new DemoTab(page));
  }
  const idle = async (): Promise<DemoTab[]> => {
    const texts = await Promise.all(members.map((member) => member.text('#membership output')));
    return members.filter((_, i) => texts[i] === 'Idle: every partition has another reader.');
  };
  await until(async () => expect(await idle()).toHaveLength(1));
  await tab.shared([1, 1, 1, 1]);

  const reader = (await idle())[0] === second ? members[2]! : second;
  await reader.root.getByRole('button', { name: 'Leave the group' }).click();
  await until(async () => expect(await idle()).toEqual([]));
  await tab.shared([1, 1, 1, 1]);
});

it('what was emptied is forgotten, in both tabs', async () => {
  const { page, tab, second, problems } = await open();
  await tab.shared([2, 2]);
  for (let i = 0; i < 2; i++) {
    await second.root.getByRole('button', { name: 'Leave the group' }).click();
    await tab.shared([4]);
    await second.root.getByRole('button', { name: 'Join the group' }).click();
    await tab.shared([2, 2]);
  }
  await until(async () => expect(await tab.appended()).toBeGreaterThan(50));
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.locator('#github-events .track .cell:visible').last().click();
  await until(async () => expect(await tab.text('#details')).toContain('github-events'));
  const generation = Number(await tab.text('[data-name=generation]'));

  await page.getByRole('button', { name: 'Empty the log' }).click();
  await page.getByRole('button', { name: 'Empty it' }).click();
  for (const one of [tab, second]) {
    await until(async () => expect(await one.appended()).toBe(0));
    await one.shared([2, 2]);
    const committed = one.root.locator('#github-events [data-name=committed]');
    expect(new Set(await committed.allTextContents())).toEqual(new Set(['0']));
    expect(await one.root.locator('#github-events .track .cell:visible').count()).toBe(0);
    expect(await one.root.locator('#github-events .key:visible').count()).toBe(0);
  }
  expect(Number(await tab.text('[data-name=generation]'))).toBeLessThan(generation);
  expect(await tab.text('#details')).not.toContain('github-events');

  await page.getByRole('button', { name: 'Send' }).click();
  await until(async () => expect(await tab.appended()).toBeGreaterThan(0));
  await second.shared([2, 2]);
  expect(problems).toEqual([]);
});

it('emptied by another tab, it stops meanwhile and begins anew', async () => {
  const one = await open();
  await one.tab.shared([2, 2]);
  const other = await openDemo(browser.context, server.url);
  await other.tab.shared([1, 1, 1, 1]);
  await until(async () => expect(await one.tab.appended()).toBeGreaterThan(100));
  await other.page.getByRole('button', { name: 'Pause' }).click();
  const before = await one.tab.appended();

  await other.page.getByRole('button', { name: 'Empty the log' }).click();
  await other.page.getByRole('button', { name: 'Empty it' }).click();
  await until(async () => expect(await one.tab.appended()).toBeLessThan(before));
  await one.tab.shared([1, 1, 1, 1]);
  const then = await one.tab.appended();
  await until(async () => expect(await one.tab.appended()).toBeGreaterThan(then));
  expect([...one.problems, ...other.problems]).toEqual([]);
});

it('nothing is sent while nobody sees the page', async () => {
  const { page, tab } = await open();
  const rate = (): Promise<string> => tab.text('#github-events [data-name=rate]');
  await until(async () => expect(await rate()).not.toBe('0'));
  const show = (state: DocumentVisibilityState): Promise<void> =>
    page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  await show('hidden');
  expect(await tab.text('#producer output')).toBe('Paused: nobody sees this page.');
  await until(async () => expect(await rate()).toBe('0'));
  await show('visible');
  await until(async () => expect(await tab.text('#producer output')).toBe('Sending.'));
});

it('what is stored stays within its bound, however much is appended', async () => {
  const { page, tab, said, problems } = await open();
  await until(async () => expect(await tab.text('#producer output')).toBe('Sending.'));
  // Far more than the page offers, so that the bound is reached within seconds.
  await page.locator('[name=rate][value="500"]').evaluate((input: HTMLInputElement) => {
    input.value = '20000';
    input.click();
  });
  await until(async () =>
    expect(await tab.text('#producer output')).toContain('Waiting at 100 MB'),
  );
  await until(async () => expect(await tab.appended()).toBeGreaterThan(13_000));
  await tab.choose('rate', '20');
  await until(async () => expect(megabytes(await tab.text('[data-name=stored]'))).toBeLessThan(18));
  for (const [start, end] of await tab.offsets()) expect(start).toBeLessThan(end);
  expect((await tab.offsets())[1]![0]).toBeGreaterThan(0);
  const sizes = (await said()).filter((text) => text.endsWith(' MB')).map(megabytes);
  // The producer looks every 1,000 records, and 256 may be under way.
  expect(Math.max(...sizes)).toBeLessThan(125);
  expect(problems).toEqual([]);
}, 120_000);

function megabytes(text: string): number {
  return text.endsWith(' MB') ? parseFloat(text) : 0;
}

describe('where there can be no log, the page says so', () => {
  const failure = async (): Promise<string> => {
    const page = await browser.context.newPage();
    await page.goto(server.url);
    const box = page.locator('#failure');
    await box.waitFor({ state: 'visible' });
    expect(await page.locator('main').isVisible()).toBe(false);
    return box.innerText();
  };

  it('without Web Locks', async () => {
    await browser.context.addInitScript(() =>
      Object.defineProperty(navigator, 'locks', { value: undefined }),
    );
    expect(await failure()).toContain('LOCKS_UNAVAILABLE');
  });

  it('with Web Locks that refuse', async () => {
    await browser.context.addInitScript(() => {
      LockManager.prototype.request = () =>
        Promise.reject(new DOMException('locks are denied', 'SecurityError'));
    });
    expect(await failure()).toContain('There is no log on this page');
  });

  it('where its script does not come', async () => {
    server.override(/\.js$/, (response) => response.writeHead(404).end());
    try {
      expect(await failure()).toContain('cannot be loaded');
    } finally {
      server.override(/\.js$/, undefined);
    }
  });
});
