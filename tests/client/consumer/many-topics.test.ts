import { describe, expect, test } from 'vitest';
import type { Log } from '../../../src/index.ts';
import type { InlineHost } from '../../../src/inline.ts';
import type { Store } from '../../../src/store/store.ts';
import { AN_HOUR_MS, openTab } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';
import { World } from '../../support/world.ts';
import { systemClock } from '../../../src/platform/clock.ts';

/** How often the store was asked, and for how many rows. */
interface Counted {
  transactions: number;
  rows: number;
}

function counting(store: Store, counted: Counted): Store {
  const count = (rows: number): void => {
    counted.transactions++;
    counted.rows += rows;
  };
  return {
    read: (refs) => (count(refs.length), store.read(refs)),
    readAll: (name) => (count(0), store.readAll(name)),
    readSegments: (requests) => (count(requests.length), store.readSegments(requests)),
    update: (refs, decide, options) => (count(refs.length), store.update(refs, decide, options)),
    updatePartitions: (refs, decide, options) => (
      count(refs.length),
      store.updatePartitions(refs, decide, options)
    ),
    closed: store.closed,
    close() {},
  };
}

interface Scene {
  readonly writer: Log;
  readonly host: StubHost;
  readonly read: string[];
  readonly counted: Counted;
  /** The calls of the reader's tab, from now on. */
  readonly calls: () => Record<string, number>;
}

/** One broker, as a SharedWorker's; a tab that writes, and one that reads every room. */
async function openRooms(group?: string): Promise<Scene> {
  const counted = { transactions: 0, rows: 0 };
  const world = new World();
  const openStore = async (): Promise<Store> => counting(world.store, counted);
  const { broker } = world.broker({ openStore, clock: systemClock });
  const shared: InlineHost = { open: () => ({ broker, close() {} }) };
  const host = stubHost(shared);
  const writer = await openTab(shared, world.name);
  const reader = await openTab(host, world.name);
  const options = { topics: [/^room/], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;
  const consumer = reader.consumer({ ...options, ...(group !== undefined && { group }) });
  const read: string[] = [];
  void (async () => {
    for await (const message of consumer) read.push(message.topic);
  })();
  await consumer.ready;
  await settle();
  const methods = ['fetch', 'cancelFetch', 'listTopics', 'listOffsets', 'syncGroup'] as const;
  let before = methods.map(() => 0);
  const calls = (): Record<string, number> => {
    const now = methods.map((method) => host.requests(method).length);
    const made = methods.map((method, i) => [method, now[i]! - before[i]!] as const);
    before = now;
    return Object.fromEntries(made);
  };
  return { writer, host, read, counted, calls };
}

/** Makes a room, and says something there. */
async function makeRooms(writer: Log, from: number, to: number): Promise<void> {
  const producer = writer.producer();
  for (let i = from; i < to; i++) {
    await writer.admin.createTopics([`room-${i}`]);
    await producer.send(`room-${i}`, { value: 'hello' });
    await settle();
  }
  await producer.close();
}

describe('one topic more', () => {
  test('costs a reader as many calls, and the store as many transactions, however many it reads', async () => {
    const { writer, read, counted, calls } = await openRooms();
    const costs: (Record<string, number> & Counted)[] = [];
    for (const [from, to] of [
      [0, 10],
      [10, 300],
      [300, 310],
    ] as const) {
      Object.assign(counted, { transactions: 0, rows: 0 });
      calls();
      await makeRooms(writer, from, to);
      costs.push({ ...calls(), ...counted });
    }
    expect(read).toHaveLength(310);
    const [few, , many] = costs;
    expect(few!['fetch']).toBeLessThanOrEqual(40); // four for each: two that join, and two empty
    expect(many!['cancelFetch']).toBe(0);
    expect(many!['fetch']).toBeLessThanOrEqual(few!['fetch']! + 2);
    expect(many!['listTopics']).toBeLessThanOrEqual(few!['listTopics']! + 2);
    expect(many!.transactions).toBeLessThanOrEqual(few!.transactions + 10);
    expect(many!.rows).toBeLessThanOrEqual(few!.rows + 20);
  });

  test('is named once by a fetch when it comes, and once when it has brought something', async () => {
    const { writer, host } = await openRooms();
    await makeRooms(writer, 0, 100);
    const before = host.requests('fetch').length;
    await makeRooms(writer, 100, 110);
    const requests = host.requests('fetch').slice(before);
    const named = requests.reduce((sum, { partitions }) => sum + partitions.length, 0);
    expect(named).toBeLessThanOrEqual(20);
  });
});

test('a record to one of many topics costs two fetches, and names one partition', async () => {
  const { writer, host, read, counted, calls } = await openRooms();
  await makeRooms(writer, 0, 200);
  Object.assign(counted, { transactions: 0, rows: 0 });
  calls();
  const before = host.requests('fetch').length;
  await writer.producer().send('room-7', { value: 'again' });
  await settle();
  expect(read.at(-1)).toBe('room-7');
  const requests = host.requests('fetch').slice(before);
  expect(requests.flatMap(({ partitions }) => partitions)).toHaveLength(1);
  expect(requests.length).toBeLessThanOrEqual(2);
  expect(counted.rows).toBeLessThanOrEqual(4);
});

test('a topic that is deleted ends its reader, and disturbs no other', async () => {
  const { writer, calls, counted } = await openRooms('g');
  await makeRooms(writer, 0, 100);
  calls();
  Object.assign(counted, { transactions: 0, rows: 0 });
  await writer.admin.deleteTopics(['room-50']);
  await settle();
  expect(calls()['fetch']).toBeLessThanOrEqual(4);
  expect(counted.rows).toBeLessThanOrEqual(40);
});

test('a group that reads a pattern: as many calls a topic, however many there are', async () => {
  const { writer, read, calls } = await openRooms('g');
  await makeRooms(writer, 0, 10);
  const few = calls();
  await makeRooms(writer, 10, 150);
  calls();
  await makeRooms(writer, 150, 160);
  const many = calls();
  expect(read).toHaveLength(160);
  expect(many['fetch']).toBeLessThanOrEqual(few['fetch']! + 4);
  expect(many['cancelFetch']).toBe(0);
  expect(many['syncGroup']).toBeLessThanOrEqual(few['syncGroup']! + 4);
});
