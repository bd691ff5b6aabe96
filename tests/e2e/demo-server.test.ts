import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright';
import { build, preview } from 'vite';
import type { PreviewServer } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ServerBehaviour } from '../../demo/server/protocol.ts';
import { serveBuild } from '../support/page-server.ts';
import { openDemo, until } from './demo-page.ts';
import type { DemoTab } from './demo-page.ts';
import { needs, useContext } from './fixture.ts';

needs('locators');

const configFile = fileURLToPath(new URL('../../vite.config.ts', import.meta.url));
const browser = useContext();

/** The panel that connects a tab to the server. */
class Panel {
  readonly root: Locator;

  constructor(page: Page) {
    this.root = page.locator('#delivery');
  }

  text(name: string): Promise<string> {
    return this.root.locator(`[data-name=${name}]`).innerText();
  }

  async count(name: string): Promise<number> {
    return Number((await this.text(name)).replaceAll(',', ''));
  }

  press(name: string): Promise<void> {
    return this.root.getByRole('button', { name, exact: true }).click();
  }

  chosen(): Promise<string> {
    return this.root.locator('input:checked').inputValue();
  }

  behave(behaviour: ServerBehaviour): Promise<void> {
    return this.root.locator(`label:has([value=${behaviour}])`).click();
  }

  /** The names of the tabs that have delivered something. */
  tabs(): Promise<string[]> {
    return this.root.locator('.member b').allTextContents();
  }

  /** Waits until all that was produced is delivered; the server has each record once. */
  async hasAll(tab: DemoTab): Promise<number> {
    return until(async () => {
      const produced = await tab.appended();
      expect(await this.text('waiting')).toBe('0');
      expect(await this.count('delivered')).toBe(produced);
      expect(await this.count('server-has')).toBe(produced);
      expect(await this.text('faults')).toBe('0 doubled, 0 missing');
      return produced;
    });
  }
}

describe('a page with a server', () => {
  let outDir: string;
  let server: PreviewServer;
  let url: string;

  beforeAll(async () => {
    outDir = await mkdtemp(join(tmpdir(), 'tablog-demo-'));
    const options = { configFile, logLevel: 'error', build: { outDir } } as const;
    await build(options);
    server = await preview({ ...options, preview: { port: 0, host: '127.0.0.1' } });
    url = `http://127.0.0.1:${(server.httpServer.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    await fetch(`${url}/receiver/state.json`, { method: 'PUT', body: '"normal"' });
  });
  afterAll(async () => {
    await server.close();
    await rm(outDir, { recursive: true });
  });

  /** The demo, and one more tab, which watches. */
  const openTwo = async () => {
    const demo = await openDemo(browser.context, url);
    const other = await browser.context.newPage();
    await other.goto(url);
    await other.getByRole('button', { name: 'Pause' }).click();
    await demo.page.bringToFront();
    await demo.page.getByRole('button', { name: 'Pause' }).waitFor();
    return { ...demo, panel: new Panel(demo.page), otherPanel: new Panel(other) };
  };

  it('delivers what is produced, by all tabs, once they are connected', async () => {
    const { page, tab, panel, otherPanel } = await openTwo();
    expect(await panel.text('status')).toBe('Not connected.');
    await until(async () => expect(await tab.appended()).toBeGreaterThan(30));
    await panel.press('Connect');
    for (const one of [panel, otherPanel]) {
      await until(async () => expect(await one.text('status')).toMatch(/^Delivers, as one of \d/));
    }
    await until(async () => expect(await panel.count('delivered')).toBeGreaterThan(100));
    await until(async () => expect((await panel.tabs()).length).toBeGreaterThan(1));
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    const all = await panel.hasAll(tab);
    await until(async () => expect(await otherPanel.count('server-has')).toBe(all));

    await panel.press('Disconnect');
    await until(async () => expect(await otherPanel.text('status')).toBe('Not connected.'));
    await page.getByRole('button', { name: 'Send' }).click();
    await until(async () => expect(await panel.count('waiting')).toBeGreaterThan(10));
    expect(await panel.count('server-has')).toBe(all);

    // A reloaded tab is connected as the others are.
    await panel.press('Connect');
    await page.reload();
    await until(async () => expect(await panel.count('delivered')).toBeGreaterThan(all));
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await panel.hasAll(tab);
  });

  it.each([
    ['unavailable', 'answered 503: told to fail'],
    ['silent', 'within 4000 ms'],
    ['losesAnswers', 'no answer to POST'],
  ] as const)(
    'a server that is %s: what comes waits, and each record is delivered once',
    { timeout: 90_000 },
    async (behaviour, error) => {
      const { page, tab, panel, otherPanel } = await openTwo();
      await panel.press('Connect');
      await until(async () => expect(await panel.count('delivered')).toBeGreaterThan(10));

      await panel.behave(behaviour);
      await tab.choose('rate', '100');
      await until(async () => expect(await panel.text('error')).toContain(error));
      await until(async () => expect(await panel.text('status')).toMatch(/^Backs off/));
      await until(async () => expect(await panel.count('waiting')).toBeGreaterThan(100));
      await until(async () => expect(await otherPanel.chosen()).toBe(behaviour));
      await until(async () => expect(await otherPanel.count('waiting')).toBeGreaterThan(100));

      await otherPanel.behave('normal');
      await until(async () => expect(await panel.text('error')).toBe(''));
      await until(async () => expect(await panel.text('status')).toMatch(/^Delivers/));
      await page.getByRole('button', { name: 'Pause', exact: true }).click();
      const all = await panel.hasAll(tab);
      await until(async () => expect(await otherPanel.count('delivered')).toBe(all));
    },
  );

  it('holds back what comes while it is paused, in every tab', async () => {
    const { page, tab, panel, otherPanel } = await openTwo();
    await panel.press('Connect');
    await until(async () => expect(await panel.count('delivered')).toBeGreaterThan(10));
    await panel.press('Pause deliveries');
    for (const one of [panel, otherPanel]) {
      await until(async () => expect(await one.text('status')).toMatch(/^Paused/));
    }
    await until(async () => expect(await panel.count('waiting')).toBeGreaterThan(30));
    await otherPanel.press('Go on');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await panel.hasAll(tab);
  });

  it(
    'tells how many records retention had removed before a server was there',
    { timeout: 90_000 },
    async () => {
      const { page, tab, panel } = await openTwo();
      await tab.choose('rate', '500');
      await until(async () => expect((await tab.offsets())[1]![0]).toBeGreaterThan(0));
      await page.getByRole('button', { name: 'Pause', exact: true }).click();
      await page.getByRole('button', { name: 'Close it' }).click(); // one tab delivers, and counts
      await page.context().pages().at(-1)!.close();
      await panel.press('Connect');
      await until(async () =>
        expect(await panel.text('lost')).toMatch(/^Retention had removed \d/),
      );
      await until(async () => {
        expect(await panel.text('waiting')).toBe('0');
        expect(await panel.text('faults')).toBe('0 doubled, 0 missing');
        const removed = (await tab.offsets()).reduce((sum, [start]) => sum + start, 0);
        expect(await panel.count('server-has')).toBe((await tab.appended()) - removed);
        expect(await panel.text('delivered')).toBe(await panel.text('server-has'));
      });
    },
  );

  it('begins anew with an emptied log', async () => {
    const { page, tab, panel, problems } = await openTwo();
    await panel.press('Connect');
    await until(async () => expect(await panel.count('delivered')).toBeGreaterThan(50));
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await panel.hasAll(tab);
    await page.getByRole('button', { name: 'Empty the log' }).click();
    await page.getByRole('button', { name: 'Empty it' }).click();
    await until(async () => expect(await tab.appended()).toBe(0));
    await until(async () => expect(await panel.text('server-has')).toBe('0'));
    await page.getByRole('button', { name: 'Send' }).click();
    await until(async () => expect(await panel.count('delivered')).toBeGreaterThan(10));
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await panel.hasAll(tab);
    expect(problems).toEqual([]);
  });
});

it('a copy of the demo that is files alone says that it has no server', async () => {
  const server = await serveBuild({ configFile });
  try {
    const { page, problems } = await openDemo(browser.context, server.url);
    const panel = new Panel(page);
    await until(async () => expect(await panel.text('status')).toMatch(/^No server here/));
    expect(await panel.root.locator('[data-name=toggle]').isDisabled()).toBe(true);
    expect(await panel.root.locator('input:enabled').count()).toBe(0);
    expect(problems).toEqual([]);
  } finally {
    await server.close();
  }
});
