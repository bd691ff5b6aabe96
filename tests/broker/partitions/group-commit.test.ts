import { beforeEach, describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { SEGMENT_BYTES } from '../../../src/log/segment.ts';
import { baseOffset, batch } from '../../support/broker-fixture.ts';
import { idle } from '../../support/waiting.ts';
import { log, orders, shop, useShop } from '../shop.ts';

useShop(4);
beforeEach(async () => {
  await shop.append(orders, 'first');
  shop.connection.updates.length = 0;
});

/** Holds the next transaction back, and with it all that comes after. */
function holdNext(): () => void {
  const gate = deferred();
  shop.connection.failNext({ until: gate.promise });
  return () => gate.resolve();
}

describe('group commit', () => {
  test('takes all that arrive during a transaction into the next one', async () => {
    const release = holdNext();
    const one = shop.append(orders, 'a');
    await idle();
    const more = Array.from({ length: 20 }, (_, i) => shop.append(orders, String(i)));
    const elsewhere = shop.produce(orders, batch('b'), { partition: 3 });
    await idle();
    expect(shop.connection.updates).toHaveLength(1);
    release();
    expect(await one).toBe(1);
    expect(await Promise.all(more)).toEqual(Array.from({ length: 20 }, (_, i) => i + 2));
    expect(baseOffset(await elsewhere)).toBe(0);
    expect(shop.connection.updates).toHaveLength(2);
  });

  test('stores what it holds for a partition as one row', async () => {
    const release = holdNext();
    const first = shop.append(orders, 'a');
    await idle();
    const appends = Array.from({ length: 10 }, (_, i) => shop.append(orders, String(i)));
    release();
    await Promise.all([first, ...appends]);
    const [described] = await shop.broker.describeTopics(['orders']);
    expect(described!.partitions[0]).toMatchObject({ endOffset: 12, segments: 3 });
  });

  test('begins a new row at SEGMENT_BYTES', async () => {
    const release = holdNext();
    const value = 'x'.repeat(SEGMENT_BYTES / 4);
    const first = shop.append(orders, 'a');
    await idle();
    const appends = Array.from({ length: 8 }, () => shop.append(orders, value));
    release();
    await Promise.all([first, ...appends]);
    const [described] = await shop.broker.describeTopics(['orders']);
    // Three such batches fit in a row: their headers keep the fourth out.
    expect(described!.partitions[0]).toMatchObject({ endOffset: 10, segments: 2 + 3 });
    const lengths = (await log.broker().readAll(orders)).map(({ length }) => length);
    expect(lengths).toEqual([5, 1, ...Array.from({ length: 8 }, () => value.length)]);
  });

  test('bounds what one transaction takes', async () => {
    const big = await shop.create('big', 1, { maxRecordBytes: 8 * 1024 * 1024 });
    shop.connection.updates.length = 0;
    const release = holdNext();
    const first = shop.append(big, 'first');
    await idle();
    const value = 'x'.repeat(3 * 1024 * 1024);
    const appends = Array.from({ length: 5 }, () => shop.append(big, value));
    await idle();
    release();
    expect(await Promise.all([first, ...appends])).toEqual([0, 1, 2, 3, 4, 5]);
    // 8 MiB a transaction: two of them, two, and one.
    expect(shop.connection.updates).toHaveLength(4);
  });

  test('is strict where one of its appends asks for it', async () => {
    const release = holdNext();
    const first = shop.append(orders, 'a');
    await idle();
    const appends = (['relaxed', 'strict', 'relaxed'] as const).map((durability) =>
      shop.produce(orders, batch('b'), { durability }),
    );
    await idle();
    release();
    await Promise.all([first, ...appends]);
    await shop.append(orders, 'c');
    expect(shop.connection.updates).toEqual(['relaxed', 'strict', 'relaxed']);
  });

  test('fails the appends of a topic that was deleted meanwhile, and stores the others', async () => {
    const audit = await shop.create('audit');
    const release = holdNext();
    const first = shop.append(orders, 'a');
    await idle();
    const doomed = shop.produce(audit, batch('x'));
    const other = shop.append(orders, 'b');
    await idle();
    await log.broker({ name: 'out-of-earshot' }).broker.deleteTopics(['audit']);
    release();
    expect(await doomed).toMatchObject({ error: { code: 'UNKNOWN_TOPIC' } });
    expect(await Promise.all([first, other])).toEqual([1, 2]);
  });

  test('tells two topics apart that had the same store one after the other', async () => {
    const old = await shop.create('old');
    const release = holdNext();
    const first = shop.append(orders, 'a');
    await idle();
    const doomed = shop.produce(old, batch('old'));
    await idle();
    const other = log.broker({ name: 'out-of-earshot' });
    await other.broker.deleteTopics(['old']);
    // The pool gives stores out from its front: take all, so that the old one's is among them.
    const made = await other.create('new', 60);
    const appends = Array.from({ length: 60 }, (_, partition) =>
      shop.produce(made, batch('new'), { partition }),
    );
    await idle();
    release();
    await first;
    expect(await doomed).toMatchObject({ error: { code: 'UNKNOWN_TOPIC' } });
    expect((await Promise.all(appends)).map(baseOffset)).toEqual(appends.map(() => 0));
    for (let partition = 0; partition < 60; partition++) {
      expect(await shop.readAll(made, { partition })).toEqual(['new']);
    }
  });
});

test('appends that are stored when the broker is closed are acknowledged', async () => {
  log.clock.advance(1_000); // no hint is due any more
  const release = holdNext();
  const append = shop.append(orders, 'a');
  await idle();
  shop.broker.close();
  release();
  expect(await append).toBe(1);
});
