import type { BrowserContext, FrameLocator, Page } from 'playwright';
import { expect, vi } from 'vitest';

/** More than anything takes on a busy machine; nothing is asserted of it. */
const PATIENCE_MS = 50_000;

/** Waits until `check` throws no more. */
export function until<T>(check: () => Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval: 50 });
}

declare global {
  interface Window {
    /** Every text that the status of the member, the group's members and the log's size have had. */
    said: Set<string>;
    /** How far the layout has shifted (CLS). */
    shifted: number;
  }
}

/** A tab with the demo, or the second one in its frame. */
export class DemoTab {
  readonly root: Page | FrameLocator;

  constructor(root: Page | FrameLocator) {
    this.root = root;
  }

  text(selector: string): Promise<string> {
    return this.root.locator(selector).first().innerText();
  }

  /** Who reads each partition. */
  owners(): Promise<string[]> {
    return this.root.locator('#github-events [data-name=owner]').allTextContents();
  }

  /** Waits until every partition has a reader, and the readers have so many each. */
  async shared(sizes: readonly number[]): Promise<void> {
    await until(async () => {
      const owners = await this.owners();
      expect(owners).not.toContain('nobody');
      const names = [...new Set(owners)];
      const found = names.map((name) => owners.filter((owner) => owner === name).length);
      expect(found.sort((a, b) => a - b)).toEqual(sizes);
    });
  }

  /** The start and end offsets of github-events, by partition. */
  async offsets(): Promise<(readonly [start: number, end: number])[]> {
    const texts = await this.root.locator('#github-events [data-name=offsets]').allTextContents();
    return texts.map((text) => {
      const [start = 0, end = 0] = text
        .replaceAll(',', '')
        .split(' – ')
        .map((digits) => Number(digits === 'empty' ? 0 : digits));
      return [start, end];
    });
  }

  async appended(): Promise<number> {
    return (await this.offsets()).reduce((sum, [, end]) => sum + end, 0);
  }

  choose(name: 'rate' | 'pace', value: string): Promise<void> {
    return this.root.locator(`label:has([name=${name}][value="${value}"])`).click();
  }
}

export interface Demo {
  readonly page: Page;
  readonly tab: DemoTab;
  readonly second: DemoTab;
  /** Errors of any kind, in both tabs. */
  readonly problems: string[];
  /** What was shown so far, in both. */
  readonly said: () => Promise<string[]>;
}

/** Opens the demo, and listens to what it shows from the first moment on. */
export async function openDemo(context: BrowserContext, url: string): Promise<Demo> {
  await context.addInitScript(listen);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() !== 'error' || message.text().includes('404')) return; // of an icon
    problems.push(message.text());
  });
  await page.goto(url);
  const second = new DemoTab(page.frameLocator('#second-tab iframe'));
  return {
    page,
    tab: new DemoTab(page),
    second,
    problems,
    async said() {
      const frames = page.frames().filter((frame) => frame.url() !== 'about:blank');
      const said = await Promise.all(frames.map((frame) => frame.evaluate(() => [...window.said])));
      return said.flat();
    },
  };
}

/** Runs in each page before its own script. */
function listen(): void {
  window.said = new Set();
  window.shifted = 0;
  const parts = ['#membership output', '[data-name=members]', '[data-name=stored]'];
  const look = (): void => {
    for (const part of parts) {
      const text = document.querySelector(part)?.textContent;
      if (text) window.said.add(text);
    }
  };
  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      window.shifted += (entry as PerformanceEntry & { readonly value: number }).value;
    }
  }).observe({ type: 'layout-shift', buffered: true });
}
