import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { useOrigins } from './fixture.ts';

const page = useOrigins();

type Host = 'shared' | 'dedicated' | 'inline';

const HOSTS: readonly (readonly Host[])[] = [
  ['shared', 'shared', 'shared'],
  ['dedicated', 'dedicated', 'dedicated'],
  ['inline', 'inline', 'inline'],
  ['shared', 'dedicated', 'inline'],
];

async function openTab(host: Host): Promise<Page> {
  const tab = await newTab(page.context, page.url);
  await tab.evaluate((kind) => window.api.open('shop', kind), host);
  return tab;
}

/** Everything that can wait, waits; resolves with what became of each. */
function waitForAll(tab: Page): Promise<string[]> {
  return tab.evaluate(async () => {
    const log = window.api.mustGetLog();
    const topics = ['disk', 'memory'];
    const loop = async (): Promise<void> => {
      for await (const _ of log.consumer({ topics, from: 'latest' }));
    };
    const lingering = log.producer({ lingerMs: 600_000 });
    await Promise.all([lingering.send('disk', { value: 'v' }), lingering.flush()]);
    const waiting = {
      loop: loop(),
      batches: log
        .consumer({ topics: ['memory'] })
        .batches()
        .next(),
      group: log.consumer({ topics, group: 'g' }).run({ eachMessage() {} }),
      other: log
        .consumer({ topics: ['later'], group: 'h' })
        .batches()
        .next(),
      lingering: lingering.send('disk', { value: 'v' }),
      transaction: log.producer().transaction(() => new Promise(() => {})),
    };
    await log.admin.listTopics();
    document.title = 'waits';
    return Promise.all(
      Object.entries(waiting).map(([name, promise]) =>
        promise.then(
          () => `${name} ended`,
          (error) => `${name}: ${error.code}, ${error.happened}`,
        ),
      ),
    );
  });
}

describe.each(HOSTS)('a log that tabs with %s, %s and %s have open', (...hosts) => {
  it('is deleted under them, by one of them: each is told, and none makes it anew', async () => {
    const tabs = await Promise.all(hosts.map(openTab));
    const [deleter, ...others] = tabs as [Page, Page, Page];
    const before = await deleter.evaluate(async () => {
      const { topic, listLogs } = window.api;
      const log = window.api.mustGetLog();
      await log.admin.createTopics([topic('disk'), topic('memory', { storage: 'memory' })]);
      await log.producer().send('disk', { value: 'v' });
      return { logId: (await log.admin.describeLog()).logId, logs: await listLogs() };
    });
    expect(before.logs).toEqual(['shop']);
    const ended = tabs.map(waitForAll);
    for (const tab of tabs) await tab.waitForFunction('document.title === "waits"');
    const idle = await openTab(hosts[2]!);

    await deleter.evaluate(() => window.api.deleteLog('shop'));
    const names = ['loop', 'batches', 'group', 'other', 'lingering', 'transaction'];
    const told = names.map((name) => `${name}: CLOSED, the log 'shop' was deleted`);
    for (const results of ended) expect(await results).toEqual(told);
    for (const tab of [...tabs, idle]) {
      const error = await tab.evaluate(async () => {
        const log = window.api.mustGetLog();
        const listing = await log.admin.listTopics().catch((thrown) => thrown);
        await log.close();
        return { code: listing.code, reason: listing.details.reason };
      });
      expect(error).toEqual({ code: 'CLOSED', reason: 'deleted' });
    }
    const left = await deleter.evaluate(async () => ({
      logs: await window.api.listLogs(),
      databases: (await indexedDB.databases()).map(({ name }) => name),
    }));
    expect(left).toEqual({ logs: [], databases: [] });

    const other = others[0];
    await other.evaluate((kind) => window.api.open('shop', kind), hosts[1]!);
    const after = await other.evaluate(async () => {
      const log = window.api.mustGetLog();
      const topics = await log.admin.listTopics();
      await log.admin.createTopics(['disk']);
      const { offset } = await log.producer().send('disk', { value: 'v' });
      const { logId } = await log.admin.describeLog();
      return { topics, offset, logId };
    });
    expect(after).toEqual({ topics: [], offset: 0, logId: expect.any(String) });
    expect(after.logId).not.toBe(before.logId);
  });
});

describe('a log whose database something else holds', () => {
  it('is STORAGE_BLOCKED, and deleted when that lets go', async () => {
    const tab = await openTab('shared');
    const error = await tab.evaluate(async () => {
      const held = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('tablog/shop');
        request.addEventListener('success', () => resolve(request.result));
      });
      const deadlineMs = 500;
      const thrown = await window.api.deleteLog('shop', { deadlineMs }).catch((e) => e);
      held.close();
      await window.api.deleteLog('shop');
      return { code: thrown.code, happened: thrown.happened, left: await window.api.listLogs() };
    });
    expect(error).toMatchObject({ code: 'STORAGE_BLOCKED', left: [] });
    expect(error.happened).toContain('still open');
  });
});
