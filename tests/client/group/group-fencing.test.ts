import { describe, expect, test } from 'vitest';
import { FENCED } from '../../../src/base/error-rules.ts';
import { take } from '../../support/log-fixture.ts';
import { TablogError } from '../../../src/index.ts';
import type { Message } from '../../../src/index.ts';
import {
  committed,
  delayHints,
  fill,
  four,
  joined,
  Member,
  openStubbed,
  openTabs,
  readOne,
  reading,
} from '../../support/group-fixture.ts';
import { eventually, latch, pass, settle, stopTime } from '../../support/waiting.ts';

describe('a tab that does not answer', () => {
  test('loses its partitions after its session timeout, and others go on in them', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed(four);
    await fill(log, 3, [0, 1, 2, 3]);
    const a = await joined(stubbed, { sessionTimeoutMs: 1000 });
    const b = await reading(log, { sessionTimeoutMs: 1000 });
    host.hold('syncGroup');
    await pass(800, 50);
    expect(b.owns).toHaveLength(2);
    await pass(800, 50);
    expect(b.owns).toHaveLength(4);
    expect(new Set(b.read).size).toBe(12);
    expect(a.read).toEqual([]);
  });

  test('is FENCED when it wakes, hears of the loss, and joins again', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed(four);
    await fill(log, 3, [0, 1, 2, 3]);
    const a = new Member(stubbed, { sessionTimeoutMs: 1000, commit: 'manual' });
    const messages = a.consumer[Symbol.asyncIterator]();
    const { value: message } = await messages.next();
    const frozen = host.hold('syncGroup');
    const b = await reading(log, { sessionTimeoutMs: 1000 });
    await pass(2000, 50);
    expect(b.owns).toHaveLength(4);
    await expect((message as Message).commit()).rejects.toMatchObject({
      code: 'FENCED',
      details: { group: 'g', member: a.consumer.memberId },
    });
    frozen.open();
    await pass(500, 50);
    expect(a.events.at(-1)).toBe('lost t/0 t/1');
    expect(a.owns).toEqual([]); // not while the application has a message of before in hand
    void messages.next();
    await pass(500, 50);
    expect(a.owns).toHaveLength(2);
    expect(b.owns).toHaveLength(2);
  });

  test('joins again at once, and with waits where a broker fences it each time', async () => {
    await stopTime();
    const { stubbed, host } = await openStubbed('t');
    const member = await joined(stubbed);
    const joins = (): number => host.requests('joinGroup').length;
    const fenced = new TablogError(FENCED, 'the broker takes it for dead');
    host.answer('syncGroup', () => Promise.reject(fenced));
    await stubbed.admin.createPartitions([{ topic: 't', partitions: 2 }]); // so that it syncs
    await settle();
    expect(joins()).toBe(2);
    await pass(10_000, 100);
    expect(joins()).toBeGreaterThan(8);
    expect(joins()).toBeLessThan(30);
    host.answer('syncGroup', undefined);
    await pass(2000, 100);
    expect(member.owns).toEqual(['t/0', 't/1']);
  });

  test.each([
    ['with nothing in between', 0],
    ['after what is processed since then is not committed', 2],
  ])('goes on where the others are, %s', async (_, processed) => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 3);
    const a = new Member(stubbed, { sessionTimeoutMs: 1000 });
    const messages = a.consumer[Symbol.asyncIterator]();
    for (let i = 0; i <= processed; i++) await messages.next();
    await settle();
    const frozen = host.hold('syncGroup');
    const b = await reading(log, { sessionTimeoutMs: 1000 });
    await pass(2000, 50);
    expect(b.read).toEqual(['t/0@0', 't/0@1', 't/0@2'].slice(processed));
    await b.consumer.close();
    frozen.open();
    await fill(log, 1);
    const next = messages.next();
    await pass(2000, 50);
    expect(await next).toMatchObject({ value: { offset: 3 } });
  });

  test.each([
    ['and made again', 10],
    ['and made again within a millisecond', 0],
  ])('is noticed though the group was deleted %s', async (_, laterMs) => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed(four);
    for (let i = 0; i < 10; i++) {
      const members = [await joined(log), await joined(stubbed)];
      for (const { consumer } of members) await consumer.close();
    }
    await settle();
    await log.admin.deleteGroups(['g']);
    await pass(laterMs);
    await joined(stubbed, { sessionTimeoutMs: 1000 });
    const b = await joined(log, { sessionTimeoutMs: 1000 });
    host.hold('syncGroup');
    await pass(3000, 50);
    expect(b.owns).toHaveLength(4);
  });

  test('stays FENCED though the group was deleted, and another has its member id', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed('t');
    await fill(log, 3);
    const named = { memberId: 'm', sessionTimeoutMs: 1000, commit: 'manual' } as const;
    const message = await readOne(new Member(stubbed, named).consumer);
    host.hold('syncGroup');
    const b = await joined(log, { sessionTimeoutMs: 1000 });
    await pass(2000, 50);
    expect(b.owns).toEqual(['t/0']);
    await b.consumer.close();
    await log.admin.deleteGroups(['g']);
    await joined(log, named);
    await expect(message.commit()).rejects.toMatchObject({ code: 'FENCED' });
    expect(await committed(log)).toEqual({ 't/0': 0 });
  });
});

describe('tabs that answer', () => {
  test.each([
    ['at the same time as', 1],
    ['a little later than', 10],
    ['half an interval later than', 125],
  ])('stay members: each has a broker, and one heard of the join %s the other', async (_, ms) => {
    await stopTime();
    const hints = delayHints(ms);
    const [mine, other] = await openTabs(2, four);
    const a = await joined(mine!, { sessionTimeoutMs: 1000 });
    const b = new Member(other!, { sessionTimeoutMs: 1000 });
    await pass(2 * ms);
    hints.delayMs = 1;
    await pass(10_000, 10);
    expect(a.events).toEqual(['assigned t/0 t/1 t/2 t/3', 'revoked t/2 t/3']);
    expect(b.events).toEqual(['assigned t/2 t/3']);
  });

  test('stay members beside one that is frozen, and beside one of another session timeout', async () => {
    await stopTime();
    const { log, stubbed, host } = await openStubbed(four);
    const a = await joined(log, { sessionTimeoutMs: 3000 });
    const b = await joined(log, { sessionTimeoutMs: 1000 });
    await joined(stubbed, { sessionTimeoutMs: 2000 });
    const before = [...a.events, ...b.events];
    host.hold('syncGroup');
    await pass(6000, 20);
    expect([...a.events, ...b.events].filter((event) => event.startsWith('lost'))).toEqual([]);
    expect([...a.owns, ...b.owns].sort()).toEqual(['t/0', 't/1', 't/2', 't/3']);
    expect(a.events.length + b.events.length).toBe(before.length + 1);
  });
});

describe('a handler that is stuck when a partition is asked for', () => {
  test('loses everything after rebalanceTimeoutMs; later its commits are FENCED, and it joins again', async () => {
    await stopTime();
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 3, [3]);
    const { opened: freed, open: free } = latch();
    const a = new Member(mine!, { rebalanceTimeoutMs: 5000, commit: 'manual' });
    const commits: unknown[] = [];
    void a.loop(async (message) => {
      await freed;
      commits.push(await message.commit().catch((error: unknown) => error));
    });
    await a.consumer.ready;
    await settle();
    expect(a.read).toEqual(['t/3@0']);
    const b = new Member(other!, { rebalanceTimeoutMs: 5000 });
    void b.loop();
    await pass(4500, 500);
    expect(b.owns).toEqual(['t/2']); // of which nothing was in hand
    await pass(1000, 500);
    expect(b.owns).toHaveLength(4);
    expect(b.read).toEqual(['t/3@0', 't/3@1', 't/3@2']);
    expect(a.events.at(-1)).toBe('lost t/0 t/1 t/3');
    free();
    await pass(1000, 500);
    expect(commits).toMatchObject([{ code: 'FENCED' }]);
    expect(a.owns).toHaveLength(2);
    expect(a.read).toEqual(['t/3@0']);
    expect(await committed(mine!)).toMatchObject({ 't/3': 3 });
  });

  test('and that ends in time keeps its place in the group', async () => {
    await stopTime();
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 3, [3]);
    const { opened: freed, open: free } = latch();
    const a = await reading(mine!, { rebalanceTimeoutMs: 5000 }, () => freed);
    await settle();
    const b = new Member(other!, { rebalanceTimeoutMs: 5000 });
    await pass(4500, 500);
    free();
    await pass(2000, 500);
    expect(a.events).toEqual(['assigned t/0 t/1 t/2 t/3', 'revoked t/2', 'revoked t/3']);
    expect(b.owns).toEqual(['t/2', 't/3']);
    expect(b.consumer.position({ topic: 't', partition: 3 })).toBe(1);
  });

  test('its signal aborts when it is too late', async () => {
    await stopTime();
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 3, [3]);
    const a = new Member(mine!, { rebalanceTimeoutMs: 5000 });
    const { value: batch } = await a.consumer.batches().next();
    const b = new Member(other!);
    await pass(4500, 500);
    expect(batch!.signal.aborted).toBe(false);
    await pass(1000, 500);
    expect(batch!.signal.aborted).toBe(true);
    await expect(batch!.commit()).rejects.toMatchObject({ code: 'FENCED' });
    expect(b.owns).toHaveLength(4);
  });
});

describe('offsets that were reset by force', () => {
  test('the member loses the partitions, gets them back, and goes on from there', async () => {
    const [mine, other] = await openTabs(2, four);
    await fill(mine!, 5, [0, 1, 2, 3]);
    const a = await reading(mine!);
    await eventually(() => expect(a.read).toHaveLength(20));
    await other!.admin.resetGroupOffsets(
      'g',
      [
        { topic: 't', partition: 1, to: 3 },
        { topic: 't', partition: 2, to: 3 },
      ],
      { force: true },
    );
    await eventually(() => expect(a.read).toHaveLength(24));
    expect(a.read.slice(20).sort()).toEqual(['t/1@3', 't/1@4', 't/2@3', 't/2@4']);
    expect(a.events).toEqual(['assigned t/0 t/1 t/2 t/3', 'lost t/1 t/2', 'assigned t/1 t/2']);
  });

  test('a commit of what was read before is FENCED, and changes nothing', async () => {
    const [mine, other] = await openTabs(2, 't');
    await fill(mine!, 5);
    const a = await joined(mine!, { commit: 'manual' });
    const messages = await take(a.consumer, 4);
    await other!.admin.resetGroupOffsets('g', [{ topic: 't', to: 1 }], { force: true });
    await expect(messages[3]!.commit()).rejects.toMatchObject({ code: 'FENCED' });
    expect(await committed(mine!)).toEqual({ 't/0': 1 });
    const events = ['assigned t/0', 'lost t/0', 'assigned t/0'];
    await eventually(() => expect(a.events).toEqual(events));
    expect(await take(a.consumer, 1)).toMatchObject([{ offset: 1 }]);
  });

  test('one partition of several is FENCED, the commits of the others are stored', async () => {
    const { log, stubbed, host } = await openStubbed(four);
    await fill(log, 5, [0, 1, 2, 3]);
    const a = await joined(stubbed, { commit: 'manual' });
    const messages = await take(a.consumer, 20);
    const frozen = host.hold('syncGroup'); // so that it does not know yet
    await log.admin.resetGroupOffsets('g', [{ topic: 't', partition: 0, to: 2 }], { force: true });
    const lasts = messages.filter(({ offset }) => offset === 4);
    const settled = await Promise.allSettled(lasts.map((message) => message.commit()));
    const outcomes = settled.map(({ status }, i) => `${lasts[i]!.partition} ${status}`);
    expect(outcomes.sort()).toEqual(['0 rejected', '1 fulfilled', '2 fulfilled', '3 fulfilled']);
    expect(await committed(log)).toEqual({ 't/0': 2, 't/1': 5, 't/2': 5, 't/3': 5 });
    frozen.open();
    await eventually(() => expect(a.events).toContain('lost t/0'));
  });
});
