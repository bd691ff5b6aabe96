import { describe, expect, it } from 'vitest';
import { HOSTS, useTabs } from './group-tabs.ts';
import type { Tab, Tabs } from './group-tabs.ts';
import { lengthOf } from '../support/seeds.ts';

const TABS = 10;
const PARTITIONS = 20;
const ROUNDS = lengthOf(5, 20);
/** So many of them with fresh pages, which load the page and start what they need as well. */
const FRESH_ROUNDS = 3;

/** Has the tab wait for the barrier; resolves when it does, with what it then becomes. */
async function atBarrier(tab: Tab, round: number): Promise<{ ready: Promise<number> }> {
  const name = `${tab.member}-${round}`;
  const ready = tab.page.evaluate(async (member) => {
    const barrier = new BroadcastChannel('barrier');
    const go = new Promise((resolve) => {
      barrier.addEventListener('message', resolve, { once: true });
    });
    document.title = member;
    await go;
    barrier.close();
    if (window.api.log === undefined) await window.api.open('shop', 'default');
    await window.api.member.join(window.api.mustGetLog(), member, {});
    return Date.now();
  }, name);
  await tab.page.waitForFunction((title) => document.title === title, name);
  return { ready };
}

/** Opens the barrier; how long it took until all were ready, in milliseconds. */
async function bootAll(tabs: Tabs, all: readonly Tab[], round: number): Promise<number> {
  const waiting = await Promise.all(all.map((tab) => atBarrier(tab, round)));
  const started = await tabs.keeper.page.evaluate(() => {
    const barrier = new BroadcastChannel('barrier');
    barrier.postMessage('go');
    barrier.close();
    return Date.now();
  });
  const ready = await Promise.all(waiting.map((each) => each.ready));
  return Math.max(...ready) - started;
}

/** Every partition is with one member, by what the group says, and by what each member does. */
async function expectConsistent(tabs: Tabs, all: readonly Tab[], round: number): Promise<void> {
  const owners = await tabs.owners();
  const assigned = await Promise.all(
    all.map(async ({ page, member }) => {
      const name = `${member}-${round}`;
      const mine = await page.evaluate((name) => window.api.member.assignmentOf(name), name);
      return [name, mine.map(({ partition }) => partition).sort((x, y) => x - y)] as const;
    }),
  );
  expect(Object.fromEntries(assigned)).toEqual(owners);
  expect(assigned.flatMap(([, mine]) => mine).sort((x, y) => x - y)).toEqual(
    Array.from({ length: PARTITIONS }, (_, partition) => partition),
  );
  expect(assigned.map(([, { length }]) => length)).toEqual(all.map(() => PARTITIONS / TABS));
}

function report(what: string, rounds: readonly number[]): void {
  const sorted = rounds.toSorted((x, y) => x - y);
  const p50 = sorted[Math.ceil(sorted.length / 2) - 1];
  console.log(`${what}: go to all ready, p50 ${p50} ms, max ${sorted.at(-1)} ms`);
}

describe.each(HOSTS)('ten tabs at once with $name', ({ name, deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  it('are a group with one consistent assignment, each time', { timeout: 120_000 }, async () => {
    const { tabs } = used;
    await tabs.createOrders(PARTITIONS);
    const all: Tab[] = [];
    for (let i = 0; i < TABS; i++) all.push(await tabs.open(`tab-${i}`));
    const warm: number[] = [];
    for (let round = 0; round < ROUNDS - FRESH_ROUNDS; round++) {
      warm.push(await bootAll(tabs, all, round));
      await expectConsistent(tabs, all, round);
      await Promise.all(all.map(({ page, member }) => leave(page, `${member}-${round}`)));
    }
    const fresh: number[] = [];
    for (let round = ROUNDS - FRESH_ROUNDS; round < ROUNDS; round++) {
      // With whom the last round's members die, at once.
      await Promise.all(all.map((tab) => tab.reloadPage()));
      fresh.push(await bootAll(tabs, all, round));
      await expectConsistent(tabs, all, round);
    }
    report(`${name}, new members`, warm);
    report(`${name}, new pages`, fresh);
  });
});

function leave(page: Tab['page'], name: string): Promise<void> {
  return page.evaluate((member) => window.api.member.leave(member), name);
}
