import { describe, expect, test } from 'vitest';
import type { CommitRequest } from '../../../src/protocol/group.ts';
import { batch, errorOf } from '../../support/broker-fixture.ts';
import { GROUP_ID, GroupWorld, Member, joinRequest, live } from './group-fixture.ts';
import { settle } from '../../support/waiting.ts';

/** The ways to commit an offset. */
const COMMITS = {
  commitOffsets: (a: Member) => a.commit(a.assignment(1), 7),
  leaveGroup: (a: Member) => a.broker.leaveGroup(commitOf(a)),
  'transact, after a look-up': (a: Member) => {
    const { topicId, partition } = a.assignment(1);
    void a.broker.listOffsets([{ topicId, partition, at: 'earliest' }]);
    return a.broker.transact({
      appends: [{ topicId, partition, batch: batch('7'), compression: 'none' }],
      commits: [commitOf(a)],
      durability: 'relaxed',
      producer: null,
    });
  },
};

function commitOf(a: Member): CommitRequest {
  return { member: a.ref, offsets: [{ ...a.assignment(1), offset: 7, metadata: '' }] };
}

describe('a tab that dies', () => {
  test.each(Object.keys(COMMITS) as (keyof typeof COMMITS)[])(
    'has committed by %s what it posted in its last turn',
    async (how) => {
      const log = await GroupWorld.open();
      const one = log.broker({ liveness: log.tabs });
      const [orders] = await one.broker.listTopics();
      for (let i = 0; i < 10; i++) await one.produce(orders!, batch(String(i)), { partition: 1 });
      const a = await Member.join(one.broker, 'a');
      await settle();
      const committing = COMMITS[how](a);
      log.tabs.kill('tab of a');
      await committing;
      expect(await one.broker.listGroupOffsets({ groupId: GROUP_ID })).toMatchObject([
        { partition: 1, offset: 7 },
      ]);
      await settle();
      expect(await log.members()).toEqual([]);
    },
  );

  test('loses its partitions at once, without a timer', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    const members = [await Member.join(one, 'a'), await Member.join(one, 'b')];
    for (const member of members) void live(member);
    await settle();
    const news = members[1]!;
    log.tabs.kill('tab of a');
    await settle();
    expect(await log.owners()).toBe('b b b b');
    expect(news.partitions).toEqual([0, 1, 2, 3]);
  });

  test('is seen by whichever broker is left', async () => {
    const log = await GroupWorld.open();
    const [one, other] = [log.logBroker(), log.logBroker()];
    await Member.join(one, 'a');
    await Member.join(other, 'b');
    await settle();
    one.close(); // it ran in the tab that dies
    log.tabs.kill('tab of a');
    await settle();
    expect(await log.members()).toEqual(['b']);
  });

  test('is removed once, however many brokers see it', async () => {
    const log = await GroupWorld.open();
    const brokers = [log.logBroker(), log.logBroker(), log.logBroker()];
    for (const [i, memberId] of ['a', 'b', 'c'].entries()) {
      await Member.join(brokers[i]!, memberId);
      await settle();
    }
    const { generation } = await log.group();
    log.tabs.kill('tab of a');
    await settle();
    expect((await log.group()).generation).toBe(generation + 1);
  });

  test('takes all its members along, of every group', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    const clientId = 'tab';
    await Member.join(one, 'a', { clientId });
    await Member.join(one, 'b', { clientId });
    await Member.join(one, 'c');
    await one.joinGroup(joinRequest('d', { clientId, groupId: 'other' }));
    log.tabs.kill('tab');
    await settle();
    expect(await log.members()).toEqual(['c']);
    expect(await one.listGroups()).toMatchObject([
      { group: GROUP_ID, members: 1 },
      { group: 'other', members: 0, state: 'empty' },
    ]);
  });

  test('no longer matters when its members have left', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    const a = await Member.join(one, 'a', { clientId: 'tab' });
    await Member.join(one, 'b');
    await a.leave();
    const { generation } = await log.group();
    log.tabs.kill('tab');
    await settle();
    expect((await log.group()).generation).toBe(generation);
  });

  test('its commits are FENCED, should it be alive after all', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    const a = await Member.join(one, 'a');
    await Member.join(one, 'b');
    log.tabs.kill('tab of a');
    await settle();
    expect((await errorOf(a.commit(a.assignment(0), 0))).code).toBe('FENCED');
  });
});

describe('tabs that died while no broker was alive', () => {
  test('are removed at the next open, those that live are not', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    for (const memberId of ['a', 'b', 'c']) await Member.join(one, memberId);
    one.close();
    for (const memberId of ['a', 'c']) log.tabs.kill(`tab of ${memberId}`);
    await settle();
    expect(await log.members()).toEqual(['a', 'b', 'c']);
    await log.logBroker().listTopics();
    await settle();
    expect(await log.members()).toEqual(['b']);
  });
});

describe('a memberId that a tab had before', () => {
  test('can be taken when that tab is dead, also before its death was noticed', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    const before = await Member.join(one, 'static');
    one.close();
    log.tabs.kill('tab of static'); // nobody watches
    const again = await Member.join(log.logBroker(), 'static', { clientId: 'next tab' });
    expect(again.partitions).toEqual([0, 1, 2, 3]);
    expect(again.ref.memberEpoch).toBeGreaterThan(before.ref.memberEpoch);
    expect(await log.members()).toEqual(['static']);
  });

  test('is MEMBER_EXISTS while it lives', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    await Member.join(one, 'static');
    const request = joinRequest('static', { clientId: 'next tab' });
    expect((await errorOf(one.joinGroup(request))).code).toBe('MEMBER_EXISTS');
    expect((await log.group()).members).toMatchObject([{ clientId: 'tab of static' }]);
  });
});

describe('a group that was deleted and begins again', () => {
  /** A group that has seen many changes is deleted; two members join anew, at `through`. */
  async function begunAgain(deleteAt: 'one' | 'other'): Promise<GroupWorld> {
    const log = await GroupWorld.open();
    const [one, other] = [log.logBroker(), log.logBroker()];
    for (let i = 0; i < 20; i++) await (await Member.join(one, `m${i}`)).leave();
    await settle();
    await (deleteAt === 'one' ? one : other).deleteGroups([GROUP_ID]);
    log.clock.advance(1);
    await Member.join(one, 'a');
    await Member.join(one, 'b');
    await settle();
    return log;
  }

  test.each(['one', 'other'] as const)('is looked after (deleted at its %s broker)', async (at) => {
    const log = await begunAgain(at);
    log.tabs.kill('tab of a');
    await settle();
    expect(await log.members()).toEqual(['b']);
  });

  test('is freed of who does not release in time', async () => {
    const log = await begunAgain('one');
    await log.pass(60_000);
    expect(await log.members()).not.toContain('a');
  });

  test('fences who was a member before', async () => {
    const log = await GroupWorld.open();
    const one = log.logBroker();
    const zombie = await Member.join(one, 'static');
    await zombie.positions();
    await zombie.leave(); // in the name of a tab that is frozen
    await one.deleteGroups([GROUP_ID]);
    log.clock.advance(60_000);
    await Member.join(one, 'static', { clientId: 'another tab' });
    expect((await errorOf(zombie.commit(zombie.assignment(0), 0))).code).toBe('FENCED');
    expect(await log.members()).toEqual(['static']);
  });
});
