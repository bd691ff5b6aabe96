import { describe, expect, test } from 'vitest';
import { STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { deferred } from '../../../src/base/deferred.ts';
import type { LogBroker } from '../../../src/broker/log-broker.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import {
  GROUP_ID,
  GroupWorld,
  Member,
  REBALANCE_TIMEOUT_MS,
  joinRequest,
  live,
} from './group-fixture.ts';
import { settle } from '../../support/waiting.ts';

/** Two brokers over a log with a topic of four partitions. */
async function twoBrokers(): Promise<{ log: GroupWorld; one: LogBroker; other: LogBroker }> {
  const log = await GroupWorld.open();
  return { log, one: log.logBroker(), other: log.logBroker() };
}

describe('joinGroup', () => {
  test('again, because the answer was lost, tells the same and changes nothing', async () => {
    const { log, one, other } = await twoBrokers();
    const first = await one.joinGroup(joinRequest('a'));
    const before = await log.group();
    expect(await one.joinGroup(joinRequest('a'))).toEqual(first);
    expect(await other.joinGroup(joinRequest('a'))).toEqual(first); // the first broker has died
    expect(await log.group()).toEqual(before);
  });

  test('of the same member at two brokers at once makes one member', async () => {
    const { log, one, other } = await twoBrokers();
    const views = await Promise.all([one, other].map((to) => to.joinGroup(joinRequest('a'))));
    expect(views[0]).toEqual(views[1]);
    expect(await log.members()).toEqual(['a']);
  });

  test('of many at several brokers at once gives every partition to one', async () => {
    const { log, one, other } = await twoBrokers();
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const members = await Promise.all(
      ids.map((memberId, i) => Member.join(i % 2 === 0 ? one : other, memberId)),
    );
    for (const member of members) void live(member);
    await settle();
    const owners = (await log.owners()).split(' ');
    expect(new Set(owners).size).toBe(4);
    expect((await log.members()).toSorted()).toEqual(ids);
  });

  test('of an id that another tab has is MEMBER_EXISTS', async () => {
    const { one, other } = await twoBrokers();
    await one.joinGroup(joinRequest('a'));
    const request = joinRequest('a', { clientId: 'another tab' });
    expect(await errorOf(other.joinGroup(request))).toMatchObject({
      code: 'MEMBER_EXISTS',
      details: { group: GROUP_ID, member: 'a' },
    });
  });
});

describe('syncGroup', () => {
  test('answers at once where there is news', async () => {
    const { one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const { generation } = (await Member.join(one, 'b')).view;
    expect(await a.news(1000)).toMatchObject({ generation, pending: 0 });
    expect(a.view.owned.map(({ revoked }) => revoked)).toEqual([false, false, true, true]);
  });

  test('waits for a change, also one that another broker makes', async () => {
    const { one, other } = await twoBrokers();
    const a = await Member.join(one, 'a');
    for (const broker of [one, other]) {
      const news = a.news(1000);
      await settle();
      const b = await Member.join(broker, 'b');
      expect((await news).generation).toBe(b.view.generation);
      await b.leave();
      await a.sync();
    }
  });

  test('answers after maxWaitMs where nothing changes', async () => {
    const { log, one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const before = a.view;
    let answered = false;
    const news = a.news(1000).then((view) => {
      answered = true;
      return view;
    });
    await settle();
    await log.pass(999);
    expect(answered).toBe(false);
    log.clock.advance(1);
    expect(await news).toEqual(before);
  });

  test('tells at maxWaitMs of a change whose hint was lost', async () => {
    const { log, one } = await twoBrokers();
    // Of another name, and so in another channel.
    const deaf = log.logBroker({ name: `${log.name}-2` });
    const a = await Member.join(one, 'a');
    const news = a.news(1000);
    await settle();
    const { generation } = (await Member.join(deaf, 'b')).view;
    await settle();
    log.clock.advance(1000);
    expect((await news).generation).toBe(generation);
  });

  test('is not woken by another group', async () => {
    const { log, one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    let answered = false;
    const news = a.news(1000).then(() => (answered = true));
    await one.joinGroup(joinRequest('b', { groupId: 'other' }));
    await settle();
    expect(answered).toBe(false);
    log.clock.advance(1000);
    await news;
  });

  test('says whether the tab is hidden', async () => {
    const { log, one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    for (const hidden of [true, false]) {
      await a.sync(hidden);
      expect((await log.group()).members).toMatchObject([{ hidden }]);
    }
    const { generation } = a.view;
    await a.sync();
    expect(a.view.generation).toBe(generation);
  });

  test('ends when the broker closes', async () => {
    const { one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const news = a.news(1000);
    await settle();
    one.close();
    expect((await errorOf(news)).code).toBe('CLOSED');
  });
});

describe('who is no member is FENCED', () => {
  test.each([
    ['another epoch', (epoch: number) => ({ memberEpoch: epoch + 1 })],
    ['an epoch of before', (epoch: number) => ({ memberEpoch: epoch - 1 })],
    ['another id', () => ({ memberId: 'x' })],
    ['another group', () => ({ groupId: 'nobody' })],
  ])('%s', async (_, change) => {
    const { one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const member = { ...a.ref, ...change(a.ref.memberEpoch) };
    const assignments = a.view.owned;
    const offsets = assignments.map((assignment) => ({ ...assignment, offset: 0, metadata: '' }));
    const from = { at: 'earliest' } as const;
    const calls = [
      one.syncGroup({ member, generation: 0, hidden: false, maxWaitMs: 0 }),
      one.releasePartitions({ member, partitions: assignments }),
      one.commitOffsets({ member, offsets }),
      one.positionPartitions({ member, partitions: assignments, from }),
      one.leaveGroup({ member, offsets }),
    ];
    for (const call of calls) expect((await errorOf(call)).code).toBe('FENCED');
    await a.sync();
    expect(a.partitions).toEqual([0, 1, 2, 3]);
  });

  test('who was removed, also while it waits', async () => {
    const { one, other } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const news = errorOf(a.news(1000));
    await settle();
    await other.leaveGroup({ member: a.ref, offsets: [] });
    expect((await news).code).toBe('FENCED');
    const again = await Member.join(one, 'a');
    expect(again.ref.memberEpoch).toBeGreaterThan(a.ref.memberEpoch);
    expect((await errorOf(a.sync())).code).toBe('FENCED');
  });
});

describe('releasePartitions', () => {
  test('gives them to whom they are meant for, at once', async () => {
    const { log, one, other } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const b = await Member.join(other, 'b');
    expect(b.view).toMatchObject({ owned: [], pending: 2 });
    const news = b.news(1000);
    await a.release();
    expect(a.partitions).toEqual([0, 1]);
    expect((await news).owned.map(({ partition }) => partition)).toEqual([2, 3]);
    expect(await log.owners()).toBe('a a b b');
  });

  test('again, because the answer was lost, changes nothing', async () => {
    const { log, one, other } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const b = await Member.join(other, 'b');
    const assignments = (await a.sync()).owned.filter(({ revoked }) => revoked);
    const view = await one.releasePartitions({ member: a.ref, partitions: assignments });
    const before = await log.group();
    expect(await other.releasePartitions({ member: a.ref, partitions: assignments })).toEqual(view);
    expect(await log.group()).toEqual(before);
    await b.sync();
    expect(b.partitions).toEqual([2, 3]);
  });

  test('of what is not to be given up gives it back with a new epoch', async () => {
    const { one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const { assignmentEpoch: epoch } = a.assignment(0);
    a.view = await one.releasePartitions({ member: a.ref, partitions: [a.assignment(0)] });
    expect(a.partitions).toEqual([0, 1, 2, 3]);
    expect(a.assignment(0).assignmentEpoch).toBeGreaterThan(epoch);
  });
});

describe('who does not release in time', () => {
  test('is removed when the time is over, and not before', async () => {
    const { log, one } = await twoBrokers();
    const a = await Member.join(one, 'a', { sessionTimeoutMs: 10 * REBALANCE_TIMEOUT_MS });
    const b = await Member.join(one, 'b', { sessionTimeoutMs: 10 * REBALANCE_TIMEOUT_MS });
    await log.pass(REBALANCE_TIMEOUT_MS - 1);
    expect(await log.owners()).toBe('a a a a');
    await log.pass(1);
    expect(await log.owners()).toBe('b b b b');
    expect((await errorOf(a.sync())).code).toBe('FENCED');
    await b.sync();
  });

  test('is removed by another broker, where its own is gone', async () => {
    const { log, one, other } = await twoBrokers();
    await Member.join(one, 'a', { sessionTimeoutMs: 10 * REBALANCE_TIMEOUT_MS });
    await Member.join(other, 'b', { sessionTimeoutMs: 10 * REBALANCE_TIMEOUT_MS });
    one.close();
    await log.pass(REBALANCE_TIMEOUT_MS);
    expect(await log.members()).toEqual(['b']);
  });

  test('stays where it released everything', async () => {
    const { log, one } = await twoBrokers();
    const a = await Member.join(one, 'a', { sessionTimeoutMs: 10 * REBALANCE_TIMEOUT_MS });
    await Member.join(one, 'b', { sessionTimeoutMs: 10 * REBALANCE_TIMEOUT_MS });
    await a.release();
    await log.pass(2 * REBALANCE_TIMEOUT_MS);
    expect(await log.members()).toEqual(['a', 'b']);
  });
});

describe('leaveGroup', () => {
  test('commits and leaves in one transaction; again it is FENCED', async () => {
    const { log, one, other } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const b = await Member.join(other, 'b');
    await a.positions();
    const offsets = [{ ...a.assignment(0), offset: 0, metadata: 'bye' }];
    await one.leaveGroup({ member: a.ref, offsets });
    expect(await log.owners()).toBe('b b b b');
    expect((await other.listGroupOffsets({ groupId: GROUP_ID }))[0]).toMatchObject({
      metadata: 'bye',
    });
    expect((await errorOf(one.leaveGroup({ member: a.ref, offsets }))).code).toBe('FENCED');
    await one.leaveGroup({ member: a.ref, offsets: [] }); // says nothing that is not so
    await b.sync();
  });

  test('that is FENCED for an offset leaves nothing behind', async () => {
    const { log, one } = await twoBrokers();
    const a = await Member.join(one, 'a');
    const offsets = [{ ...a.assignment(0), assignmentEpoch: 99, offset: 0, metadata: '' }];
    expect((await errorOf(one.leaveGroup({ member: a.ref, offsets }))).code).toBe('FENCED');
    expect(await log.members()).toEqual(['a']);
  });
});

test('a store that fails once changes nothing, and the call may be made again', async () => {
  const broker = (await GroupWorld.open()).broker();
  await broker.broker.listTopics(); // opens the connection
  broker.connection.failNext({ error: new TablogError(STORAGE_UNAVAILABLE, 'busy') });
  expect((await errorOf(broker.broker.joinGroup(joinRequest('a')))).retriable).toBe(true);
  const a = await Member.join(broker.broker, 'a');
  expect(a.partitions).toEqual([0, 1, 2, 3]);
});

test('a broker that slept before its turn counts the time to release from when it woke', async () => {
  const log = await GroupWorld.open();
  const slow = log.broker();
  await Member.join(slow.broker, 'a');
  const sleep = deferred();
  slow.connection.failNext({ until: sleep.promise });
  const joining = Member.join(slow.broker, 'b');
  await settle();
  log.clock.advance(10 * REBALANCE_TIMEOUT_MS);
  sleep.resolve();
  await joining;
  const [a] = (await log.group()).members;
  expect(a!.releaseBy).toBe(log.clock.now() + REBALANCE_TIMEOUT_MS);
});
