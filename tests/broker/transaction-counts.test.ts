import { expect, test } from 'vitest';
import { topic } from '../../src/index.ts';
import type { FaultStore } from '../support/fault-store.ts';
import { World } from '../support/world.ts';
import { settle } from '../support/waiting.ts';

const SOON_MS = 10_000;
const ROUND_MS = 300_000;
const HOUR_MS = 3_600_000;

/** The transactions, readonly and readwrite, that `work` makes. */
async function count(connection: FaultStore, work: () => unknown): Promise<number> {
  const before = connection.calls;
  await work();
  await settle();
  return connection.calls - before;
}

test('1,000 idle partitions cost a round of cleaning a handful of transactions', async () => {
  const world = new World();
  const { clock } = world;
  const { log, connection } = await world.openTab();
  await log.admin.createTopics([topic('idle', { partitions: 1_000 }), topic('orders')]);
  const append = async (): Promise<void> => {
    await log.producer().send('orders', { value: 'a', timestamp: clock.now() });
  };
  await append();
  const afterAppend = await count(connection, () => clock.advance(SOON_MS));
  const idle = await count(connection, () => clock.advance(ROUND_MS));
  const describe = await count(connection, () => log.admin.describeLog());
  expect(afterAppend).toBeLessThanOrEqual(10);
  expect(idle).toBeLessThanOrEqual(10);
  expect(describe).toBeLessThanOrEqual(4);
});

test('the bound of the whole log is kept at the same cost', async () => {
  const world = new World();
  const { clock } = world;
  const { log, connection } = await world.openTab();
  await log.admin.createTopics([topic('idle', { partitions: 1_000 })]);
  await log.admin.alterLog({ maxBytes: 1_000_000 });
  expect(await count(connection, () => clock.advance(ROUND_MS))).toBeLessThanOrEqual(12);
});

test('records expire by time among many partitions that nobody appends to', async () => {
  const world = new World();
  const { log } = await world.openTab();
  const retention = { ms: HOUR_MS };
  await log.admin.createTopics([topic('idle', { partitions: 700, retention })]);
  const record = { value: 'a', timestamp: world.clock.now() };
  for (const partition of [0, 350, 699]) {
    await log.producer().send('idle', { ...record, partition });
  }
  await world.pass(SOON_MS);
  await world.pass(2 * HOUR_MS);
  const [{ partitions }] = await log.admin.describeTopics(['idle']);
  const starts = [0, 350, 699].map((partition) => partitions[partition]!.startOffset);
  expect(starts).toEqual([1, 1, 1]);
});

test('openLog and describeLog() make as many transactions with 100 topics as with one', async () => {
  const counts: number[] = [];
  for (const topics of [1, 100]) {
    const world = new World();
    const { log } = await world.openTab();
    const names = Array.from({ length: topics }, (_, i) => `topic-${i}`);
    await log.admin.createTopics(names);
    const { log: other, connection } = await world.openTab();
    counts.push(connection.calls);
    counts.push(await count(connection, () => other.admin.describeLog()));
  }
  const [open, describe] = counts;
  expect(counts).toEqual([open, describe, open, describe]);
  expect(open).toBeLessThanOrEqual(4);
});

test('appends, fetches, joins and rounds make as many transactions with 2,000 groups as with one', async () => {
  const counts: number[][] = [];
  for (const groups of [1, 2_000]) {
    const world = new World();
    const { clock } = world;
    const { log, connection } = await world.openTab();
    await log.admin.createTopics(['orders']);
    const offsets = [{ topic: 'orders', partition: 0, offset: 0 }];
    for (let i = 0; i < groups; i++) await log.admin.alterGroupOffsets(`group-${i}`, offsets);
    const producer = log.producer();
    await producer.send('orders', { value: 'a', timestamp: clock.now() });
    await count(connection, () => clock.advance(SOON_MS));
    const append = await count(connection, () =>
      producer.send('orders', { value: 'b', timestamp: clock.now() }),
    );
    const round = await count(connection, () => clock.advance(SOON_MS));
    const join = await count(connection, async () => {
      const consumer = log.consumer({ topics: ['orders'], group: 'new', from: 'earliest' });
      await consumer.ready;
      await world.passing(consumer.close());
    });
    const list = await count(connection, () => log.admin.listGroups());
    const { log: other, connection: opened } = await world.openTab();
    const open = opened.calls;
    const topics = await count(opened, () => other.admin.describeTopics(['orders']));
    counts.push([append, round, join, list, open, topics]);
  }
  expect(counts[1]).toEqual(counts[0]);
});

test('openLog and describeLog() succeed while another tab creates and deletes topics', async () => {
  const world = new World();
  const { log } = await world.openTab();
  const over = new AbortController();
  const changing = (async () => {
    while (!over.signal.aborted) {
      await log.admin.createTopics(['a', 'b', 'c']);
      await log.admin.deleteTopics(['a', 'b', 'c']);
    }
  })();
  for (let i = 0; i < 100; i++) {
    const other = await world.openTab();
    await other.log.admin.describeLog();
  }
  over.abort();
  await changing;
});
