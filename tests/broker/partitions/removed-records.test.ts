import { describe, expect, onTestFinished, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import type { TopicRow } from '../../../src/broker/rows/topic-row.ts';
import { PROTOCOL_VERSION } from '../../../src/protocol/broker.ts';
import { TOPICS, partitionStore } from '../../../src/store/schema.ts';
import type { RowRef } from '../../../src/store/store.ts';
import { batchOf, hexOf, recordOf } from '../../support/batches.ts';
import { found, recordsOf } from '../../support/broker-fixture.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { eventually, idle, settle } from '../../support/waiting.ts';
import { World } from '../../support/world.ts';

/** Longer than a broker serves from memory without a look into the store. */
const A_WHILE_MS = 31_000;

const GONE = { error: { code: 'OFFSET_OUT_OF_RANGE' } };

/** A broker that hears nothing of the others, nor they of it. */
function deafBroker(log: World): TestBroker {
  return log.broker({ name: 'on another channel' });
}

function deleteBefore({ broker }: TestBroker, topicId: string, before: number): Promise<number[]> {
  return broker.deleteRecords([{ topicId, partition: 0, before }]);
}

/** Resolves when the brokers of the log have been told that records are gone. */
function trimmedHint({ name }: World): Promise<void> {
  const channel = new BroadcastChannel(`tablog/${PROTOCOL_VERSION}/${name}`);
  onTestFinished(() => channel.close());
  return new Promise((resolve) => {
    channel.onmessage = ({ data }: MessageEvent) => {
      if ((data as { kind?: unknown }).kind === 'trimmed') resolve();
    };
  });
}

test.each([NaN, 0.5, -1])('a start of %s is refused, and nothing is changed', async (before) => {
  const log = new World();
  const broker = log.broker();
  const topic = await broker.create('orders');
  await broker.append(topic, 'first');
  await expect(deleteBefore(broker, topic.id, before)).rejects.toThrow(/before must be an integer/);
  expect(await broker.offset(topic, 'earliest')).toBe(0);
});

describe('records that were deleted are not served from memory', () => {
  test('by who hears of it', async () => {
    const log = new World();
    const [a, b] = [log.broker(), log.broker()];
    const topic = await a.create('orders');
    await a.append(topic, 'secret');
    await deleteBefore(b, topic.id, 1);
    await eventually(async () => expect(await a.fetch(topic, { offset: 0 })).toMatchObject(GONE));
  });

  test('by who has not heard of it, a while later', async () => {
    const log = new World();
    const [a, b] = [log.broker(), deafBroker(log)];
    const topic = await a.create('orders');
    await a.append(topic, 'secret');
    await deleteBefore(b, topic.id, 1);
    log.clock.advance(A_WHILE_MS);
    expect(await a.fetch(topic, { offset: 0 })).toMatchObject(GONE);
  });

  test('nor once it appends again', async () => {
    const log = new World();
    const [a, b] = [log.broker(), deafBroker(log)];
    const topic = await a.create('orders');
    await a.append(topic, 'secret');
    await deleteBefore(b, topic.id, 1);
    await a.append(topic, 'next');
    expect(await a.fetch(topic, { offset: 0 })).toMatchObject(GONE);
    expect(recordsOf(await a.fetch(topic, { offset: 1 }))).toMatchObject([{ offset: 1 }]);
  });

  test.each([false, true])(
    'nor where it hears of it before it hears that its own append is stored (and looks: %s)',
    async (looks) => {
      const log = new World();
      const [a, b] = [log.broker(), log.broker()];
      const topic = await a.create('orders');
      await a.append(topic, 'first');
      await b.append(topic, 'second');
      const late = deferred();
      a.connection.failNext({ answered: late.promise });
      const appending = a.append(topic, 'third');
      while ((await b.offset(topic, 'latest')) < 3) await idle();
      const heard = trimmedHint(log);
      await deleteBefore(b, topic.id, 3);
      await heard;
      await settle();
      if (looks) expect(await a.fetch(topic, { offset: 3 })).toBeUndefined();
      late.resolve();
      await appending;
      expect(await a.fetch(topic, { offset: 2 })).toMatchObject(GONE);
    },
  );
});

test('a deleted key does not come back from the memory of who has not heard of it', async () => {
  const log = new World();
  const [a, b] = [log.broker(), deafBroker(log)];
  const topic = await a.create('state', 1, { cleanup: 'compact' });
  const put = (by: TestBroker, key: string, value: string | null): Promise<unknown> =>
    by.produce(topic, batchOf([recordOf({ key, value })]).buffer);
  await put(a, 'k', 'v');
  await put(b, 'k', null);
  await put(b, 'other', 'x');
  const rowOfTopic: RowRef<TopicRow> = { store: TOPICS, key: 'state' };
  const [row] = await log.store.read([rowOfTopic]);
  const store = partitionStore(row!.stores[0]!);
  const keeper = new PartitionCleaner(log.store, { topicId: topic.id, partition: 0, store });
  await keeper.compact(1_000, () => 0);
  await keeper.compact(1_000, () => 1_000);

  log.clock.advance(A_WHILE_MS);
  const keys: (string | null)[] = [];
  for (let offset = 0; offset < 3;) {
    const fetched = await a.fetch(topic, { offset });
    keys.push(...recordsOf(fetched).map(({ key }) => key));
    offset = found(fetched).nextOffset;
  }
  expect(keys).toEqual([hexOf('other')]);
});
