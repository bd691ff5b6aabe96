import { expect, onTestFinished, test } from 'vitest';
import { deleteLog, openLog, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { databaseOf } from '../../../src/base/log-database.ts';
import { HEAD_KEY, META, OFFSETS, TOPICS, partitionStore } from '../../../src/store/schema.ts';

const workerUrl = new URL('../../../src/tablog-worker.ts', import.meta.url);

async function open(name: string): Promise<Log> {
  const log = await openLog(name, { workerUrl });
  onTestFinished(() => log.close());
  return log;
}

/** Changes rows underneath the log, as a browser that damages data would. */
async function damage(
  name: string,
  change: (tx: IDBTransaction) => void,
  ...stores: string[]
): Promise<void> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open(databaseOf(name));
    opening.addEventListener('success', () => resolve(opening.result));
    opening.addEventListener('error', () => reject(opening.error!));
  });
  await new Promise((resolve) => {
    const tx = db.transaction(stores, 'readwrite');
    tx.addEventListener('complete', resolve);
    change(tx);
  });
  db.close();
}

test('faults of rows in IndexedDB are found while the log is written, and the rest goes on', async () => {
  const name = crypto.randomUUID();
  onTestFinished(() => deleteLog(name));
  const log = await open(name);
  await log.admin.createTopics([topic('a'), topic('b'), topic('c')]);
  const producer = log.producer({ lingerMs: 0 });
  for (let i = 0; i < 40; i++) {
    for (const each of ['a', 'b', 'c']) await producer.send(each, { value: `${each}${i}` });
  }
  expect((await log.admin.scrub()).faults).toEqual([]);

  const [a, b] = [partitionStore(0), partitionStore(1)];
  await damage(
    name,
    (tx) => {
      tx.objectStore(a).put('garbage', 3);
      tx.objectStore(a).put(null, 35);
      tx.objectStore(a).delete(7);
      tx.objectStore(b).delete(HEAD_KEY);
      tx.objectStore(TOPICS).put(null, 'zz');
      tx.objectStore(OFFSETS).put(null, ['g', 'id', 0]);
      tx.objectStore(META).delete('pool');
    },
    a,
    b,
    TOPICS,
    OFFSETS,
    META,
  );
  const sending = Promise.all(
    Array.from({ length: 50 }, (_, i) => producer.send('c', { value: `c${40 + i}` })),
  );
  const [{ faults, partitions }] = await Promise.all([log.admin.scrub(), sending]);
  const place = ({ topic: of, from, to, code }: (typeof faults)[number]): unknown[] => [
    of,
    from,
    to,
    code,
  ];
  expect(faults.map(place)).toEqual([
    [null, null, null, 'LOG_CORRUPT'],
    [null, null, null, 'LOG_CORRUPT'],
    [null, null, null, 'LOG_CORRUPT'],
    ['a', 3, 4, 'BATCH_CORRUPT'],
    ['a', 7, 8, 'LOG_CORRUPT'],
    ['a', 35, 36, 'BATCH_CORRUPT'],
    ['b', null, null, 'LOG_CORRUPT'],
  ]);
  expect(partitions).toMatchObject([{ records: 37 }, { records: 0 }, { topic: 'c' }]);

  // Another worker, which remembers nothing.
  await log.close();
  const again = await open(name);
  await again.producer().send('c', { value: 'last' });
  const ends = await again.admin.listOffsets([{ topic: 'c', partition: 0, at: 'latest' }]);
  expect(ends).toEqual([{ topic: 'c', partition: 0, offset: 91 }]);
  expect(await again.admin.listGroups()).toEqual([]);
  await expect(again.admin.deleteTopics(['a'])).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
});
