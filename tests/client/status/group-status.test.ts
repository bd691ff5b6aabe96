import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { string, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { AN_HOUR_MS, openTab, openTwoTabs, take } from '../../support/log-fixture.ts';
import { loadParts } from '../../support/load-parts.ts';
import { Member, fill, openTabs, reading } from '../../support/group-fixture.ts';
import type { ManualClock } from '../../support/manual-clock.ts';
import { asMember, handOut, joinAnother, openClocked, orders, send } from '../run/run-fixture.ts';
import { listen, toldWhile } from './status-fixture.ts';
import { eventually, pass, settle, stopTime } from '../../support/waiting.ts';
import { expel } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';

beforeAll(loadParts);

/** The lease of the member outlasts every test, though its clock is moved on. */
const asSlowMember = { ...asMember, sessionTimeoutMs: AN_HOUR_MS } as const;

const REBALANCE_TIMEOUT_MS = 60_000; // the default
const TELL_AFTER_MS = REBALANCE_TIMEOUT_MS / 2;

function partitions(...numbers: number[]): { topic: string; partition: number }[] {
  return numbers.map((partition) => ({ topic: orders.name, partition }));
}

describe('a rebalance', () => {
  test('is told with what the member gets, gives up and loses', async () => {
    const { host, log } = await openClocked(0);
    const { told } = listen(log);
    const consumer = log.consumer(asMember);
    const member = { group: 'billing', memberId: consumer.memberId };
    await consumer.ready;
    await settle();
    expect(told).toEqual([
      { type: 'partitionsAssigned', ...member, partitions: partitions(0, 1, 2, 3) },
    ]);
    const other = await joinAnother(host, log);
    await other.ready;
    await eventually(() => told.length === 2);
    expect(told[1]).toEqual({ type: 'partitionsRevoked', ...member, partitions: partitions(2, 3) });
    const { member: first } = host
      .requests('syncGroup')
      .find(({ member: { memberId } }) => memberId === consumer.memberId)!;
    const opened = host.open(log.name);
    await opened.broker.leaveGroup({ member: first, offsets: [] });
    opened.close();
    await eventually(() => told.length >= 3);
    expect(told[2]).toEqual({ type: 'partitionsLost', ...member, partitions: partitions(0, 1) });
  });

  test('of another tab is not told', async () => {
    const [mine, other] = await openTwoTabs(orders);
    const consumer = other.consumer(asMember);
    await consumer.ready;
    expect(await toldWhile(mine, () => consumer.close())).toEqual([]);
  });
});

describe('an offset that does not exist any more', () => {
  test.each([undefined, 'g'])(
    'is told with where the consumer goes on (group %s)',
    async (group) => {
      const log = await openTab();
      await log.admin.createTopics(['t']);
      await log.producer().sendBatch('t', [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
      const options = { topics: ['t'], from: 'earliest', maxWaitMs: 20 } as const;
      const consumer = log.consumer(group === undefined ? options : { ...options, group });
      await consumer.ready;
      await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 2 }]);
      const told = await toldWhile(log, () => take(consumer, 1));
      expect(told).toEqual([
        {
          type: 'offsetReset',
          group,
          memberId: consumer.memberId,
          topic: 't',
          partition: 0,
          outOfRange: 0,
          startOffset: 2,
          endOffset: 3,
          offset: 2,
        },
      ]);
    },
  );
});

describe('a handler that takes long', () => {
  let clock: ManualClock;
  let host: StubHost;
  let log: Log;
  beforeEach(async () => {
    ({ clock, host, log } = await openClocked(0, 'a:0', 'a:1', 'a:2'));
    clock.advance(0);
  });

  /** The slow handler at an offset. */
  const slow = (memberId: string | undefined, offset: number, more: object): object => ({
    type: 'slowHandler',
    group: 'billing',
    memberId,
    topic: 'orders',
    partition: 0,
    offset,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    isRevoked: false,
    ...more,
  });

  /** What was told of handlers alone. */
  const slowOf = (told: readonly { type: string }[]): object[] =>
    told.filter(({ type }) => type === 'slowHandler');

  test('is told after half of rebalanceTimeoutMs, and each further half', async () => {
    const { told } = listen(log);
    const consumer = log.consumer(asSlowMember);
    const hands = handOut(consumer);
    await hands.get('a:0');
    clock.advance(TELL_AFTER_MS - 1);
    await settle();
    expect(slowOf(told)).toEqual([]);
    clock.advance(1);
    await settle();
    const first = slow(consumer.memberId, 0, { elapsedMs: TELL_AFTER_MS });
    expect(slowOf(told)).toEqual([first]);
    clock.advance(TELL_AFTER_MS);
    await settle();
    expect(slowOf(told).slice(1)).toEqual([
      slow(consumer.memberId, 0, { elapsedMs: 2 * TELL_AFTER_MS }),
    ]);
    await hands.end('a:0');
    await hands.get('a:1');
    clock.advance(TELL_AFTER_MS - 1);
    await settle();
    expect(slowOf(told)).toHaveLength(2);
  });

  test('is told in time: another member waits, and the group would remove this one', async () => {
    const { told } = listen(log);
    const consumer = log.consumer(asSlowMember);
    const partition = 3;
    await send(log, partition, 'z');
    const hands = handOut(consumer, { concurrency: 4 });
    await hands.end('a:0', 'a:1', 'a:2');
    await hands.get('z');
    await joinAnother(host, log); // it is to have the partition
    clock.advance(TELL_AFTER_MS);
    await settle();
    const revoked = { partition, elapsedMs: TELL_AFTER_MS, isRevoked: true };
    expect(slowOf(told)).toEqual([slow(consumer.memberId, 0, revoked)]);
    await hands.end('z');
  });

  test('is told before the group removes its member', async () => {
    await stopTime();
    const [mine, other] = await openTabs(2, topic('t', { partitions: 2 }));
    await fill(mine!, 1, [1]);
    const { told } = listen(mine!);
    const timeouts = { sessionTimeoutMs: 500, rebalanceTimeoutMs: 1_000 };
    const a = await reading(mine!, timeouts, () => new Promise(() => {}));
    await pass(20);
    expect(a.read).toEqual(['t/1@0']);
    void new Member(other!, timeouts); // it is to have partition 1
    await pass(460);
    expect(slowOf(told)).toEqual([]);
    await pass(100);
    const said = { group: 'g', topic: 't', partition: 1, rebalanceTimeoutMs: 1_000 };
    const revoked = { elapsedMs: expect.any(Number), isRevoked: true };
    expect(slowOf(told)).toEqual([slow(a.consumer.memberId, 0, { ...said, ...revoked })]);
    expect(told.at(-1)).toMatchObject({ type: 'slowHandler' });
    await pass(600);
    expect(told.at(-1)).toMatchObject({ type: 'partitionsLost', partitions: [{}, {}] });
  });

  test('is not told once the partition is lost, which is told itself', async () => {
    const { told } = listen(log);
    const hands = handOut(log.consumer(asSlowMember));
    await hands.get('a:0');
    await expel(host, log);
    await eventually(() => told.some(({ type }) => type === 'partitionsLost'));
    clock.advance(10 * TELL_AFTER_MS);
    await settle();
    expect(slowOf(told)).toEqual([]);
    await hands.end('a:0');
  });

  test('in a loop is told as well, of messages and of batches', async () => {
    const { told } = listen(log);
    const consumer = log.consumer({ ...asSlowMember, rebalanceTimeoutMs: 10_000 });
    const messages = consumer[Symbol.asyncIterator]();
    await messages.next();
    clock.advance(4_000);
    await messages.next();
    clock.advance(4_999);
    await settle();
    expect(slowOf(told)).toEqual([]);
    clock.advance(1);
    await settle();
    const said = { rebalanceTimeoutMs: 10_000, elapsedMs: 5_000 };
    expect(slowOf(told)).toEqual([slow(consumer.memberId, 1, said)]);
    await messages.return!();
    const batches = consumer.batches();
    await batches.next();
    clock.advance(5_000);
    await settle();
    expect(slowOf(told).slice(1)).toEqual([slow(consumer.memberId, 1, said)]);
    await batches.return();
  });

  test('is not what waits for a retry, for its turn, or for the next message', async () => {
    const { told } = listen(log);
    const hands = handOut(log.consumer(asSlowMember), {
      concurrency: 2,
      onError: () => ({ retryAfterMs: 10 * TELL_AFTER_MS }),
    });
    await hands.fail('a:0');
    await settle();
    clock.advance(9 * TELL_AFTER_MS);
    await settle();
    expect(slowOf(told)).toEqual([]);
    clock.advance(TELL_AFTER_MS); // the next attempt begins
    await hands.end('a:0', 'a:1', 'a:2');
    await settle();
    clock.advance(10 * TELL_AFTER_MS);
    await settle();
    expect(slowOf(told)).toEqual([]);
  });

  test('without a group is not told: nobody waits for it', async () => {
    const { told } = listen(log);
    const { group: _, ...asReader } = asMember;
    const consumer = log.consumer(asReader);
    await consumer[Symbol.asyncIterator]().next();
    clock.advance(10 * TELL_AFTER_MS);
    await settle();
    expect(told).toEqual([]);
  });

  test('leaves no timer where nobody listens any more', async () => {
    const consumer = log.consumer(asSlowMember);
    await consumer.ready;
    const messages = consumer[Symbol.asyncIterator]();
    await messages.next();
    await settle();
    const before = clock.timers;
    const statuses = log.status();
    await messages.next();
    await settle();
    expect(clock.timers).toBe(before + 1);
    await statuses.return!();
    expect(clock.timers).toBe(before);
  });
});

describe('a quiet run', () => {
  test('tells nothing', async () => {
    const [log, other] = await openTwoTabs('t', topic('u', { value: string() }));
    const members = [log, other].map((tab) =>
      tab.consumer({ group: 'g', topics: ['t', 'u'], from: 'earliest', maxWaitMs: 20 }),
    );
    await Promise.all(members.map(({ ready }) => ready));
    await eventually(() => members.every(({ assignment }) => assignment.length === 1));
    await settle();
    const { told, over } = listen(log);
    const viewer = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: 20 });
    const producer = log.producer();
    for (let i = 0; i < 20; i++) await producer.send('t', { value: String(i) });
    await producer.transaction((tx) => tx.send('u', { value: 'v' }));
    await take(viewer, 20);
    await Promise.race(members.map((member) => take(member, 1)));
    await log.admin.describeGroups(['g']);
    await log.admin.listTopics();
    await expect(log.admin.describeTopics(['nowhere'])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    await viewer.close();
    await producer.close();
    await settle();
    expect(told).toEqual([]);
    await log.close();
    await over;
  });
});
