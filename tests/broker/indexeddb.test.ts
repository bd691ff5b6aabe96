import { beforeEach, describe, expect, test } from 'vitest';
import { openIdbStore } from '../../src/store/idb-store.ts';
import { poolRef } from '../../src/store/schema.ts';
import { stubIndexedDb } from '../store/fake-indexeddb.ts';
import { batch, baseOffset, errorOf, openTestLog } from '../support/broker-fixture.ts';
import type { TestBroker, TestLog } from '../support/broker-fixture.ts';

stubIndexedDb();

// Each broker with a connection of its own to one database, as the workers of several tabs have.
let log: TestLog;
let one: TestBroker;
let other: TestBroker;
beforeEach(() => {
  log = openTestLog();
  const openStore = () => openIdbStore(log.name);
  [one, other] = [log.broker({ openStore }), log.broker({ openStore })];
});

const poolSize = async (): Promise<number> => (await one.connection.read([poolRef]))[0]!.size;

describe('brokers over one database', () => {
  test('share what they append', async () => {
    const topic = await one.create('orders', 2);
    const appends = Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? one : other).produce(topic, batch(String(i)), {
        partition: i % 3 === 0 ? 1 : 0,
      }),
    );
    const offsets = (await Promise.all(appends)).map(baseOffset);
    for (const partition of [0, 1]) {
      const mine = offsets.filter((_, i) => (i % 3 === 0 ? 1 : 0) === partition);
      expect(mine.toSorted((a, b) => a - b)).toEqual(mine.map((_, i) => i));
      const values = await one.readAll(topic, { partition });
      expect(values).toHaveLength(mine.length);
      expect(await other.readAll(topic, { partition })).toEqual(values);
    }
  });

  test('go on when one of them extends the pool', async () => {
    const topic = await other.create('orders');
    await other.append(topic, 'a');
    const many = await one.create('many', 100);
    expect(await poolSize()).toBe(128);
    expect(await other.append(topic, 'b')).toBe(1);
    await other.produce(many, batch('x'), { partition: 99 });
    expect(await one.readAll(many, { partition: 99 })).toEqual(['x']);
    expect(await one.readAll(topic)).toEqual(['a', 'b']);
  });

  test('go on when the same broker extends the pool and appends', async () => {
    const topic = await one.create('orders');
    const values = Array.from({ length: 20 }, (_, i) => String(i));
    await Promise.all([
      one.create('many', 100),
      ...values.map((value) => one.append(topic, value)),
    ]);
    expect(await one.readAll(topic)).toEqual(values);
    expect(one.connections).toHaveLength(1);
  });

  test('extend the pool for two topics at once', async () => {
    const [a, b] = await Promise.all([one.create('a', 60), one.create('b', 60)]);
    await one.produce(a, batch('a'), { partition: 59 });
    await one.produce(b, batch('b'), { partition: 59 });
    expect(await other.readAll(a, { partition: 59 })).toEqual(['a']);
    expect(await other.readAll(b, { partition: 59 })).toEqual(['b']);
  });

  test('find a new log where the database was deleted under them', async () => {
    const topic = await one.create('orders');
    await one.append(topic, 'a');
    const { logId } = await one.broker.describeLog();
    await new Promise((resolve) => {
      indexedDB.deleteDatabase(`tablog/${log.name}`).addEventListener('success', resolve);
    });
    expect((await one.broker.describeLog()).logId).not.toBe(logId);
    expect(await errorOf(one.append(topic, 'b'))).toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(await errorOf(one.readAll(topic))).toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });
});
