import { describe, expect, test } from 'vitest';
import {
  CLOSED,
  STORAGE_BLOCKED,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
} from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { batch, errorOf, valuesOf } from '../support/broker-fixture.ts';
import { FaultStore } from '../support/fault-store.ts';
import { idle } from '../support/waiting.ts';
import { log, orders, shop, stored, useShop } from './shop.ts';

const gone = new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database');

useShop();

describe('a connection that the browser closed', () => {
  test('is opened anew, once, and the call succeeds', async () => {
    shop.connection.close(gone);
    expect(await shop.append(orders, 'a')).toBe(0);
    expect(shop.connections).toHaveLength(2);
  });

  test('under a write that was not stored: the write is made again', async () => {
    shop.connection.failNext({ error: gone, closes: gone });
    expect(await shop.append(orders, 'a')).toBe(0);
    expect(await stored()).toEqual(['a']);
    expect(shop.connections).toHaveLength(2);
  });

  test('is opened anew for any call', async () => {
    const calls: (() => Promise<unknown>)[] = [
      () => shop.broker.listTopics(),
      () => shop.broker.describeTopics(['orders']),
      () => shop.broker.describeLog(),
      () => shop.create('other'),
      () => shop.offset(orders, 'latest'),
      () => shop.fetch(orders),
      () => shop.broker.alterTopics([{ name: 'orders', config: { maxRecordBytes: 10 } }]),
      () => shop.broker.createPartitions([{ name: 'orders', partitions: 2 }]),
      () => shop.broker.deleteTopics(['other']),
    ];
    for (const call of calls) {
      await shop.broker.listTopics();
      shop.connection.close(gone);
      await call();
    }
    expect(shop.connections).toHaveLength(calls.length + 1);
  });

  test('is opened once for all who find it closed', async () => {
    shop.connection.close(gone);
    await Promise.all([shop.append(orders, 'a'), shop.fetch(orders), shop.broker.listTopics()]);
    expect(shop.connections).toHaveLength(2);
  });

  test('and that closes again is told to the caller, and works at the next call', async () => {
    let opened = 0;
    const flaky = log.broker({
      openStore: async () => {
        const store = log.connect();
        if (opened++ < 2) store.failNext({ error: gone, closes: gone });
        return store;
      },
    });
    expect(await flaky.produce(orders, batch('a'))).toMatchObject({
      error: { ...STORAGE_UNAVAILABLE },
    });
    expect(await flaky.append(orders, 'b')).toBe(0);
  });

  test('because it did not answer in time is not opened anew for who has waited for that', async () => {
    const silent = new TablogError(STORAGE_TIMEOUT, 'the database does not answer');
    shop.connection.failNextRead({ error: silent, closes: silent });
    expect(await errorOf(shop.broker.describeLog())).toMatchObject({ code: 'STORAGE_TIMEOUT' });
    expect(shop.connections).toHaveLength(1);
    await shop.broker.describeLog();
    shop.connection.failNext({ error: silent, closes: silent });
    expect(await shop.produce(orders, batch('a'))).toMatchObject({
      error: { code: 'STORAGE_TIMEOUT' },
    });
    expect(await shop.append(orders, 'a')).toBe(0);
  });

  test('before it was even handed over is opened anew', async () => {
    let opened = 0;
    const late = log.broker({
      openStore: async () => {
        const store = log.connect();
        if (opened++ === 0) store.close(gone);
        return store;
      },
    });
    expect(await late.append(orders, 'a')).toBe(0);
  });

  test('under a read is opened anew, and the read is made again', async () => {
    await shop.append(orders, 'a');
    const reader = log.broker();
    const calls: (() => Promise<unknown>)[] = [
      () => reader.readAll(orders),
      () => reader.offset(orders, 'latest'),
      () => reader.broker.describeTopics(['orders']),
      () => reader.append(orders, 'b'),
    ];
    // The first read of each is that of the topics, the second that of the partition.
    for (const faults of [[], [{}]]) {
      for (const call of calls.slice(0, faults.length === 0 ? 4 : 3)) {
        await reader.broker.deleteTopics([]); // forgets what it knows of topics
        const { length } = reader.connections;
        reader.connection.failNextRead(...faults, { error: gone, closes: gone });
        await call();
        expect(reader.connections).toHaveLength(length + 1);
      }
    }
  });

  test('is not opened again by a broker that was closed', async () => {
    shop.broker.close();
    await expect(shop.broker.listTopics()).rejects.toMatchObject({ code: CLOSED.code });
    expect(shop.connections).toHaveLength(1);
  });

  test('lets a fetch that waits go on waiting on the new one', async () => {
    const fetched = shop.fetch(orders, { maxWaitMs: 1_000 });
    await idle();
    shop.connection.close(gone);
    await idle();
    expect(shop.connections).toHaveLength(2);
    await shop.append(orders, 'a');
    expect(valuesOf(await fetched)).toEqual(['a']);
  });

  test('does not make a fetch wait longer than it asked for', async () => {
    let answered = false;
    void shop.fetch(orders, { maxWaitMs: 1_000 }).then(() => (answered = true));
    await idle();
    log.clock.advance(900);
    shop.connection.close(gone);
    await idle();
    log.clock.advance(100);
    await idle();
    expect(answered).toBe(true);
  });

  test('and whose database is another one now is not taken for the old one', async () => {
    await shop.append(orders, 'a', 'b');
    const other = openMemoryStore();
    let store = log.store;
    const moved = log.broker({ openStore: async () => new FaultStore(store) });
    expect(await moved.readAll(orders)).toEqual(['a', 'b']);
    store = other;
    moved.connection.close(gone);
    const deleted = { code: 'CLOSED', details: { reason: 'deleted' } };
    expect(await errorOf(moved.append(orders, 'c'))).toMatchObject(deleted);
    expect(await errorOf(moved.readAll(orders))).toMatchObject(deleted);
  });
});

test('an open that fails is told to who asked, and tried again by the next', async () => {
  let attempts = 0;
  const blocked = log.broker({
    openStore: async () => {
      if (++attempts === 1) throw new TablogError(STORAGE_BLOCKED, 'it did not open');
      return log.store;
    },
  });
  await expect(blocked.broker.listTopics()).rejects.toMatchObject({ ...STORAGE_BLOCKED });
  expect(await blocked.broker.listTopics()).toHaveLength(1);
});
