import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import { take } from '../../support/log-fixture.ts';
import {
  committed,
  fill,
  four,
  joined,
  Member,
  openStubbed,
  openTabs,
  reading,
} from '../../support/group-fixture.ts';
import { eventually, latch, settle } from '../../support/waiting.ts';

/** How many partitions each has, the most first. Throws where one is read by two, or by nobody. */
function sharesOf(members: readonly Member[]): number[] {
  const owned = members.flatMap(({ owns }) => owns);
  expect(owned.sort()).toEqual(['t/0', 't/1', 't/2', 't/3']);
  return members.map(({ owns }) => owns.length).sort((a, b) => b - a);
}

describe('4 partitions', () => {
  test.each([
    [1, [4]],
    [2, [2, 2]],
    [3, [2, 1, 1]],
    [4, [1, 1, 1, 1]],
    [5, [1, 1, 1, 1, 0]],
  ])('and %i members', async (count, shares) => {
    const tabs = await openTabs(count, four);
    const members: Member[] = [];
    for (const tab of tabs) members.push(await joined(tab));
    await eventually(() => expect(sharesOf(members)).toEqual(shares));
  });

  test('and 5 members that come at once', async () => {
    const tabs = await openTabs(5, four);
    const members = await Promise.all(tabs.map((tab) => joined(tab)));
    await eventually(() => expect(sharesOf(members)).toEqual([1, 1, 1, 1, 0]));
  });

  test('are each read once, whoever comes and goes', async () => {
    const tabs = await openTabs(3, four);
    const [a, b, c] = tabs.map((tab) => new Member(tab));
    const loops = [a!.loop(), b!.loop(), c!.loop()];
    await fill(tabs[0]!, 50, [0, 1, 2, 3]);
    await b!.consumer.close();
    await fill(tabs[0]!, 50, [0, 1, 2, 3]);
    const read = (): string[] => [a!, b!, c!].flatMap((member) => member.read);
    await eventually(() => expect(new Set(read()).size).toBe(400));
    await Promise.all([a!.consumer.close(), c!.consumer.close()]);
    await Promise.all(loops);
    // What b had in hand when it left comes again.
    expect(read().length).toBeLessThanOrEqual(401);
  });

  test('and a member that goes: the others take over what it had, and nothing else moves', async () => {
    const tabs = await openTabs(4, four);
    const members: Member[] = [];
    for (const tab of tabs) members.push(await joined(tab));
    const [gone, ...others] = members;
    const before = others.map(({ events }) => events.length);
    const kept = others.map(({ owns }) => owns[0]!);
    const [left] = gone!.owns;
    await gone!.consumer.close();
    await eventually(() => expect(sharesOf(others)).toEqual([2, 1, 1]));
    others.forEach(({ owns }, i) => expect(owns).toContain(kept[i]));
    const since = others.flatMap(({ events }, i) => events.slice(before[i]));
    expect(since).toEqual([`assigned ${left}`]);
  });

  test('and a member that comes: only what it gets moves', async () => {
    const tabs = await openTabs(3, four);
    const a = await joined(tabs[0]!);
    const b = await joined(tabs[1]!);
    const before = a.events.length;
    const c = await joined(tabs[2]!);
    const since = [...a.events.slice(before), ...b.events.slice(1)];
    expect(c.owns).toHaveLength(1);
    expect(since).toEqual([`revoked ${c.owns[0]}`]);
    expect(c.events).toEqual([`assigned ${c.owns[0]}`]);
  });
});

test('who keeps a partition goes on in it: at its place, and with nothing twice', async () => {
  const [first, second] = await openTabs(2, topic('t', { partitions: 2 }));
  await fill(first!, 10, [0, 1]);
  const a = await joined(first!, { commit: 'manual' });
  const read = await take(a.consumer, 20);
  expect(read).toHaveLength(20);
  await joined(second!, { commit: 'manual' });
  const [kept] = a.consumer.assignment;
  expect(a.owns).toHaveLength(1);
  expect(a.consumer.position(kept!)).toBe(10);
  await fill(first!, 1, [0, 1]);
  const [next] = await take(a.consumer, 1);
  expect(next).toMatchObject({ ...kept, offset: 10 });
});

describe('ready', () => {
  test('is a share that is complete, also where others have to give it up first', async () => {
    const [first, second] = await openTabs(2, four);
    await fill(first!, 10, [0, 1, 2, 3]);
    await reading(first!);
    const b = await joined(second!);
    expect(b.owns).toHaveLength(2);
    expect(b.consumer.assignment).toHaveLength(2);
  });

  test('waits for a member that has a message in hand', async () => {
    const [first, second] = await openTabs(2, topic('t', { partitions: 2 }));
    await fill(first!, 1, [1]);
    const { opened: finished, open: finish } = latch();
    const a = await reading(first!, {}, () => finished);
    await eventually(() => expect(a.read).toEqual(['t/1@0']));
    const b = new Member(second!);
    let ready = false;
    void b.consumer.ready.then(() => (ready = true));
    await eventually(async () => {
      expect((await first!.admin.describeGroups(['g']))[0].state).toBe('reconciling');
    });
    await settle();
    expect(ready).toBe(false);
    finish();
    await b.consumer.ready;
    expect(b.owns).toEqual(['t/1']);
  });

  test('with nothing, where there are more members than partitions', async () => {
    const tabs = await openTabs(5, four);
    const members: Member[] = [];
    for (const tab of tabs) members.push(await joined(tab));
    expect(members[4]!.consumer.assignment).toEqual([]);
    await members[0]!.consumer.close();
    await eventually(() => expect(members[4]!.owns).toHaveLength(1));
  });

  test('with nothing, where no topic is there yet', async () => {
    const [log] = await openTabs(1);
    expect((await joined(log!)).owns).toEqual([]);
  });

  test('rejects with UNKNOWN_TOPIC where it must exist, and nobody has joined', async () => {
    const [log] = await openTabs(1, 't');
    const { consumer } = new Member(log!, { topics: ['t', 'nowhere'], mustExist: true });
    const unknown = { code: 'UNKNOWN_TOPIC', details: { topic: 'nowhere' } };
    await expect(consumer.ready).rejects.toMatchObject(unknown);
    await expect(take(consumer, 1)).rejects.toMatchObject(unknown);
    expect(await log!.admin.listGroups()).toEqual([]);
  });

  test('rejects with MEMBER_EXISTS where another tab has the id', async () => {
    const [first, second] = await openTabs(2, 't');
    const a = await joined(first!, { memberId: 'm' });
    const { consumer } = new Member(second!, { memberId: 'm' });
    const exists = { code: 'MEMBER_EXISTS', details: { group: 'g', member: 'm' } };
    await expect(consumer.ready).rejects.toMatchObject(exists);
    await expect(take(consumer, 1)).rejects.toMatchObject(exists);
    await consumer.close();
    await a.consumer.close();
    expect((await joined(second!, { memberId: 'm' })).owns).toEqual(['t/0']);
  });

  test('rejects with INCONSISTENT_GROUP_PROTOCOL where the others have another assignor', async () => {
    const [first, second] = await openTabs(2, 't');
    await joined(first!, { assignor: 'range' });
    await expect(joined(second!, { assignor: 'sticky' })).rejects.toMatchObject({
      code: 'INCONSISTENT_GROUP_PROTOCOL',
      details: { group: 'g', assignor: 'range' },
    });
    await joined(second!); // takes what there is
    expect((await second!.admin.describeGroups(['g']))[0].assignor).toBe('range');
  });

  test('rejects with CLOSED where it is closed first, and nobody has joined', async () => {
    const { stubbed, host } = await openStubbed('t');
    const gate = host.hold('joinGroup');
    const { consumer } = new Member(stubbed);
    await gate.arrived(1);
    const closed = consumer.close();
    gate.open();
    await closed;
    await expect(consumer.ready).rejects.toMatchObject({ code: 'CLOSED' });
    await settle();
    expect(await stubbed.admin.listGroups()).toMatchObject([{ state: 'empty' }]);
  });
});

describe('subscriptions', () => {
  test('that differ: each gets of what it wants', async () => {
    const [first, second] = await openTabs(2, topic('t', { partitions: 2 }), 'u', 'v');
    const a = await joined(first!, { topics: ['t', 'u'] });
    const b = await joined(second!, { topics: ['t', 'v'] });
    await eventually(() => expect(a.owns).toHaveLength(2));
    expect(a.owns).toContain('u/0');
    expect(b.owns).toContain('v/0');
    expect([...a.owns, ...b.owns].sort()).toEqual(['t/0', 't/1', 'u/0', 'v/0']);
  });

  test('by a pattern get what matches', async () => {
    const [log] = await openTabs(1, 'orders.eu', 'orders.us', 'audit');
    const a = await joined(log!, { topics: [/^orders\./g, 'audit'] });
    expect(a.owns).toEqual(['audit/0', 'orders.eu/0', 'orders.us/0']);
    expect((await joined(log!, { group: 'h', topics: [/^none/] })).owns).toEqual([]);
  });

  test('that end: nobody reads the topic any more, and what was committed stays', async () => {
    const [first, second] = await openTabs(2, 't', 'u');
    await fill(first!, 3, [0], 'u');
    await joined(first!, { topics: ['t'] });
    const b = await joined(second!, { topics: ['u'] });
    await take(b.consumer, 3);
    await b.consumer.close();
    expect(await committed(first!)).toMatchObject({ 'u/0': 2 });
    const again = await joined(second!, { topics: ['u'] });
    expect(again.consumer.position({ topic: 'u', partition: 0 })).toBe(2);
  });
});

test('two consumers of one tab share as those of two tabs do', async () => {
  const [log] = await openTabs(1, four);
  await fill(log!, 5, [0, 1, 2, 3]);
  const a = await reading(log!);
  const b = await reading(log!);
  expect([a.owns.length, b.owns.length]).toEqual([2, 2]);
  const [{ members }] = await log!.admin.describeGroups(['g']);
  expect(new Set(members.map(({ clientId }) => clientId)).size).toBe(1);
  await a.consumer.close();
  await eventually(() => expect(b.owns).toHaveLength(4));
});

test('groups know nothing of each other, nor of consumers without one', async () => {
  const [first, second] = await openTabs(2, four);
  await fill(first!, 5, [0, 1, 2, 3]);
  const members = [
    await reading(first!, { group: 'g' }),
    await reading(second!, { group: 'h' }),
  ] as const;
  const alone = second!.consumer({ topics: ['t'], from: 'earliest' });
  expect(await take(alone, 20)).toHaveLength(20);
  for (const { read } of members) await eventually(() => expect(new Set(read).size).toBe(20));
  await first!.admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }], { force: true });
  await eventually(() => expect(members[0].read).toHaveLength(40));
  expect(members[1].read).toHaveLength(20);
});

test('a consumer tells its group and its name', async () => {
  const [log] = await openTabs(1, 't');
  const named = await joined(log!, { memberId: 'worker-1' });
  expect(named.consumer).toMatchObject({ group: 'g', memberId: 'worker-1' });
  const a = await joined(log!);
  const b = await joined(log!);
  expect(a.consumer.memberId).toMatch(/./);
  expect(a.consumer.memberId).not.toBe(b.consumer.memberId);
  expect(log!.consumer({ topics: ['t'] })).toMatchObject({ group: undefined, memberId: undefined });
});
