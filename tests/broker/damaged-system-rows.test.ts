import { expect, test } from 'vitest';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import {
  GROUPS,
  HEAD_KEY,
  OFFSETS,
  PRODUCERS,
  TOPICS,
  partitionStore,
  topicsVersionRef,
} from '../../src/store/schema.ts';
import type { Key } from '../../src/store/store.ts';
import { appendOf, batch, errorOf } from '../support/broker-fixture.ts';
import { World } from '../support/world.ts';
import { GROUP_ID, Member } from './groups/group-fixture.ts';

/** Puts a value underneath the brokers, as a browser that damages data would. */
async function put(log: World, store: string, key: Key, value: unknown): Promise<void> {
  await log.store.update([{ store, key }], (_, write) => write.put(store, key, value));
}

const DAMAGED: [string, unknown][] = [
  ['a number', 7],
  ['an empty object', {}],
  ['a string', 'head'],
  ['null', null],
];

test.each(DAMAGED)('a head that is %s fails its partition, and no other', async (_, head) => {
  const log = new World();
  const shop = log.broker();
  const bad = await shop.create('bad'); // has the first partition store
  const good = await shop.create('good');
  await shop.append(bad, 'b0');
  await put(log, partitionStore(0), HEAD_KEY, head);

  // In one group commit, from a broker that remembers nothing.
  const { broker } = log.broker();
  const appends = [bad, good].map((topic) => appendOf(topic, batch('v')));
  const [refused, stored] = await broker.produce({ appends, durability: 'relaxed' });
  expect(stored).toMatchObject({ baseOffset: 0 });
  const error = fromErrorData((refused as { error: Parameters<typeof fromErrorData>[0] }).error);
  expect(error).toMatchObject({
    code: 'LOG_CORRUPT',
    details: { store: partitionStore(0), key: HEAD_KEY },
  });
  expect(error.message).toContain('other topics go on');

  const reader = log.broker();
  expect(await reader.readAll(good)).toEqual(['v']);
  expect(await reader.fetch(bad)).toMatchObject({ error: { code: 'LOG_CORRUPT' } });
  expect(await reader.broker.describeLog()).toMatchObject({ bytes: expect.any(Number) });
  await reader.broker.deleteTopics(['bad']);
  const again = await reader.create('bad');
  await reader.append(again, 'b1');
  expect(await reader.readAll(again)).toEqual(['b1']);
});

test('a group whose row is damaged fails by itself, and deleting it is the way out', async () => {
  const log = new World();
  const { broker } = log.broker();
  await put(log, GROUPS, 'bad', { members: 'many' });
  await put(log, GROUPS, 'good', {
    groupId: 'good',
    instance: 'i',
    generation: 0,
    assignor: 'sticky',
    members: [],
    partitions: [],
  });
  expect(await broker.listGroups()).toEqual([{ group: 'good', state: 'empty', members: 0 }]);
  expect(await errorOf(broker.describeGroups(['bad']))).toMatchObject({
    code: 'LOG_CORRUPT',
    details: { store: GROUPS, key: 'bad' },
  });
  expect(await broker.describeGroups(['good'])).toHaveLength(1);
  await broker.deleteGroups(['bad']);
  expect(await errorOf(broker.describeGroups(['bad']))).toMatchObject({
    code: 'GROUP_ID_NOT_FOUND',
  });
});

test('a topic whose row is damaged keeps no other from being opened and listed', async () => {
  const log = new World();
  const shop = log.broker();
  const good = await shop.create('good');
  await shop.append(good, 'v');
  await put(log, TOPICS, 'bad', { name: 'bad' });
  const { broker } = log.broker();
  const opened = await broker.openLog({ logId: null });
  expect(opened.topics.map(({ name }) => name)).toEqual(['good']);
  expect((await broker.listTopics()).map(({ name }) => name)).toEqual(['good']);
  expect(await log.broker().readAll(good)).toEqual(['v']);

  const corrupt = { code: 'LOG_CORRUPT', details: { store: TOPICS, key: 'bad' } };
  expect(await errorOf(broker.describeTopics(['bad']))).toMatchObject(corrupt);
  expect(await errorOf(broker.createTopics([{ name: 'bad' }]))).toMatchObject(corrupt);
  expect(await errorOf(broker.alterTopics([{ name: 'bad', config: {} }]))).toMatchObject(corrupt);
  expect(await errorOf(broker.createPartitions([{ name: 'bad', partitions: 2 }]))).toMatchObject(
    corrupt,
  );
  expect(await errorOf(broker.deleteTopics(['bad']))).toMatchObject(corrupt);
  await broker.createTopics([{ name: 'other' }]);
});

/** A member of a group that reads the topic `t`. */
const inT = { subscription: { topics: ['t'], patterns: [] } };

test.each(DAMAGED)(
  'a committed offset that is %s stops who begins there, and nobody else',
  async (_, row) => {
    const log = new World();
    const { broker } = log.broker();
    const [t] = await broker.createTopics([{ name: 't' }, { name: 'u' }]);
    const member = await Member.join(broker, 'm', inT);
    await put(log, OFFSETS, [GROUP_ID, t!.id, 0], row);

    expect(await broker.listGroupOffsets({ groupId: GROUP_ID })).toEqual([]);
    expect(await broker.describeGroups([GROUP_ID])).toHaveLength(1);
    expect(await errorOf(member.positions())).toMatchObject({
      code: 'LOG_CORRUPT',
      details: { store: OFFSETS, key: `${GROUP_ID}/${t!.id}/0` },
    });
    await broker.alterGroupOffsets({
      groupId: GROUP_ID,
      partitions: [{ topic: 't', partition: undefined, to: { at: 'earliest' }, metadata: '' }],
      force: true,
      isReset: true,
    });
    expect(await broker.listGroupOffsets({ groupId: GROUP_ID })).toMatchObject([
      { topic: 't', offset: 0 },
    ]);

    await put(log, OFFSETS, [GROUP_ID, t!.id, 0], row);
    await member.leave();
    await broker.deleteGroups([GROUP_ID]);
    await broker.deleteTopics(['u']);
  },
);

test.each(DAMAGED)('a transactional id whose row is %s is given out anew', async (_, row) => {
  const log = new World();
  const { broker } = log.broker();
  await put(log, PRODUCERS, 'tx', row);
  const request = { transactionalId: 'tx', holder: 'me', seen: null };
  expect(await broker.initProducer(request)).toMatchObject({ holder: 'me', epoch: 0 });
});

test('a row of partition stores that is lost keeps topics from being created and deleted, and nothing else', async () => {
  const log = new World();
  const shop = log.broker();
  const topic = await shop.create('t');
  await log.store.update([topicsVersionRef], (_, write) =>
    write.delete(topicsVersionRef.store, topicsVersionRef.key),
  );
  const other = log.broker();
  await other.append(topic, 'v');
  expect(await other.readAll(topic)).toEqual(['v']);
  const corrupt = {
    code: 'LOG_CORRUPT',
    details: { store: topicsVersionRef.store, key: topicsVersionRef.key },
  };
  expect(await errorOf(other.broker.createTopics([{ name: 'u' }]))).toMatchObject(corrupt);
  expect(await errorOf(other.broker.deleteTopics(['t']))).toMatchObject(corrupt);
  expect((await Member.join(other.broker, 'm', inT)).partitions).toHaveLength(1);
});
