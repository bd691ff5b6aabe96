import { describe, expect, test } from 'vitest';
import { errorOf } from '../../support/broker-fixture.ts';
import { GroupWorld, Member, live } from './group-fixture.ts';
import { settle } from '../../support/waiting.ts';

/** The partitions that a member has, as `topic/number`. */
function namesOf({ view }: Member): string[] {
  return view.owned.map(({ topic, partition }) => `${topic}/${partition}`);
}

const everything = { subscription: { topics: [], patterns: [/^o/] } };

describe('a group notices', () => {
  test.each(['the same', 'another'])('topics made later, by %s broker', async (which) => {
    const log = new GroupWorld();
    const [one, other] = [log.broker(), log.broker()];
    const a = await Member.join(one.broker, 'a', everything);
    expect(namesOf(a)).toEqual([]);
    const news = a.news(1000);
    await settle();
    await (which === 'another' ? other : one).create('orders', 2);
    await news;
    expect(namesOf(a)).toEqual(['orders/0', 'orders/1']);
    await (which === 'another' ? other : one).create('refunds'); // matches nobody
    await settle();
    await a.sync();
    expect(namesOf(a)).toEqual(['orders/0', 'orders/1']);
  });

  test.each(['the same', 'another'])('partitions added later, by %s broker', async (which) => {
    const log = new GroupWorld();
    const [one, other] = [log.broker(), log.broker()];
    await one.create('orders');
    const a = await Member.join(one.broker, 'a');
    const news = a.news(1000);
    await settle();
    const by = which === 'another' ? other : one;
    await by.broker.createPartitions([{ name: 'orders', partitions: 3 }]);
    expect((await news).owned).toHaveLength(3);
  });

  test.each(['the same', 'another'])('topics deleted, by %s broker', async (which) => {
    const log = new GroupWorld();
    const [one, other] = [log.broker(), log.broker()];
    await one.create('orders');
    await one.create('offers');
    const a = await Member.join(one.broker, 'a', everything);
    const news = a.news(1000);
    await settle();
    await (which === 'another' ? other : one).broker.deleteTopics(['orders']);
    await news;
    expect(namesOf(a)).toEqual(['offers/0']);
  });

  test('a topic that was deleted and made again as another one', async () => {
    const log = new GroupWorld();
    const [one, other] = [log.broker(), log.broker()];
    const before = await one.create('orders');
    const a = await Member.join(one.broker, 'a');
    expect(a.assignment(0).topicId).toBe(before.id);
    await other.broker.deleteTopics(['orders']);
    const after = await other.create('orders');
    await settle();
    await a.sync();
    expect(a.view.owned.map(({ topicId }) => topicId)).toEqual([after.id]);
    expect((await errorOf(a.commit({ ...a.assignment(0), topicId: before.id }, 0))).code).toBe(
      'UNKNOWN_TOPIC',
    );
  });

  test('all of it at the next change, when the hint was lost', async () => {
    const log = new GroupWorld();
    const one = log.broker();
    const deaf = log.broker({ name: `${log.name}-2` }); // in another channel
    await one.create('orders');
    await deaf.broker.listTopics(); // it knows of no group yet, and hears of none
    const a = await Member.join(one.broker, 'a', everything);
    await deaf.broker.createPartitions([{ name: 'orders', partitions: 2 }]);
    await deaf.create('offers');
    await settle();
    await a.sync();
    expect(namesOf(a)).toEqual(['orders/0']);
    const b = await Member.join(one.broker, 'b', everything);
    await b.leave();
    await a.sync();
    expect(namesOf(a)).toEqual(['offers/0', 'orders/0', 'orders/1']);
  });
});

test('topics that change between the look and the transaction are looked at again', async () => {
  const log = new GroupWorld();
  const [one, other] = [log.broker(), log.broker()];
  await one.create('orders');
  let go!: () => void;
  one.connection.failNext({ until: new Promise<void>((resolve) => (go = resolve)) });
  const joining = Member.join(one.broker, 'a'); // it has read one partition
  await settle();
  const updates = one.connection.updates.length;
  await other.broker.createPartitions([{ name: 'orders', partitions: 3 }]);
  go();
  const a = await joining;
  expect(a.partitions).toEqual([0, 1, 2]);
  expect(one.connection.updates.length).toBeGreaterThan(updates);
});

test('changes of topics at several brokers at once end in one assignment', async () => {
  const log = new GroupWorld();
  const brokers = [log.broker(), log.broker(), log.broker()];
  const members = await Promise.all(
    brokers.map(({ broker }, i) => Member.join(broker, `m${i}`, everything)),
  );
  for (const member of members) void live(member);
  await Promise.all(brokers.map((broker, i) => broker.create(`o${i}`, 3)));
  await Promise.all([
    brokers[0]!.broker.deleteTopics(['o1']),
    brokers[1]!.broker.createPartitions([{ name: 'o2', partitions: 6 }]),
    brokers[2]!.create('o3'),
  ]);
  await settle(25);
  const { partitions } = await log.group();
  expect(partitions.map(({ topic, partition }) => `${topic}/${partition}`)).toEqual([
    ...[0, 1, 2].map((p) => `o0/${p}`),
    ...[0, 1, 2, 3, 4, 5].map((p) => `o2/${p}`),
    'o3/0',
  ]);
  const owners = (await log.owners()).split(' ');
  const shares = members.map(({ ref }) => owners.filter((id) => id === ref.memberId).length);
  expect(shares.toSorted((a, b) => a - b)).toEqual([3, 3, 4]);
});
