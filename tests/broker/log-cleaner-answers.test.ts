import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import { topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { offsetsOf, take } from '../support/log-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { World } from '../support/world.ts';
import type { Tab } from '../support/world.ts';
import { settle } from '../support/waiting.ts';

const SOON_MS = 10_000;
const HOUR_MS = 3_600_000;

const unknown = new TablogError(OUTCOME_UNKNOWN, 'a write was cut off');

/** A tab whose log is cleaned as the world's clock is moved. */
async function openTab(): Promise<Tab & { readonly world: World }> {
  const world = new World();
  const { log, host, connections, connection } = await world.openTab();
  return { world, log, host, connections, connection };
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
    const { world, log } = await openTab();
    await log.admin.createTopics(['large', 'small']);
    await send(log, 'large', 5, 300_000);
    await send(log, 'small', 10, 1_000);
    await log.admin.alterLog({ maxBytes: (await bytes(log)) - 100_000 });
    await world.pass(SOON_MS);
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 'small', at: 'earliest' }]))).toEqual([
      0,
    ]);
  });

  test('takes from the next topic what the largest has no more of', async () => {
    const { world, log } = await openTab();
    await log.admin.createTopics([
      topic('large', { protectUncommitted: ['g'] }), // nobody has read it
      'small',
    ]);
    await send(log, 'large', 5, 300_000);
    await send(log, 'small', 10, 1_000);
    await log.admin.alterLog({ maxBytes: (await bytes(log)) - 5_000 });
    await world.pass(SOON_MS);
    expect(offsetsOf(await log.admin.listOffsets([{ topic: 'large', at: 'earliest' }]))).toEqual([
      0,
    ]);
    expect(
      offsetsOf(await log.admin.listOffsets([{ topic: 'small', at: 'earliest' }]))[0],
    ).toBeGreaterThan(3);
  });

  test('takes no more than it must when the answer to a deletion is lost', async () => {
    const { world, log, connection } = await openTab();
    await log.admin.createTopics(['a', 'b']);
    await send(log, 'a', 20, 1_000);
    await send(log, 'b', 19, 1_000);
    const maxBytes = (await bytes(log)) - 5_000;
    await log.admin.alterLog({ maxBytes });
    await settle();
    const [ofTheClock, ofTheDeletion] = [{}, { error: unknown, stored: true }];
    connection.failNext(ofTheClock, ofTheDeletion);
    await world.pass(SOON_MS);
    await settle();
    expect(await bytes(log)).toBeGreaterThanOrEqual(maxBytes);
  });
});

test('a deleted key stays deleted for a broker that knows its value, though answers are lost', async () => {
  const world = new World();
  const { log } = await world.openTab({ clock: new ManualClock() }); // which stands still
  await log.admin.createTopics([topic('t', { cleanup: 'compact', deleteRetentionMs: HOUR_MS })]);
  await log.producer().send('t', { key: 'k', value: 'a' });
  const other = await world.openTab();
  await other.log.producer().send('t', { key: 'k', value: null });
  for (let round = 0; round < 40; round++) {
    const [ofTheClock, ofTheRewrite] = [{}, { error: unknown, stored: true }];
    other.connection.failNext(ofTheClock, ofTheRewrite);
    await world.pass(round === 0 ? SOON_MS : 300_000);
  }
  await other.log.producer().send('t', { key: 'last', value: 'z' });
  await settle();
  const [first] = await take(log.consumer({ topics: ['t'], from: 'earliest' }), 1);
  expect(first!.offset).toBe(2);
});

test('a read of the topics that hangs is not in the way of appends', async () => {
  const { world, log, connection } = await openTab();
  await log.admin.createTopics(['t']);
  const producer = log.producer();
  await producer.send('t', { value: 'a' });
  await settle();
  const [ofTheLog, ofTheTopics] = [{}, { until: new Promise<void>(() => {}) }];
  connection.failNextRead(ofTheLog, ofTheTopics);
  await world.pass(SOON_MS);
  expect(await producer.send('t', { value: 'b' })).toMatchObject({ offset: 1 });
});
