import { describe, expect, test } from 'vitest';
import { deferred } from '../../src/base/deferred.ts';
import { topic } from '../../src/index.ts';
import { headRef } from '../../src/log/head.ts';
import type { Log, TopicLike, TopicOptions } from '../../src/index.ts';
import { PRODUCERS, partitionStore } from '../../src/store/schema.ts';
import type { FaultStore } from '../support/fault-store.ts';
import { offsetsOf, readAll, texts } from '../support/log-fixture.ts';
import { World } from '../support/world.ts';
import type { Tab } from '../support/world.ts';
import { settle } from '../support/waiting.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;

const KIB = 'x'.repeat(1024);

/** A log in a tab, which is cleaned as its broker's clock is moved. */
class Tended extends World {
  #tab!: Tab;

  static async open(...topics: readonly TopicLike[]): Promise<Tended> {
    const tended = new Tended();
    tended.#tab = await tended.openTab({}, ...topics);
    return tended;
  }

  get log(): Log {
    return this.#tab.log;
  }

  /** The connection of the broker of `log`. */
  get connection(): FaultStore {
    return this.#tab.connection;
  }

  /** Records of the clock's time, one row each. */
  async send(to: TopicLike, ...values: readonly (string | null)[]): Promise<void> {
    const producer = this.log.producer();
    for (const value of values) {
      await producer.send(to as string, { key: 'k', value, timestamp: this.clock.now() });
    }
  }

  /** The next round, at the present time but for the minutes until it is due. */
  async round(): Promise<void> {
    await this.pass(5 * MINUTE_MS);
  }

  async range(of: TopicLike): Promise<readonly [start: number, end: number]> {
    const [{ partitions }] = await this.log.admin.describeTopics([of]);
    return [partitions[0]!.startOffset, partitions[0]!.endOffset];
  }

  async rows(of: TopicLike): Promise<number> {
    return (await this.log.admin.describeTopics([of]))[0].partitions[0]!.segments;
  }

  async bytes(of: TopicLike): Promise<number> {
    return (await this.log.admin.describeTopics([of]))[0].partitions[0]!.bytes;
  }
}

function orders(options: TopicOptions<Uint8Array, Uint8Array> = {}): TopicLike {
  return topic('orders', options);
}

/** Ten rows of a KiB each. */
const TEN = Array.from({ length: 10 }, () => KIB);

/** Ten rows that are large enough for the time index to tell some of them apart. */
const LARGE = Array.from({ length: 10 }, () => 'x'.repeat(100_000));

describe('retention', () => {
  test('without bounds, everything stays', async () => {
    const tended = await Tended.open(orders());
    await tended.send('orders', ...TEN);
    for (let day = 0; day < 100; day++) await tended.pass(DAY_MS);
    expect(await tended.range('orders')).toEqual([0, 10]);
  });

  test('by ms: what is older goes, rows and all, and what is not stays', async () => {
    const tended = await Tended.open(orders({ retention: { ms: HOUR_MS } }));
    await tended.send('orders', 'a', 'b');
    await tended.pass(HOUR_MS - 10 * MINUTE_MS);
    await tended.round();
    await tended.send('orders', 'c');
    expect(await tended.range('orders')).toEqual([0, 3]);
    await tended.pass(2 * HOUR_MS);
    expect(await tended.range('orders')).toEqual([3, 3]);
    expect(await tended.rows('orders')).toBe(0);
    expect(await tended.bytes('orders')).toBe(0);
    await tended.send('orders', 'd');
    expect(texts(await readAll(tended.log, 'orders'))).toEqual(['d']);
  });

  test('by ms: part of a partition', async () => {
    const tended = await Tended.open(orders({ retention: { ms: DAY_MS } }));
    await tended.send('orders', ...LARGE, ...LARGE);
    await tended.pass(DAY_MS - HOUR_MS);
    await tended.send('orders', ...LARGE);
    await tended.pass(2 * HOUR_MS);
    const [start] = await tended.range('orders');
    expect(start).toBeGreaterThan(0);
    expect(start).toBeLessThanOrEqual(20);
  });

  test('by bytes: at least as many stay, and less than a row more', async () => {
    const tended = await Tended.open(orders({ retention: { ms: null, bytes: 5_000 } }));
    await tended.send('orders', ...TEN);
    const row = (await tended.bytes('orders')) / 10;
    await tended.pass(10_000);
    expect(await tended.bytes('orders')).toBeGreaterThanOrEqual(5_000);
    expect(await tended.bytes('orders')).toBeLessThan(5_000 + row);
    expect(texts(await readAll(tended.log, 'orders'))).toHaveLength(5);
  });

  test('by both: whichever is reached first', async () => {
    const tended = await Tended.open(orders({ retention: { ms: HOUR_MS, bytes: 5_000 } }));
    await tended.send('orders', ...TEN);
    await tended.pass(10_000);
    expect(await tended.range('orders')).toEqual([5, 10]);
    await tended.pass(2 * HOUR_MS);
    expect(await tended.range('orders')).toEqual([10, 10]);
  });

  test('a change of it counts from the next round on', async () => {
    const tended = await Tended.open(orders());
    await tended.send('orders', ...TEN);
    await tended.pass(10_000);
    await tended.log.admin.alterTopics([
      { topic: 'orders', config: { retention: { bytes: 5_000 } } },
    ]);
    await tended.round();
    expect(await tended.range('orders')).toEqual([5, 10]);
  });

  test('of a compacted topic it takes nothing', async () => {
    const bounds = { ms: HOUR_MS, bytes: 10 };
    const tended = await Tended.open(orders({ cleanup: 'compact', retention: bounds }));
    await tended.send('orders', 'a', 'b');
    await tended.pass(2 * HOUR_MS);
    expect(await tended.range('orders')).toEqual([0, 2]);
  });

  test("'compact,delete' does both", async () => {
    const tended = await Tended.open(
      orders({ cleanup: 'compact,delete', retention: { ms: DAY_MS } }),
    );
    await tended.send('orders', 'a'.repeat(100), 'b');
    const before = await tended.bytes('orders');
    await tended.pass(10_000);
    expect(await tended.range('orders')).toEqual([0, 2]);
    expect(await tended.bytes('orders')).toBeLessThan(before - 100);
    await tended.pass(2 * DAY_MS);
    expect(await tended.range('orders')).toEqual([2, 2]);
  });
});

describe('a record that is ahead of the clock', () => {
  const keptMs = 2 * HOUR_MS;

  test.each(['disk', 'memory'] as const)('goes by when it was first seen: %s', async (storage) => {
    const tended = await Tended.open(orders({ storage, retention: { ms: keptMs } }));
    const timestamp = tended.clock.now() + YEAR_MS;
    await tended.log.producer().send('orders', { value: 'of next year', timestamp });
    await tended.send('orders', 'a', 'b');
    await tended.pass(10_000);
    await tended.pass(keptMs - MINUTE_MS);
    expect(await tended.range('orders')).toEqual([0, 3]);
    // It is still found by its time.
    const later = new Date(timestamp - DAY_MS);
    expect(offsetsOf(await tended.log.admin.listOffsets([{ topic: 'orders', at: later }]))).toEqual(
      [0],
    );
    await tended.pass(10 * MINUTE_MS);
    await tended.round();
    expect(await tended.range('orders')).toEqual([3, 3]);
  });

  test('by ms: at once when asked for, without a wait for the next round', async () => {
    const aged = topic('aged', { partitions: 1, retention: { ms: HOUR_MS } });
    const log = await Tended.open(aged);
    await log.send(aged, KIB, KIB);
    log.clock.advance(10_000); // the round that the appends bring forward
    await log.pass(0);
    log.clock.sleep(2 * HOUR_MS);
    await log.passing(log.log.admin.runLogCleaner());
    expect(await log.range(aged)).toEqual([2, 2]);
  });

  test('does not take along what is stored after it was seen', async () => {
    const tended = await Tended.open(orders({ retention: { ms: keptMs } }));
    const timestamp = tended.clock.now() + YEAR_MS;
    await tended.log.producer().send('orders', { value: 'of next year', timestamp });
    await tended.pass(10_000);
    await tended.pass(keptMs - MINUTE_MS);
    await tended.send('orders', 'young');
    await tended.pass(10 * MINUTE_MS);
    await tended.round();
    expect(await tended.range('orders')).toEqual([0, 2]);
    await tended.pass(keptMs);
    await tended.round();
    expect(await tended.range('orders')).toEqual([2, 2]);
  });

  test('that was stored by an older build goes, too', async () => {
    const tended = await Tended.open(orders());
    const timestamp = tended.clock.now() + YEAR_MS;
    await tended.log.producer().send('orders', { value: 'of next year', timestamp });
    await tended.pass(DAY_MS);
    const [head] = await tended.store.read([headRef(partitionStore(0))]);
    expect(head!.timeIndex).not.toHaveProperty('aheadSince'); // as older builds have it
    await tended.log.admin.alterTopics([
      { topic: 'orders', config: { retention: { ms: keptMs } } },
    ]);
    await tended.round();
    await tended.pass(keptMs + MINUTE_MS);
    await tended.round();
    expect(await tended.range('orders')).toEqual([1, 1]);
  });

  test.each([8 * HOUR_MS, 20 * DAY_MS, 16 * YEAR_MS])(
    'is none where the clock was set back by %i ms: when it is right again, all is there',
    async (ms) => {
      const tended = await Tended.open(orders({ retention: { ms: keptMs } }));
      await tended.send('orders', ...LARGE);
      await tended.pass(10_000);
      tended.clock.sleep(-ms);
      for (let i = 0; i < 20; i++) await tended.round(); // long enough for it to be believed
      tended.clock.sleep(ms);
      for (let i = 0; i < 3; i++) await tended.round();
      const [start] = await tended.range('orders');
      expect(start).toBe(0);
    },
  );
});

describe('protectUncommitted', () => {
  test('keeps what a group has not read', async () => {
    const retention = { ms: HOUR_MS, bytes: 1 };
    const tended = await Tended.open(orders({ retention, protectUncommitted: ['mail'] }));
    await tended.send('orders', ...TEN);
    await tended.pass(2 * HOUR_MS);
    expect(await tended.range('orders')).toEqual([0, 10]);
    const consumer = tended.log.consumer({ group: 'mail', topics: ['orders'], from: 'earliest' });
    for await (const message of consumer) {
      if (message.offset < 3) continue;
      await consumer.commit([{ topic: 'orders', partition: 0, offset: 4 }]);
      break;
    }
    await tended.round();
    expect((await tended.range('orders'))[0]).toBe(4);
  });

  test('keeps also what is protected while a pass is under way', async () => {
    const retention = { ms: null, bytes: 1 };
    const tended = await Tended.open(topic('first', { retention }), topic('second', { retention }));
    await tended.send('first', ...TEN);
    await tended.send('second', ...TEN);
    // The pass has looked at the topics, and is about to delete records of the first one.
    const gate = deferred();
    tended.connection.failNext({}, { until: gate.promise });
    const passed = tended.log.admin.runLogCleaner();
    await settle();
    const config = { protectUncommitted: ['mail'] };
    await tended.log.admin.alterTopics([{ topic: 'second', config }]);
    gate.resolve();
    await passed;
    expect((await tended.range('first'))[0]).toBeGreaterThan(0);
    expect(await tended.range('second')).toEqual([0, 10]);
  });
});

describe('the budget of the log', () => {
  test('takes from the largest, and not from compacted topics', async () => {
    const tended = await Tended.open(
      topic('large'),
      topic('small'),
      topic('state', { cleanup: 'compact' }),
    );
    await tended.send('large', ...TEN, ...TEN);
    await tended.send('small', ...TEN);
    for (let i = 0; i < 30; i++) {
      await tended.log.producer().send('state', { key: `k${i}`, value: KIB });
    }
    const state = await tended.bytes('state');
    const budget = state + (await tended.bytes('small')) + 5_000;
    await tended.log.admin.alterLog({ maxBytes: budget });
    expect((await tended.log.admin.describeLog()).maxBytes).toBe(budget);
    await tended.pass(10_000);
    expect(await tended.range('large')).toEqual([15, 20]);
    expect(await tended.range('small')).toEqual([0, 10]);
    expect(await tended.range('state')).toEqual([0, 30]);
    expect(await tended.bytes('state')).toBe(state);
  });

  test('null takes the bound away', async () => {
    const tended = await Tended.open(orders());
    await tended.log.admin.alterLog({ maxBytes: 1 });
    await tended.log.admin.alterLog({ maxBytes: null });
    await tended.send('orders', ...TEN);
    await tended.pass(10_000);
    expect(await tended.range('orders')).toEqual([0, 10]);
  });

  test.each([0, -1, Number.NaN, 1.5, Infinity])('maxBytes %s is refused', async (maxBytes) => {
    const { log } = await Tended.open();
    await expect(log.admin.alterLog({ maxBytes })).rejects.toThrow(
      new RangeError(`maxBytes must be an integer of at least 1, got ${maxBytes}`),
    );
    expect((await log.admin.describeLog()).maxBytes).toBeNull();
  });
});

test('a record of the future holds up nothing, deleted or not', async () => {
  for (const isDeleted of [false, true]) {
    const tended = await Tended.open(orders({ retention: { ms: DAY_MS } }));
    const { log, clock } = tended;
    const timestamp = clock.now() + 100 * YEAR_MS;
    await log.producer().send('orders', { value: KIB.repeat(64), timestamp });
    await tended.send('orders', ...TEN);
    if (isDeleted) await log.admin.deleteRecords([{ topic: 'orders', partition: 0, before: 1 }]);
    for (let days = 0; days < 3; days++) await tended.pass(DAY_MS);
    expect(await tended.range('orders')).toEqual([11, 11]);
  }
});

describe('a clock that jumps by years', () => {
  test('empties nothing when it is set right soon after', async () => {
    const tended = await Tended.open(orders({ retention: { ms: DAY_MS } }));
    await tended.send('orders', ...TEN);
    await tended.pass(10_000);
    await tended.pass(3 * YEAR_MS);
    for (let minutes = 0; minutes < 50; minutes += 5) await tended.round();
    await tended.pass(-3 * YEAR_MS);
    await tended.send('orders', 'last');
    for (let minutes = 0; minutes < 120; minutes += 5) await tended.round();
    expect(await tended.range('orders')).toEqual([0, 11]);
  });

  test('is believed after an hour', async () => {
    const tended = await Tended.open(orders({ retention: { ms: DAY_MS } }));
    await tended.send('orders', ...TEN);
    await tended.pass(10_000);
    await tended.pass(3 * YEAR_MS);
    expect(await tended.range('orders')).toEqual([0, 10]);
    for (let minutes = 0; minutes <= 65; minutes += 5) await tended.round();
    expect(await tended.range('orders')).toEqual([10, 10]);
  });

  test('back takes nothing', async () => {
    const tended = await Tended.open(orders({ retention: { ms: DAY_MS } }));
    await tended.send('orders', ...TEN);
    await tended.pass(10_000);
    await tended.pass(-3 * YEAR_MS);
    await tended.send('orders', 'last');
    for (let minutes = 0; minutes < 120; minutes += 5) await tended.round();
    expect(await tended.range('orders')).toEqual([0, 11]);
  });

  test('before the first round of a log empties nothing at once either', async () => {
    const tended = await Tended.open(orders({ retention: { ms: DAY_MS } }));
    await tended.send('orders', ...TEN);
    await tended.pass(3 * YEAR_MS);
    expect(await tended.range('orders')).toEqual([0, 10]);
  });

  test.each([
    ['retention', { retention: { ms: DAY_MS } }],
    ['compaction', { cleanup: 'compact' as const }],
  ])('amid a round empties nothing that is tended after it (%s)', async (_, options) => {
    const tended = await Tended.open(orders(options), topic('audit', options));
    for (const name of ['orders', 'audit']) await tended.send(name, ...TEN.slice(1), null);
    await tended.pass(10_000);
    await tended.round();
    const before = [await tended.bytes('orders'), await tended.bytes('audit')];

    // The round has looked at the clock, and then at one topic for as long as the jump lasts.
    const jump = deferred();
    tended.connection.failNextRead({}, {}, { until: jump.promise });
    await tended.round();
    await tended.pass(3 * YEAR_MS);
    jump.resolve();
    for (let pauses = 0; pauses < 50; pauses++) await tended.pass(250);
    await tended.pass(-3 * YEAR_MS);
    for (let minutes = 0; minutes < 30; minutes += 5) await tended.round();
    expect([await tended.bytes('orders'), await tended.bytes('audit')]).toEqual(before);
  });

  test('does not take tombstones at once', async () => {
    const tended = await Tended.open(orders({ cleanup: 'compact' }));
    await tended.send('orders', 'a', null);
    await tended.pass(10_000);
    const before = await tended.bytes('orders');
    await tended.pass(3 * YEAR_MS);
    expect(await tended.bytes('orders')).toBe(before);
  });

  test('does not take transactional ids at once', async () => {
    const tended = await Tended.open(orders());
    const producer = tended.log.producer({ transactionalId: 'till' });
    await producer.transaction(async (tx) => tx.send('orders', { value: 'a' }));
    await tended.pass(10_000);
    await tended.pass(3 * YEAR_MS);
    await producer.transaction(async (tx) => tx.send('orders', { value: 'b' }));
    expect(texts(await readAll(tended.log, 'orders'))).toEqual(['a', 'b']);
  });
});

test('compaction goes on after what it had cleaned is deleted', async () => {
  const tended = await Tended.open(orders({ cleanup: 'compact', deleteRetentionMs: YEAR_MS }));
  const { log } = tended;
  const producer = log.producer();
  for (let i = 0; i < 20; i++) await producer.send('orders', { key: `k${i}`, value: KIB });
  await tended.pass(10_000);
  await log.admin.deleteRecords([{ topic: 'orders', partition: 0, before: 'latest' }]);
  await tended.round();
  for (let i = 0; i < 18; i++) await producer.send('orders', { key: 'one', value: KIB });
  await tended.round();
  expect(await tended.bytes('orders')).toBeLessThan(2 * 1100);
});

describe('tombstones', () => {
  test('stay for deleteRetentionMs, and then go', async () => {
    const tended = await Tended.open(orders({ cleanup: 'compact', deleteRetentionMs: HOUR_MS }));
    await tended.send('orders', 'a', null);
    await tended.pass(10_000);
    const withTombstone = await tended.bytes('orders');
    await tended.pass(HOUR_MS - MINUTE_MS);
    expect(await tended.bytes('orders')).toBe(withTombstone);
    await tended.round();
    expect(await tended.bytes('orders')).toBeLessThan(withTombstone);
    expect(await tended.range('orders')).toEqual([0, 2]);
  });
});

test('a deleted key does not come back from the memory of a broker that knows its value', async () => {
  const tended = await Tended.open(orders({ cleanup: 'compact', deleteRetentionMs: HOUR_MS }));
  await tended.send('orders', 'a');
  const { log: other } = await tended.openTab();
  await other.producer().send('orders', { key: 'k', value: null });
  await tended.pass(10_000);
  await tended.pass(2 * HOUR_MS);
  await other.producer().send('orders', { key: 'last', value: 'z' });
  const consumer = tended.log.consumer({ topics: ['orders'], from: 'earliest' });
  for await (const { offset } of consumer) {
    expect(offset).toBe(2);
    break;
  }
});

describe('transactional ids', () => {
  const ids = async ({ store }: Tended): Promise<number> => (await store.readAll(PRODUCERS)).length;

  test('expire when they were not used for 7 days', async () => {
    const tended = await Tended.open(orders());
    const producer = tended.log.producer({ transactionalId: 'till' });
    await producer.transaction(async (tx) => tx.send('orders', { value: 'a' }));
    await tended.pass(10_000);
    await tended.pass(7 * DAY_MS - HOUR_MS);
    expect(await ids(tended)).toBe(1);
    await tended.pass(2 * HOUR_MS);
    expect(await ids(tended)).toBe(0);
  });

  test('stay while they are used', async () => {
    const tended = await Tended.open(orders());
    const producer = tended.log.producer({ transactionalId: 'till' });
    for (let day = 0; day < 10; day++) {
      await producer.transaction(async (tx) => tx.send('orders', { value: String(day) }));
      await tended.pass(DAY_MS);
    }
    expect(await ids(tended)).toBe(1);
    await producer.transaction(async (tx) => tx.send('orders', { value: 'last' }));
    expect(texts(await readAll(tended.log, 'orders'))).toHaveLength(11);
  });
});

describe('rounds', () => {
  test('merge what was appended in many small rows', async () => {
    const tended = await Tended.open(orders());
    await tended.send('orders', ...Array.from({ length: 256 }, (_, i) => String(i)));
    await tended.pass(10_000);
    expect(await tended.rows('orders')).toBe(1);
    expect(texts(await readAll(tended.log, 'orders'))).toHaveLength(256);
  });

  test('end with the log: no timer is left', async () => {
    const tended = await Tended.open(orders());
    await tended.send('orders', 'a');
    expect(tended.clock.timers).toBeGreaterThan(0);
    await tended.log.close();
    await settle();
    expect(tended.clock.timers).toBe(0);
  });
});
