import { IDBFactory } from 'fake-indexeddb';
import { expect, onTestFinished, test } from 'vitest';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import { prepareAppend } from '../../../src/broker/partitions/prepare-append.ts';
import { topicRef } from '../../../src/broker/rows/topic-row.ts';
import { appendBatches } from '../../../src/log/append.ts';
import { headOf } from '../../../src/log/head.ts';
import type { IdbConnection } from '../../../src/store/indexeddb/idb-connection.ts';
import { makeStores } from '../../../src/store/indexeddb/idb-schema.ts';
import { IdbStore } from '../../../src/store/indexeddb/idb-store.ts';
import { writerOf } from '../../../src/store/indexeddb/idb-writer.ts';
import { HEAD_KEY, partitionStore } from '../../../src/store/schema.ts';
import { appendOf, batch, found, valuesOf } from '../../support/broker-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubIndexedDb } from './fake-indexeddb.ts';
import { done } from './fresh-database.ts';
import { idle } from '../../support/waiting.ts';

stubIndexedDb();

const PREFIX = 'tablog/';

/** An application's database, with a store of its own and a log's. */
async function openApplication(): Promise<IDBDatabase> {
  const request = new IDBFactory().open('app', 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('todos');
    makeStores(request.result, request.transaction!, { isNew: true, now: 0, prefix: PREFIX });
  };
  return done(request);
}

// A log among an application's stores is no feature yet. This holds open the way to it.
test('a log can lie in an application’s database, whose transactions then cover its records', async () => {
  const db = await openApplication();
  const connection: IdbConnection = { prefix: PREFIX, connect: async () => db, disconnect() {} };
  const store = new IdbStore('shop', connection);
  await store.open(true);
  const broker = new LogBroker({
    name: 'in-an-application',
    openStore: async () => store,
    clock: new ManualClock(),
  });
  onTestFinished(() => broker.close());
  const [topic] = await broker.createTopics([{ name: 'todos-changed' }]);
  const [row] = await store.read([topicRef('todos-changed')]);
  const location = { topicId: topic!.id, partition: 0, store: partitionStore(row!.stores[0]!) };

  /** One transaction of the application, over a row of its own and the log's partition. */
  const change = async (text: string, end: 'commit' | 'abort'): Promise<void> => {
    const tx = db.transaction(['todos', PREFIX + location.store], 'readwrite');
    tx.objectStore('todos').put(text, 1);
    const read = tx.objectStore(PREFIX + location.store).get(HEAD_KEY);
    read.onsuccess = () => {
      const append = appendOf(topic!, batch(text));
      const records = prepareAppend(append, topic!.config, 0);
      const { head, segments } = appendBatches(headOf(read.result, location), [records], 0);
      const write = writerOf(tx, PREFIX);
      for (const { baseOffset, bytes } of segments) write.put(location.store, baseOffset, bytes);
      write.put(location.store, HEAD_KEY, head);
      if (end === 'abort') tx.abort();
    };
    await new Promise((resolve) => {
      tx.addEventListener('complete', resolve);
      tx.addEventListener('abort', resolve);
    });
  };
  await change('buy milk', 'commit');
  await change('sell milk', 'abort');

  const todo = db.transaction('todos').objectStore('todos').get(1);
  expect(await done(todo)).toBe('buy milk');
  const partitions = [{ topicId: topic!.id, partition: 0, offset: 0, maxBytes: 1_000 }];
  const fetch = { clientId: 'c', fetchId: 1, maxWaitMs: 0, partitions };
  const [fetched] = await broker.fetch(fetch);
  expect(valuesOf(fetched)).toEqual(['buy milk']);
  expect(found(fetched).nextOffset).toBe(1);

  broker.close();
  await idle();
  expect(db.transaction('todos').objectStore('todos')).toBeDefined(); // the application's stays open
});
