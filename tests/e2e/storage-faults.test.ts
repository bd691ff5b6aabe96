import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { needsNow, useBrowser, usePage } from './fixture.ts';

const page = usePage();
const browser = useBrowser();

async function openTab(): Promise<Page> {
  const tab = await newTab(browser.context, page.server.url);
  await tab.evaluate(() => window.api.open('shop', 'default'));
  return tab;
}

describe('a page that goes', () => {
  it('flushes what it has buffered, with its last message', async () => {
    const other = await openTab();
    const tab = await openTab();
    await tab.evaluate(async () => {
      const log = window.api.mustGetLog();
      await log.admin.createTopics(['last']);
      const producer = log.producer({ lingerMs: 60_000 });
      await Promise.all([producer.send('last', { value: 'warm' }), producer.flush()]);
      for (let i = 0; i < 20; i++) void producer.send('last', { value: `${i}` });
    });
    await tab.goto('about:blank');
    const read = await other.evaluate(async () => {
      const values: string[] = [];
      const topic = window.api.topic('last', { value: window.api.string() });
      const consumer = window.api.mustGetLog().consumer({ topics: [topic], from: 'earliest' });
      for await (const { value } of consumer) {
        values.push(value!);
        if (values.length === 21) break;
      }
      return values;
    });
    expect(read).toEqual(['warm', ...Array.from({ length: 20 }, (_, i) => `${i}`)]);
  });
});

describe('a browser that is killed', () => {
  it.each(['relaxed', 'strict'] as const)('keeps every acked record (%s)', async (durability) => {
    const tab = await openTab();
    let acked = -1;
    tab.on('console', (message) => {
      if (message.text().startsWith('acked ')) acked = Number(message.text().slice(6));
    });
    const enough = tab.waitForEvent('console', (message) => message.text() === 'acked 200');
    void tab
      .evaluate(async (level) => {
        const log = window.api.mustGetLog();
        await log.admin.createTopics(['killed']);
        const producer = log.producer({ durability: level });
        for (let i = 0; ; i++) {
          await producer.send('killed', { value: `${i}` });
          console.log(`acked ${i}`);
        }
      }, durability)
      .catch(() => {}); // the browser is killed under it
    await enough;
    await browser.profile.kill();
    const last = acked;

    browser.context = await browser.profile.start();
    const values = await (
      await openTab()
    ).evaluate(async () => {
      const log = window.api.mustGetLog();
      const [{ partitions }] = await log.admin.describeTopics(['killed']);
      const read = await window.api.readAll(
        window.api.topic('killed', { value: window.api.string() }),
        partitions[0]!.endOffset,
      );
      return read.map(({ value }) => Number(value));
    });
    expect(values).toEqual(values.map((_, i) => i));
    expect(values.length).toBeGreaterThan(last);
  });
});

describe('a database that goes', () => {
  it('cleared site data: the log is closed, and a new one can be opened', async ({ skip }) => {
    await needsNow(skip, 'clear');
    const tab = await openTab();
    const before = await tab.evaluate(async () => {
      const log = window.api.mustGetLog();
      window.api.listen();
      await log.admin.createTopics(['gone']);
      await log.producer().send('gone', { value: 'x' });
      return (await log.admin.describeLog()).logId;
    });
    await browser.profile.clearDatabases(tab);
    const after = await tab.evaluate(async () => {
      const lost = await window.api
        .mustGetLog()
        .producer()
        .send('gone', { value: 'y' })
        .catch((error) => error.code);
      await window.api.open('shop', 'default');
      const log = window.api.mustGetLog();
      const { logId } = await log.admin.describeLog();
      await log.admin.createTopics(['gone']);
      const placed = await log.producer().send('gone', { value: 'z' });
      return { logId, lost, offset: placed.offset };
    });
    expect(after.logId).not.toBe(before);
    expect(after.lost).toBe('CLOSED');
    expect(await tab.evaluate(() => window.api.told)).toEqual(['logDeleted']);
    expect(after.offset).toBe(0);
  });

  it('a newer format is refused', async () => {
    const tab = await newTab(browser.context, page.server.url);
    const error = await tab.evaluate(async () => {
      const log = await window.api.openLog('shop', { host: window.api.inline() });
      await log.close();
      await new Promise<void>((resolve) => {
        const request = indexedDB.open('tablog/shop');
        request.onsuccess = () => {
          const db = request.result;
          const tx = db.transaction('meta', 'readwrite');
          tx.objectStore('meta').put({ format: 99, logId: 'x', createdAt: 0 }, 'log');
          tx.oncomplete = () => {
            db.close();
            resolve();
          };
        };
      });
      return window.api
        .open('shop', 'default')
        .catch((e) => ({ code: e.code, message: e.message }));
    });
    expect(error).toMatchObject({ code: 'FORMAT_TOO_NEW' });
    expect(error).toMatchObject({ message: expect.stringMatching(/format 99.*reads 1.*Reload/) });
  });

  it('a full origin refuses writes with STORAGE_FULL, reads go on, and it recovers', async ({
    skip,
  }) => {
    await needsNow(skip, 'cdp');
    const tab = await newTab(browser.context, page.server.url);
    const session = await browser.context.newCDPSession(tab);
    const quota = (quotaSize?: number): Promise<unknown> =>
      session.send('Storage.overrideQuotaForOrigin', {
        origin: page.server.url,
        ...(quotaSize !== undefined && { quotaSize }),
      });
    await quota(2_000_000);
    const full = await tab.evaluate(async () => {
      await window.api.open('shop', 'default');
      window.api.listen();
      const log = window.api.mustGetLog();
      await log.admin.createTopics(['much']);
      const producer = log.producer();
      let stored = 0;
      for (let i = 0; i < 100; i++) {
        const value = crypto.getRandomValues(new Uint8Array(60_000));
        try {
          await producer.send('much', { value });
          stored++;
        } catch (error) {
          const { code, retriable } = error as { code: string; retriable: boolean };
          const read = await window.api.readAll('much', stored);
          return { code, retriable, stored, read: read.length };
        }
      }
      return undefined;
    });
    expect(full).toMatchObject({ code: 'STORAGE_FULL', retriable: true });
    expect(full!.read).toBe(full!.stored);
    await quota();
    const offset = await tab.evaluate(async () => {
      const producer = window.api.mustGetLog().producer();
      return (await producer.send('much', { value: 'after' })).offset;
    });
    expect(offset).toBe(full!.stored);
    expect(await tab.evaluate(() => window.api.told)).toEqual(['storageFull', 'storageAvailable']);
  });
});
