import { expect, test } from 'vitest';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import { GROUPS, HEAD_KEY, TOPICS, partitionStore } from '../../src/store/schema.ts';
import { batch, errorOf, openTestLog } from '../support/broker-fixture.ts';
import type { TestLog } from '../support/broker-fixture.ts';

/** Puts a value underneath the brokers, as a browser that damages data would. */
async function put(log: TestLog, store: string, key: string, value: unknown): Promise<void> {
  await log.store.update([{ store, key }], (_, write) => write.put(store, key, value));
}

const DAMAGED: [string, unknown][] = [
  ['a number', 7],
  ['an empty object', {}],
  ['a string', 'head'],
  ['null', null],
];

test.each(DAMAGED)('a head that is %s fails its partition, and no other', async (_, head) => {
  const log = openTestLog();
  const shop = log.broker();
  const bad = await shop.create('bad'); // has the pool's first store
  const good = await shop.create('good');
  await shop.append(bad, 'b0');
  await put(log, partitionStore(0), HEAD_KEY, head);

  // In one group commit, from a broker that remembers nothing.
  const { broker } = log.broker();
  const appends = [bad, good].map(({ id }) => ({
    topicId: id,
    partition: 0,
    batch: batch('v'),
    compression: 'none' as const,
  }));
  const [refused, stored] = await broker.produce({ appends, durability: 'relaxed' });
  expect(stored).toMatchObject({ baseOffset: 0 });
  const error = fromErrorData((refused as { error: Parameters<typeof fromErrorData>[0] }).error);
  expect(error).toMatchObject({
    code: 'LOG_CORRUPT',
    details: { topicId: bad.id, partition: 0, key: HEAD_KEY },
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
  const log = openTestLog();
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
  expect(await broker.listGroups()).toEqual([{ groupId: 'good', state: 'empty', members: 0 }]);
  expect(await errorOf(broker.describeGroups(['bad']))).toMatchObject({
    code: 'LOG_CORRUPT',
    details: { group: 'bad', store: GROUPS },
  });
  expect(await broker.describeGroups(['good'])).toHaveLength(1);
  await broker.deleteGroups(['bad']);
  expect(await errorOf(broker.describeGroups(['bad']))).toMatchObject({
    code: 'GROUP_ID_NOT_FOUND',
  });
});

test('a topic whose row is damaged keeps no other from being opened and listed', async () => {
  const log = openTestLog();
  const shop = log.broker();
  const good = await shop.create('good');
  await shop.append(good, 'v');
  await put(log, TOPICS, 'bad', { name: 'bad' });
  const { broker } = log.broker();
  const opened = await broker.openLog({ logId: null });
  expect(opened.topics.map(({ name }) => name)).toEqual(['good']);
  expect((await broker.listTopics()).map(({ name }) => name)).toEqual(['good']);
  expect(await log.broker().readAll(good)).toEqual(['v']);
});
