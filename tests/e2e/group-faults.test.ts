import { describe, expect, it } from 'vitest';
import { Tabs, HOSTS, until, useTabs } from './group-tabs.ts';

const PARTITIONS = 4;

describe('a group whose shared worker is killed', () => {
  const used = useTabs(false);

  it('goes on, loses nothing, and keeps its members', async () => {
    const { tabs } = used;
    await tabs.createOrders(PARTITIONS);
    const members = [await tabs.open('a'), await tabs.open('b'), await tabs.open('c')];
    for (const tab of members) await tab.join();
    tabs.startSending(PARTITIONS);
    for (let kills = 0; kills < 3; kills++) {
      await tabs.balanced(members, [1, 1, 2]);
      await tabs.killSharedWorker();
    }
    await tabs.balanced(members, [1, 1, 2]);
    await tabs.stopSending();
    await tabs.drained();
    for (const tab of members) expect(tab.events('stopped')).toEqual([]);
  });

  it('does so too when its worker hangs', async () => {
    const { tabs } = used;
    await tabs.createOrders(PARTITIONS);
    const members = [await tabs.open('a'), await tabs.open('b')];
    for (const tab of members) await tab.join();
    tabs.startSending(PARTITIONS);
    await tabs.balanced(members, [2, 2]);
    await tabs.stopSending();
    await tabs.drained(); // amid a transaction it would hold up all others for a minute
    await tabs.hangSharedWorker();
    tabs.startSending(PARTITIONS);
    await tabs.balanced(members, [2, 2]);
    await tabs.stopSending();
    await tabs.drained();
    for (const tab of members) expect(tab.events('stopped')).toEqual([]);
  });
});

describe('a group whose members’ own workers are killed', () => {
  const used = useTabs(true);

  it('goes on, loses nothing, and keeps its members', async () => {
    const { tabs, browser } = used;
    await browser.context.addInitScript(rememberWorkers);
    await tabs.createOrders(PARTITIONS);
    const members = [await tabs.open('a'), await tabs.open('b'), await tabs.open('c')];
    for (const tab of members) await tab.join();
    tabs.startSending(PARTITIONS);
    for (const { page } of members) {
      await tabs.balanced(members, [1, 1, 2]);
      await page.evaluate('newestWorker.terminate()');
    }
    await tabs.balanced(members, [1, 1, 2]);
    await tabs.stopSending();
    await tabs.drained();
    for (const tab of members) expect(tab.events('stopped')).toEqual([]);
  });
});

describe.each(HOSTS)('a group whose browser is killed, with $name', ({ deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  it('has no members when it is opened again, and what they committed', async () => {
    const { tabs, browser } = used;
    await tabs.createOrders(PARTITIONS);
    const members = [await tabs.open('a'), await tabs.open('b')];
    for (const tab of members) await tab.join({ commit: 'manual' });
    tabs.startSending(PARTITIONS);
    await tabs.balanced(members, [2, 2]);
    const committed = (): number[] =>
      Array.from({ length: PARTITIONS }, (_, partition) => {
        const commits = members.flatMap((tab) => tab.events('committed'));
        return commits.findLast((event) => event.partition === partition)?.offset ?? 0;
      });
    await until(() => expect(Math.min(...committed())).toBeGreaterThan(0));
    await browser.profile.kill();

    browser.context = await browser.profile.start();
    const after = new Tabs(browser, used.page.server.url);
    await after.start(deleteSharedWorker);
    await until(async () => expect((await after.describe()).state).toBe('empty'));
    const { partitions } = await after.describe();
    expect(partitions.map(({ owner }) => owner)).toEqual(partitions.map(() => null));
    partitions.forEach(({ committedOffset }, partition) => {
      // One commit more may have been stored, and its promise not have been heard of.
      const known = committed()[partition]!;
      expect([known, known + 1]).toContain(committedOffset);
    });

    // Members of the same names go on from there.
    const again = [await after.open('a'), await after.open('b')];
    for (const tab of again) await tab.join();
    after.startSending(PARTITIONS);
    await after.balanced(again, [2, 2]);
    await after.stopSending();
    for (const { partition, committedOffset } of partitions) {
      const first = after.delivered.find((event) => event.partition === partition);
      expect(first?.offset).toBe(committedOffset);
    }
  });
});

/** Workers are the page's own: nobody else can terminate them. */
function rememberWorkers(): void {
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      Object.assign(globalThis, { newestWorker: this });
    }
  };
}
