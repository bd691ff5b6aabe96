import { describe, expect, it } from 'vitest';
import { HOSTS, until, useTabs } from './group-tabs.ts';
import type { Tab, Tabs } from './group-tabs.ts';

/** No timeout can be what moves anything. */
const OPTIONS = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 };

/** A driven browser shows every tab, and freezes none: so the page is told what a browser would say. */
async function setVisible(tab: Tab, isVisible: boolean): Promise<void> {
  await tab.page.evaluate(
    (visibilityState) => {
      Object.defineProperty(document, 'visibilityState', {
        value: visibilityState,
        configurable: true,
      });
      document.dispatchEvent(new Event('visibilitychange'));
    },
    isVisible ? 'visible' : 'hidden',
  );
}

async function visibleMembers(tabs: Tabs): Promise<string[]> {
  const { members } = await tabs.describe();
  return members.filter(({ visible }) => visible).map(({ memberId }) => memberId);
}

/** Who gets the only partition of a new topic, while the members have equally many. */
async function ownerOfNew(tabs: Tabs, name: string): Promise<string | null> {
  await tabs.keeper.page.evaluate(
    (topic) => window.api.mustGetLog().admin.createTopics([topic]),
    name,
  );
  return until(async () => {
    const { state, partitions } = await tabs.describe();
    expect(state).toBe('stable');
    const found = partitions.find(({ topic }) => topic === name);
    expect(found).toBeDefined();
    return found!.owner;
  });
}

async function deleteTopic(tabs: Tabs, name: string): Promise<void> {
  await tabs.keeper.page.evaluate(
    (topic) => window.api.mustGetLog().admin.deleteTopics([topic]),
    name,
  );
  await until(async () => {
    const { partitions } = await tabs.describe();
    expect(partitions.map(({ topic }) => topic)).not.toContain(name);
  });
}

describe.each(HOSTS)('placement with $name', ({ deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  it('among equals a partition goes to the tab that somebody sees', async () => {
    const { tabs } = used;
    const options = { ...OPTIONS, sessionTimeoutMs: 1000 }; // it is told with the sign of life
    const a = await tabs.open('a');
    await setVisible(a, false);
    await a.join(options);
    const b = await tabs.open('b');
    await b.join(options);
    expect(await visibleMembers(tabs)).toEqual(['b']);
    expect(await ownerOfNew(tabs, 'more-1')).toBe('b');

    await deleteTopic(tabs, 'more-1');
    await setVisible(a, true);
    await setVisible(b, false);
    await until(async () => expect(await visibleMembers(tabs)).toEqual(['a']));
    expect(await ownerOfNew(tabs, 'more-2')).toBe('a');
  });

  it('a tab that is frozen gives its partitions up at once, and joins again when it runs', async () => {
    const { tabs } = used;
    await tabs.createOrders(2);
    const a = await tabs.open('a');
    await a.join({ ...OPTIONS, commit: { everyMs: 60_000 } });
    for (const value of ['one', 'two']) await tabs.send(1, value);
    await until(() => expect(a.events('processed')).toHaveLength(2));
    const b = await tabs.open('b');

    const from = tabs.told.length;
    await a.page.evaluate(() => {
      // One task: what is not sent before it ends is not sent by a page that freezes.
      document.dispatchEvent(new Event('freeze'));
    });
    await b.join(OPTIONS);
    expect(await tabs.owners()).toEqual({ b: [0, 1] });
    await until(() => expect(a.events('lost', from)).toHaveLength(2));
    expect(a.events('assigned', from)).toEqual([]);
    await tabs.send(1, 'three');
    await until(() => expect(b.events('processed')).toHaveLength(1));
    // What a had processed was committed on the way out.
    expect(b.events('delivered').map(({ value }) => value)).toEqual(['three']);

    await a.page.evaluate(() => document.dispatchEvent(new Event('resume')));
    await until(() => expect(a.events('assigned', from)).toHaveLength(1));
    await until(async () => expect(Object.keys(await tabs.owners())).toEqual(['b', 'a']));
    await tabs.send(0, 'four');
    await tabs.send(1, 'five');
    await until(() => expect(a.events('delivered', from)).toHaveLength(1));
    await until(() => expect(b.events('delivered', from)).toHaveLength(2));
  });

  it('with placement any, a freeze changes nothing', async () => {
    const { tabs } = used;
    await tabs.createOrders(1);
    const a = await tabs.open('a');
    await setVisible(a, false);
    await a.join({ ...OPTIONS, placement: 'any' });
    expect(await visibleMembers(tabs)).toEqual(['a']);
    await a.page.evaluate(() => document.dispatchEvent(new Event('freeze')));
    await tabs.send(0, 'one');
    await until(() => expect(a.events('processed')).toHaveLength(1));
    expect(a.events('lost')).toEqual([]);
    expect(await tabs.owners()).toEqual({ a: [0] });
  });
});
