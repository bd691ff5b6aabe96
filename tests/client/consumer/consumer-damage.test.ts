import { describe, expect, onTestFinished, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import { headRef } from '../../../src/log/head.ts';
import { topic } from '../../../src/index.ts';
import type { Consumer, Log } from '../../../src/index.ts';
import { partitionStore, HEAD_KEY } from '../../../src/store/schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { openTab } from '../../support/log-fixture.ts';
import { storeHost } from '../../support/group-fixture.ts';

/** How a browser ruins the row of a head. */
const RUINS: [string, unknown][] = [
  ['lost', undefined],
  ['damaged', { topicId: 7 }],
];

/** Ruins the head in a store of the pool. */
async function ruin(store: Store, index: number, row: unknown): Promise<void> {
  const name = partitionStore(index);
  await store.update([headRef(name)], (_, write) => {
    if (row === undefined) write.delete(name, HEAD_KEY);
    else write.put(name, HEAD_KEY, row);
  });
}

/** The topics 'bad', of 3 partitions in the stores 0 to 2, and 'good', with a record in each partition. */
async function openRuined(row: unknown): Promise<Log> {
  const { host, store } = storeHost();
  const log = await openTab(host);
  await log.admin.createTopics([topic('bad', { partitions: 3 })]);
  await log.admin.createTopics(['good']);
  await send(log, 'old');
  await ruin(store, 1, row);
  return openTab(host, log.name); // nothing of it is remembered
}

/** To every partition that is whole. */
async function send(log: Log, value: string): Promise<void> {
  const producer = log.producer();
  for (const partition of [0, 2]) await producer.send('bad', { value, partition });
  await producer.send('good', { value });
  await producer.close();
}

interface Seen {
  readonly places: string[];
  readonly errors: unknown[];
}

/** What an application reads that goes on after each error, until it has so many messages. */
async function readOn(consumer: Consumer, count: number): Promise<Seen> {
  const seen: Seen = { places: [], errors: [] };
  while (seen.places.length < count) {
    try {
      for await (const { topic: of, partition, offset } of consumer) {
        if (seen.places.push(`${of}/${partition}@${offset}`) === count) break;
      }
    } catch (error) {
      seen.errors.push(error);
      consumer.pause({ topic: 'bad', partition: 1 });
    }
  }
  return { ...seen, places: seen.places.sort() };
}

describe.each(RUINS)('a head that is %s', (_, row) => {
  test.each(['earliest', 'latest', 'date'] as const)(
    'stops its partition, and the other partitions and topics go on (from %s)',
    async (from) => {
      const log = await openRuined(row);
      const consumer = log.consumer({
        topics: ['bad', 'good'],
        from: from === 'date' ? new Date(Date.now() + 60_000) : from,
        maxWaitMs: 20,
      });
      await consumer.ready;
      await send(log, 'new');
      const isAll = from === 'earliest';
      const { places, errors } = await readOn(consumer, isAll ? 6 : 3);
      const latest = ['bad/0@1', 'bad/2@1', 'good/0@1'];
      const all = ['bad/0@0', ...latest, 'bad/2@0', 'good/0@0'];
      expect(places).toEqual(isAll ? all.sort() : latest);
      for (const error of errors) {
        expect(error).toMatchObject({
          code: 'LOG_CORRUPT',
          details: { topic: 'bad', partition: 1, store: partitionStore(1), key: HEAD_KEY },
        });
      }
    },
  );

  test('is what a producer is told, and a consumer of this topic alone', async () => {
    const log = await openRuined(row);
    const told = { code: 'LOG_CORRUPT', details: { store: partitionStore(1), key: HEAD_KEY } };
    const sent = log.producer().send('bad', { value: 'v', partition: 1 });
    await expect(sent).rejects.toMatchObject(told);
    const stored = log.producer().transaction((tx) => {
      tx.send('bad', { value: 'v', partition: 1 });
    });
    await expect(stored).rejects.toMatchObject(told);
    const consumer = log.consumer({ topics: ['bad'], maxWaitMs: 20, mustExist: true });
    await consumer.ready;
    await expect(consumer[Symbol.asyncIterator]().next()).rejects.toMatchObject(told);
    await log.admin.deleteTopics(['bad']);
    await log.admin.createTopics(['bad']);
    await log.producer().send('bad', { value: 'v' });
  });
});

test('a topic that is deleted while places are looked up is left out', async () => {
  const { host, store } = storeHost();
  const log = await openTab(host);
  await log.admin.createTopics(['gone', 'kept']);
  const asked = deferred();
  const deleted = deferred();
  const slow: Store = {
    closed: store.closed,
    close: () => {},
    read: async (refs) => {
      const isOfHeads = refs[0]!.key === HEAD_KEY;
      if (isOfHeads) asked.resolve();
      if (isOfHeads) await deleted.promise;
      return store.read(refs);
    },
    readAll: (name) => store.readAll(name),
    readSegments: (requests) => store.readSegments(requests),
    update: (refs, decide, options) => store.update(refs, decide, options),
    updatePartitions: (refs, decide, options) => store.updatePartitions(refs, decide, options),
  };
  const broker = new LogBroker({ name: log.name, openStore: async () => slow });
  onTestFinished(() => broker.close());
  const looking = broker.listTopicOffsets({
    subscription: { topics: ['gone', 'kept'], patterns: [] },
    at: 'latest',
  });
  await asked.promise;
  await log.admin.deleteTopics(['gone']);
  deleted.resolve();
  expect((await looking).map(({ name, offsets }) => [name, offsets])).toEqual([['kept', [0]]]);
});
