import { describe, expect, test } from 'vitest';
import type { MessageBatch } from '../../../src/index.ts';
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
import { eventually, pass, settle, stopTime } from '../../support/waiting.ts';

const last = { topic: 't', partition: 3 };

/** `a` has everything; then `b` comes, takes 't/2' and 't/3', and goes again. */
async function awayAndBack(a: Member, comeAndGo: () => Promise<Member>): Promise<void> {
  const b = await comeAndGo();
  expect(a.owns).toEqual(['t/0', 't/1']);
  await b.consumer.close();
  await eventually(() => expect(a.owns).toHaveLength(4));
  await settle();
}

describe('pause', () => {
  test('of a partition survives its move away and back; the next member reads it', async () => {
    const [mine, other] = await openTabs(2, four);
    const a = await reading(mine!);
    a.consumer.pause(last);
    await awayAndBack(a, async () => {
      const b = await reading(other!);
      await fill(mine!, 2, [3]);
      await eventually(() => expect(b.read).toEqual(['t/3@0', 't/3@1']));
      await eventually(async () => expect(await committed(mine!)).toMatchObject({ 't/3': 2 }));
      return b;
    });
    await fill(mine!, 2, [2, 3]);
    await eventually(() => expect(a.read).toEqual(['t/2@0', 't/2@1']));
    await settle();
    expect(a.read).toHaveLength(2);
    a.consumer.resume(last);
    await eventually(() => expect(a.read.slice(2)).toEqual(['t/3@2', 't/3@3']));
  });

  test('of all survives too, until resume', async () => {
    const [mine, other] = await openTabs(2, four);
    const a = await reading(mine!);
    a.consumer.pause();
    await awayAndBack(a, () => joined(other!));
    await fill(mine!, 1, [0, 1, 2, 3]);
    await settle();
    expect(a.read).toEqual([]);
    a.consumer.resume();
    await eventually(() => expect(a.read).toHaveLength(4));
  });

  test('of all, and one that was resumed: it comes back resumed', async () => {
    const [mine, other] = await openTabs(2, four);
    const a = await reading(mine!);
    a.consumer.pause();
    a.consumer.resume(last);
    await awayAndBack(a, () => joined(other!));
    await fill(mine!, 1, [0, 1, 2, 3]);
    await eventually(() => expect(a.read).toEqual(['t/3@0']));
  });

  test('of a partition that goes does not keep it from going', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 3, [3]);
    const a = await reading(mine!, {}, () => a.consumer.pause());
    await eventually(() => expect(a.read).toEqual(['t/3@0']));
    await settle();
    const b = await joined(other!);
    expect(b.consumer.position(last)).toBe(1);
  });
});

describe('seek', () => {
  test('counts where the partition goes only by what is committed after it', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 10, [3]);
    const a = await reading(mine!);
    await eventually(async () => expect(await committed(mine!)).toMatchObject({ 't/3': 10 }));
    a.consumer.pause(last);
    await a.consumer.seek(2, last);
    expect(a.consumer.position(last)).toBe(2);
    const b = await joined(other!);
    expect(b.consumer.position(last)).toBe(10);
  });

  test('back: what is read again is committed again, from there', async () => {
    const { log, stubbed, host } = await openStubbed(four);
    await fill(log, 10, [3]);
    const a = await reading(stubbed);
    await eventually(async () => expect(await committed(log)).toMatchObject({ 't/3': 10 }));
    const before = host.requests('commitOffsets').length;
    await a.consumer.seek(4, last);
    await eventually(() => expect(a.read).toHaveLength(16));
    expect(a.read.slice(10)).toEqual(a.read.slice(4, 10));
    await eventually(async () => expect(await committed(log)).toMatchObject({ 't/3': 10 }));
    const since = host.requests('commitOffsets').slice(before);
    expect(since.at(-1)!.offsets).toMatchObject([{ partition: 3, offset: 10 }]);
  });

  test('does not lose what was processed before it', async () => {
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 10);
    const gate = host.hold('commitOffsets');
    const { consumer } = new Member(stubbed);
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 5; i++) await messages.next(); // the first commit waits meanwhile
    await gate.arrived(1);
    await consumer.seek(4);
    gate.open();
    await consumer.close();
    expect(await committed(log)).toEqual({ 't/0': 4 });
  });

  test('from the body of a loop: the message in hand does not count', async () => {
    const [log] = await openTabs(1, 't');
    await fill(log!, 5);
    const { consumer } = new Member(log!);
    const read: number[] = [];
    for await (const { offset } of consumer) {
      read.push(offset);
      if (read.length === 3) await consumer.seek(0);
      if (read.length === 6) break;
    }
    expect(read).toEqual([0, 1, 2, 0, 1, 2]);
    await consumer.close();
    expect(await committed(log!)).toEqual({ 't/0': 2 });
  });

  test("'latest' and a Date look in the partitions that it has", async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 7, [0, 1, 2, 3]);
    const a = await joined(mine!);
    await joined(other!);
    await a.consumer.seek('latest');
    expect(a.consumer.assignment.map((where) => a.consumer.position(where))).toEqual([7, 7]);
    await a.consumer.seek(new Date(0));
    expect(a.consumer.assignment.map((where) => a.consumer.position(where))).toEqual([0, 0]);
  });
});

describe('batches()', () => {
  test('are each of one partition that it has, and share as messages do', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 10, [0, 1, 2, 3]);
    const members = [await joined(mine!), await joined(other!)];
    const loops = members.map(async ({ consumer, read }) => {
      for await (const { topic, partition, messages } of consumer.batches({ max: 3 })) {
        read.push(...messages.map(({ offset }) => `${topic}/${partition}@${offset}`));
        if (read.length === 20) break;
      }
    });
    await Promise.all(loops);
    expect(new Set(members.flatMap(({ read }) => read)).size).toBe(40);
    for (const { read, owns } of members) {
      expect(read.every((at) => owns.includes(at.replace(/@.*/, '')))).toBe(true);
    }
  });

  test("a batch's signal aborts when its partition is gone, and not when another one is", async () => {
    const [log] = await openTabs(1, 't', 'u');
    await fill(log!, 3, [0], 't');
    const a = await joined(log!, { topics: ['t', 'u'] });
    const { value } = await a.consumer.batches().next();
    const { signal } = value as MessageBatch;
    await log!.admin.deleteTopics(['u']);
    await eventually(() => expect(a.events).toContain('lost u/0'));
    expect(signal.aborted).toBe(false);
    await log!.admin.deleteTopics(['t']);
    await eventually(() => expect(signal.aborted).toBe(true));
  });

  test("a batch's signal does not abort where the partition is only asked for", async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 3, [3]);
    const a = await joined(mine!);
    const batches = a.consumer.batches();
    const { value } = await batches.next();
    const { signal } = value as MessageBatch;
    const b = new Member(other!);
    await eventually(async () => {
      const [{ state, partitions }] = await mine!.admin.describeGroups(['g']);
      expect(state).toBe('reconciling');
      expect(partitions[2]).toMatchObject({ owner: b.consumer.memberId });
    });
    await settle();
    expect(signal.aborted).toBe(false);
    void batches.next();
    await b.consumer.ready;
    expect(signal.aborted).toBe(true);
    expect(b.consumer.position(last)).toBe(3);
  });

  test('that wait for more are not of a partition that goes meanwhile', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 3, [3]);
    const a = await joined(mine!);
    let batches = 0;
    const loop = (async () => {
      for await (const _ of a.consumer.batches({ max: 10, maxWaitMs: 60_000 })) batches++;
    })();
    await settle();
    const b = await joined(other!);
    expect(await take(b.consumer, 3)).toHaveLength(3);
    await a.consumer.close();
    await loop;
    expect(batches).toBe(0);
  });

  test('that wait for more when the consumer is paused come after resume', async () => {
    await stopTime();
    const [log] = await openTabs(1, 't');
    await fill(log!, 3);
    const a = await joined(log!);
    const batch = a.consumer.batches({ max: 10, maxWaitMs: 1000 }).next();
    await pass(500, 100);
    a.consumer.pause();
    await pass(1000, 100);
    a.consumer.resume();
    await pass(2000, 100);
    const soon = Promise.race([batch, settle().then(() => 'not yet')]);
    expect(await soon).toMatchObject({ value: { firstOffset: 0, lastOffset: 2 } });
  });

  test('that wait for more are not handed out when the group may have given up on the tab', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 3);
    const a = await joined(stubbed, { sessionTimeoutMs: 1000 });
    const frozen = host.hold('syncGroup');
    let batches = 0;
    void (async () => {
      for await (const _ of a.consumer.batches({ max: 10, maxWaitMs: 5000 })) batches++;
    })();
    await pass(6000, 100);
    expect(batches).toBe(0);
    frozen.open();
    await pass(6000, 100);
    expect(batches).toBe(1);
  });
});

test('nothing is delivered while the group may have given up on the tab', async () => {
  await stopTime();
  const { log, stubbed, host } = await openStubbed('t');
  const a = await reading(stubbed, { sessionTimeoutMs: 1000 });
  const frozen = host.hold('syncGroup');
  await pass(1500, 50);
  await fill(log, 3);
  await pass(500, 50);
  expect(a.read).toEqual([]);
  frozen.open();
  await pass(1000, 50);
  expect(a.read).toEqual(['t/0@0', 't/0@1', 't/0@2']);
});
