import { expect, onTestFinished, test } from 'vitest';
import { openLog, string, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { inline } from '../../../src/inline.ts';
import { sqlite } from '../../../src/sqlite.ts';
import { newDatabaseFile, openDatabase } from '../../support/sqlite-database.ts';
import { take } from '../../support/log-fixture.ts';
import { eventually } from '../../support/waiting.ts';

const orders = topic('orders', { value: string(), partitions: 4 });

/** Opens the log over a connection of its own, as another process does. */
async function openProcess(file: string): Promise<Log> {
  const database = openDatabase(file);
  onTestFinished(() => void database.close());
  const log = await openLog('shop', { host: inline({ store: sqlite(database) }) });
  onTestFinished(() => log.close());
  return log;
}

test('two processes of one file share a group, and each record has one of them', async () => {
  const file = newDatabaseFile();
  const logs = [await openProcess(file), await openProcess(file)];
  await logs[0]!.admin.createTopics([orders]);
  const seen: string[] = [];
  const consumers = logs.map((log) =>
    log.consumer({ topics: [orders], group: 'billing', from: 'earliest' }),
  );
  const loops = consumers.map(async (consumer) => {
    for await (const { partition, offset } of consumer) seen.push(`${partition}/${offset}`);
  });
  await eventually(() => consumers.every(({ assignment }) => assignment.length === 2));
  const producers = logs.map((log) => log.producer());
  const places = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const record = { partition: i % 4, value: String(i) };
      const { partition, offset } = await producers[i % 2]!.send(orders, record);
      return `${partition}/${offset}`;
    }),
  );
  expect(new Set(places).size).toBe(40);
  await eventually(() => seen.length >= 40);
  expect(seen.toSorted()).toEqual(places.toSorted());
  await consumers[0]!.close();
  await eventually(() => consumers[1]!.assignment.length === 4);
  await consumers[1]!.close();
  await Promise.all(loops);
});

test('what a process sends as its last is read elsewhere at once, in every partition', async () => {
  const file = newDatabaseFile();
  const reader = await openProcess(file);
  await reader.admin.createTopics([orders]);
  // Nothing but a word of the other process ends this wait in the time of a test.
  const consumer = reader.consumer({ topics: [orders], from: 'earliest', maxWaitMs: 600_000 });
  await consumer.ready;
  const read = take(consumer, 8);
  for (let round = 0; round < 2; round++) {
    const database = openDatabase(file);
    const log = await openLog('shop', { host: inline({ store: sqlite(database) }) });
    const producer = log.producer();
    const send = (partition: number): Promise<unknown> =>
      producer.send(orders, { partition, value: String(round) });
    const first = send(0);
    await send(1);
    await Promise.all([first, send(2), send(3)]);
    await log.close();
    database.close();
  }
  expect((await read).map(({ partition, value }) => `${partition}: ${value}`).toSorted()).toEqual(
    [0, 1, 2, 3].flatMap((partition) => [`${partition}: 0`, `${partition}: 1`]),
  );
});

test('two stores of one connection are one', () => {
  const database = openDatabase(newDatabaseFile());
  onTestFinished(() => void database.close());
  expect(sqlite(database)).toBe(sqlite(database));
});
