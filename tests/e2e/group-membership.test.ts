import { describe, expect, it } from 'vitest';
import { HOSTS, useTabs } from './group-tabs.ts';

const PARTITIONS = 4;
const OPTIONS = { sessionTimeoutMs: 1000 } as const;

describe.each(HOSTS)('a group of tabs with $name', ({ deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  it('shares four partitions among those that are there, however they come and go', async () => {
    const { tabs } = used;
    await tabs.createOrders(PARTITIONS);
    tabs.startSending(PARTITIONS);
    const join = async (member: string) => {
      const tab = await tabs.open(member);
      await tab.join(OPTIONS);
      return tab;
    };
    const a = await join('a');
    await tabs.balanced([a], [4]);
    const b = await join('b');
    await tabs.balanced([a, b], [2, 2]);
    const c = await join('c');
    await tabs.balanced([a, b, c], [1, 1, 2]);
    const d = await join('d');
    await tabs.balanced([a, b, c, d], [1, 1, 1, 1]);
    const e = await join('e');
    await tabs.balanced([a, b, c, d, e], [0, 1, 1, 1, 1]);

    await a.close();
    await tabs.balanced([b, c, d, e], [1, 1, 1, 1]);
    await b.crash();
    await tabs.balanced([c, d, e], [1, 1, 2]);
    await c.reload();
    await tabs.balanced([d, e], [2, 2]);
    await c.join(OPTIONS);
    await tabs.balanced([c, d, e], [1, 1, 2]);
    await d.suspend();
    await tabs.balanced([c, e], [2, 2]);
    d.resume();
    await tabs.balanced([c, d, e], [1, 1, 2]);

    await tabs.stopSending();
    await tabs.drained();
  });

  it('leaves those alone that give signs of life, whoever asks for them', async () => {
    const { tabs } = used;
    await tabs.createOrders(PARTITIONS);
    const members = [await tabs.open('a'), await tabs.open('b'), await tabs.open('c')];
    for (const tab of members) await tab.join({ sessionTimeoutMs: 2000 });
    const before = await tabs.describe();
    await tabs.probes(12);
    expect((await tabs.describe()).generation).toBe(before.generation);
    for (const tab of members) expect(tab.events('lost')).toEqual([]);
  });
});
