import { describe, expect, it } from 'vitest';
import { HOSTS, until, useTabs } from './group-tabs.ts';
import type { Tab, Tabs } from './group-tabs.ts';

/** Two partitions, of which the sticky assignor gives up the second when another member comes. */
const MOVED = 1;
const BOTH = new Set([0, MOVED]);
/** The commit of the message in hand, by whoever lost its partition. */
const REFUSED = { partition: MOVED, offset: 2, outcome: 'FENCED' };

function partitionsOf(events: readonly { readonly partition: number }[]): number[] {
  return events.map(({ partition }) => partition);
}

describe.each(HOSTS)('a member that is too slow, with $name', ({ deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  /** A member that has both partitions, and a message of the second in hand. */
  async function withMessageInHand(tabs: Tabs, options: Parameters<Tab['join']>[0]): Promise<Tab> {
    await tabs.createOrders(2);
    const tab = await tabs.open('a');
    await tab.join({ commit: 'manual', ...options });
    await tabs.send(MOVED, 'done');
    await until(() => expect(tab.events('processed')).toHaveLength(1));
    await tab.page.evaluate(() => window.api.member.closeGate());
    await tabs.send(MOVED, 'in hand');
    await until(() => expect(tab.events('delivered')).toHaveLength(2));
    return tab;
  }

  /** From its `from`th event on, `slow` gets nothing before it is a member again. */
  async function joinsAgain(tabs: Tabs, slow: Tab, from: number): Promise<void> {
    await until(() => expect(slow.events('assigned', from)).toHaveLength(1));
    const again = tabs.told.indexOf(slow.events('assigned', from)[0]!);
    expect(slow.events('delivered', from).filter((e) => tabs.told.indexOf(e) < again)).toEqual([]);
    expect(new Set(partitionsOf(slow.events('lost')))).toEqual(BOTH);
    expect(slow.events('stopped')).toEqual([]);
    for (const partition of BOTH) await tabs.send(partition, 'last');
    await tabs.drained();
    expect(new Set(Object.values(await tabs.owners()).flat())).toEqual(BOTH);
  }

  /** Suspends `a` until `b` has taken over, and has `a` go on in the task that was interrupted. */
  async function suspendUntilTakenOver(tabs: Tabs, a: Tab): Promise<Tab> {
    // Fetched already, so it could deliver them without asking anybody.
    for (const value of ['next', 'and next']) await tabs.send(MOVED, value);
    await tabs.findProcesses();
    void a.page.evaluate((name) => window.api.member.openGateAfterSuspension(name), a.member);
    await until(() => expect(a.events('busy')).toHaveLength(1));
    await a.suspend();
    const b = await tabs.open('b');
    await b.join({ commit: 'manual', sessionTimeoutMs: 1000 });
    expect(await tabs.owners()).toEqual({ b: [0, 1] });
    await until(() => expect(b.events('committed')).toHaveLength(3));
    a.resume();
    return b;
  }

  it('loses what it has when its handler outlives rebalanceTimeoutMs, and joins again', async () => {
    const { tabs } = used;
    const a = await withMessageInHand(tabs, { rebalanceTimeoutMs: 500, sessionTimeoutMs: 60_000 });
    const b = await tabs.open('b');
    await b.join({ commit: 'manual' });

    // Ready: so it has both, and has them from somebody who did not release them.
    expect(await tabs.owners()).toEqual({ b: [0, 1] });
    await until(() => expect(new Set(partitionsOf(a.events('lost')))).toEqual(BOTH));
    expect(a.events('revoked')).toEqual([]);
    await until(() => expect(b.events('committed')).toHaveLength(1));
    expect(b.events('delivered').map((e) => e.value)).toEqual(['in hand']);
    await tabs.send(MOVED, 'after');

    const from = tabs.told.length;
    await a.page.evaluate(() => window.api.member.openGate());
    await joinsAgain(tabs, a, from);
    expect(a.events('committed', from)[0]).toMatchObject(REFUSED);
  });

  it('has its commit refused when it runs again after a suspension', async () => {
    const { tabs } = used;
    const a = await withMessageInHand(tabs, { sessionTimeoutMs: 1000 });
    const from = tabs.told.length;
    const b = await suspendUntilTakenOver(tabs, a);
    await joinsAgain(tabs, a, from);
    expect(a.events('committed', from)[0]).toMatchObject(REFUSED);
    expect(b.events('committed').map((e) => e.outcome)).not.toContain('FENCED');
  });

  it('gets nothing more when it runs again, though it was fetched', async () => {
    const { tabs } = used;
    const a = await withMessageInHand(tabs, { sessionTimeoutMs: 1000, commit: 'processed' });
    const from = tabs.told.length;
    await suspendUntilTakenOver(tabs, a);
    await joinsAgain(tabs, a, from);
  });
});
