import { setMaxListeners } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { LogBroker } from '../../src/broker/log-broker.ts';
import { topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { FaultStore } from '../support/fault-store.ts';
import { openTab, settle } from '../support/log-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SOON_MS = 10_000;
const ROUND_MS = 300_000;
const HOUR_MS = 3_600_000;

interface Tab {
  readonly log: Log;
  readonly connection: FaultStore;
  readonly clock: ManualClock;
}

function newStore(): Store {
  const store = openMemoryStore(new ManualClock().now());
  setMaxListeners(0, store.closed); // each connection adds one
  onTestFinished(() => store.close());
  return store;
}

async function openOn(store: Store, name: string = crypto.randomUUID()): Promise<Tab> {
  const clock = new ManualClock();
  const connection = new FaultStore(store);
  const broker = new LogBroker({ name, openStore: async () => connection, clock });
  const log = await openTab({ open: () => ({ broker, close: () => broker.close() }) }, name);
  return { log, connection, clock };
}

/** The transactions, readonly and readwrite, that `work` makes. */
async function count(connection: FaultStore, work: () => unknown): Promise<number> {
  const before = connection.calls;
  await work();
  await settle();
  return connection.calls - before;
}

test('1,000 idle partitions cost a round of cleaning a handful of transactions', async () => {
  const { log, connection, clock } = await openOn(newStore());
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
  const { log, connection, clock } = await openOn(newStore());
  await log.admin.createTopics([topic('idle', { partitions: 1_000 })]);
  await log.admin.alterLog({ maxBytes: 1_000_000 });
  expect(await count(connection, () => clock.advance(ROUND_MS))).toBeLessThanOrEqual(12);
});

test('records expire by time among many partitions that nobody appends to', async () => {
  const { log, clock } = await openOn(newStore());
  const retention = { ms: HOUR_MS };
  await log.admin.createTopics([topic('idle', { partitions: 700, retention })]);
  const record = { value: 'a', timestamp: clock.now() };
  for (const partition of [0, 350, 699]) {
    await log.producer().send('idle', { ...record, partition });
  }
  clock.advance(SOON_MS);
  await settle();
  clock.advance(2 * HOUR_MS);
  await settle();
  const [{ partitions }] = await log.admin.describeTopics(['idle']);
  const starts = [0, 350, 699].map((partition) => partitions[partition]!.startOffset);
  expect(starts).toEqual([1, 1, 1]);
});

test('openLog and storage() make as many transactions with 100 topics as with one', async () => {
  const counts: number[] = [];
  for (const topics of [1, 100]) {
    const store = newStore();
    const { log } = await openOn(store);
    const names = Array.from({ length: topics }, (_, i) => `topic-${i}`);
    await log.admin.createTopics(names);
    const { log: other, connection } = await openOn(store, log.name);
    counts.push(connection.calls);
    counts.push(await count(connection, () => other.admin.describeLog()));
  }
  const [open, storage] = counts;
  expect(counts).toEqual([open, storage, open, storage]);
  expect(open).toBeLessThanOrEqual(4);
});

test('openLog and storage() succeed while another tab creates and deletes topics', async () => {
  const store = newStore();
  const { log } = await openOn(store);
  const over = new AbortController();
  const changing = (async () => {
    while (!over.signal.aborted) {
      await log.admin.createTopics(['a', 'b', 'c']);
      await log.admin.deleteTopics(['a', 'b', 'c']);
    }
  })();
  for (let i = 0; i < 100; i++) {
    const other = await openOn(store, log.name);
    await other.log.admin.describeLog();
  }
  over.abort();
  await changing;
});
