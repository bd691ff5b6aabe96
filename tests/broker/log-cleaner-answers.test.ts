import { describe, expect, onTestFinished, test } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import { LogBroker } from '../../src/broker/log-broker.ts';
import { topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { FaultStore } from '../support/fault-store.ts';
import { offsetsOf, openTab, settle, take } from '../support/log-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SOON_MS = 10_000;
const HOUR_MS = 3_600_000;

const unknown = new TablogError(OUTCOME_UNKNOWN, 'a write was cut off');

interface Tab {
  readonly log: Log;
  readonly store: FaultStore;
  readonly clock: ManualClock;
}

/** A tab with a broker of its own, whose janitor goes round when its clock is moved. */
async function tabOn(inner: Store, name: string = crypto.randomUUID()): Promise<Tab> {
  const clock = new ManualClock();
  const store = new FaultStore(inner);
  const broker = new LogBroker({ name, openStore: async () => store, clock });
  const log = await openTab({ open: () => ({ broker, close: () => broker.close() }) }, name);
  return { log, store, clock };
}

function newStore(): Store {
  const store = openMemoryStore(new ManualClock().now());
  onTestFinished(() => store.close());
  return store;
}

async function send(log: Log, name: string, count: number, bytes: number): Promise<void> {
  const producer = log.producer();
  for (let i = 0; i < count; i++) await producer.send(name, { value: 'x'.repeat(bytes) });
}

async function bytes(log: Log): Promise<number> {
  return (await log.admin.describeLog()).bytes;
}

describe('the budget of a log', () => {
  test('takes nothing from a small topic when less than a row of the largest is too much', async () => {
    const { log, clock } = await tabOn(newStore());
    await log.admin.createTopics(['large', 'small']);
    await send(log, 'large', 5, 300_000);
    await send(log, 'small', 10, 1_000);
    await log.admin.alterLog({ maxBytes: (await bytes(log)) - 100_000 });
    clock.advance(SOON_MS);
    await settle();
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 'small', at: 'earliest' }]))).toEqual([
      0,
    ]);
  });

  test('takes from the next topic what the largest has no more of', async () => {
    const { log, clock } = await tabOn(newStore());
    await log.admin.createTopics([
      topic('large', { protectUncommitted: ['g'] }), // nobody has read it
      'small',
    ]);
    await send(log, 'large', 5, 300_000);
    await send(log, 'small', 10, 1_000);
    await log.admin.alterLog({ maxBytes: (await bytes(log)) - 5_000 });
    clock.advance(SOON_MS);
    await settle();
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 'large', at: 'earliest' }]))).toEqual([
      0,
    ]);
    expect(
      offsetsOf(await log.admin.listOffsets([{ topic: 'small', at: 'earliest' }]))[0],
    ).toBeGreaterThan(3);
  });

  test('takes no more than it must when the answer to a deletion is lost', async () => {
    const { log, store, clock } = await tabOn(newStore());
    await log.admin.createTopics(['a', 'b']);
    await send(log, 'a', 20, 1_000);
    await send(log, 'b', 19, 1_000);
    const maxBytes = (await bytes(log)) - 5_000;
    await log.admin.alterLog({ maxBytes });
    await settle();
    const [ofTheClock, ofTheDeletion] = [{}, { error: unknown, stored: true }];
    store.failNext(ofTheClock, ofTheDeletion);
    clock.advance(SOON_MS);
    await settle();
    await settle();
    expect(await bytes(log)).toBeGreaterThanOrEqual(maxBytes);
  });
});

test('a deleted key stays deleted for a broker that knows its value, though answers are lost', async () => {
  const inner = newStore();
  const { log } = await tabOn(inner); // whose clock stands still
  await log.admin.createTopics([topic('t', { cleanup: 'compact', deleteRetentionMs: HOUR_MS })]);
  await log.producer().send('t', { key: 'k', value: 'a' });
  const other = await tabOn(inner, log.name);
  await other.log.producer().send('t', { key: 'k', value: null });
  for (let round = 0; round < 40; round++) {
    const [ofTheClock, ofTheRewrite] = [{}, { error: unknown, stored: true }];
    other.store.failNext(ofTheClock, ofTheRewrite);
    other.clock.advance(round === 0 ? SOON_MS : 300_000);
    await settle();
  }
  await other.log.producer().send('t', { key: 'last', value: 'z' });
  await settle();
  const [first] = await take(log.consumer({ topics: ['t'], from: 'earliest' }), 1);
  expect(first!.offset).toBe(2);
});

test('a read of the topics that hangs is not in the way of appends', async () => {
  const { log, store, clock } = await tabOn(newStore());
  await log.admin.createTopics(['t']);
  const producer = log.producer();
  await producer.send('t', { value: 'a' });
  await settle();
  const [ofTheLog, ofTheTopics] = [{}, { until: new Promise<void>(() => {}) }];
  store.failNextRead(ofTheLog, ofTheTopics);
  clock.advance(SOON_MS);
  await settle();
  expect(await producer.send('t', { value: 'b' })).toMatchObject({ offset: 1 });
});
