import { beforeEach, describe, expect, test } from 'vitest';
import type { FetchPartition, FetchedPartition } from '../../src/protocol/fetch.ts';
import { batch, errorOf, found, valuesOf, want } from '../support/broker-fixture.ts';
import type { TestBroker } from '../support/broker-fixture.ts';
import { idle } from '../support/waiting.ts';
import { log, orders, shop, useShop } from './shop.ts';

let fetchId = 0;

useShop(40);
beforeEach(() => {
  fetchId = 0;
});

interface Ask {
  readonly epoch: number;
  readonly join?: readonly FetchPartition[];
  readonly forget?: readonly number[];
  readonly maxWaitMs?: number;
  readonly maxBytes?: number;
  readonly through?: TestBroker;
}

/** The next fetch of the session 1. */
function ask({
  epoch,
  join = [],
  forget = [],
  through = shop,
  ...rest
}: Ask): Promise<FetchedPartition[]> {
  const session = {
    id: 1,
    epoch,
    forget: forget.map((partition) => ({ topicId: orders.id, partition })),
  };
  const common = { clientId: 'tab', fetchId: ++fetchId, maxWaitMs: 60_000 };
  return through.broker.fetch({ ...common, ...rest, session, partitions: join });
}

const at = (partition: number, offset = 0): FetchPartition => want(orders, { partition, offset });

async function append(partition: number, ...values: string[]): Promise<void> {
  await shop.produce(orders, batch(...values), { partition });
}

test('a partition that joined is waited for by all fetches that follow', async () => {
  const first = ask({ epoch: 0, join: [at(0), at(1)] });
  const second = ask({ epoch: 1, join: [at(2)] });
  expect(await first).toEqual([]); // at once, because another one came
  await append(1, 'a');
  const [part] = await second;
  expect(part).toMatchObject({ partition: 1, offset: 0 });
  expect(valuesOf(part)).toEqual(['a']);
});

test('a partition that was answered is waited for again when it has joined again', async () => {
  await append(0, 'a');
  expect(await ask({ epoch: 0, join: [at(0), at(1)] })).toHaveLength(1);
  const waits = ask({ epoch: 1 });
  await append(0, 'b');
  await append(1, 'c');
  expect((await waits).map(({ partition }) => partition)).toEqual([1]);
  const [part] = await ask({ epoch: 2, join: [at(0, 1)] });
  expect(valuesOf(part)).toEqual(['b']);
});

test('one that was forgotten is not answered, and one that has sought is answered from there', async () => {
  await append(0, 'a', 'b');
  await append(1, 'c');
  const found = await ask({ epoch: 0, join: [at(2)], maxWaitMs: 0 });
  expect(found).toEqual([]);
  const first = ask({ epoch: 1, join: [at(0, 2), at(1, 1), at(3)] });
  const second = ask({ epoch: 2, join: [at(1, 0)], forget: [0], maxWaitMs: 0 });
  await append(0, 'd');
  const parts = [...(await first), ...(await second)]; // whichever was looked for after the change
  expect(parts.map(({ partition, offset }) => [partition, offset])).toEqual([[1, 0]]);
});

describe('FETCH_SESSION_ID_NOT_FOUND', () => {
  test.each([
    ['a session that was never begun', 3],
    ['a fetch that was sent twice', 1],
  ])('of %s', async (_, epoch) => {
    await ask({ epoch: 0, join: [at(0)], maxWaitMs: 0 });
    await ask({ epoch: 1, maxWaitMs: 0 });
    const { code, retriable } = await errorOf(ask({ epoch }));
    expect([code, retriable]).toEqual(['FETCH_SESSION_ID_NOT_FOUND', true]);
  });

  test('of a session that was ended, whose fetch is answered at once', async () => {
    const waits = ask({ epoch: 0, join: [at(0)] });
    await idle();
    await shop.broker.cancelFetch({ clientId: 'tab', fetchId: 1 });
    expect(await waits).toEqual([]);
    expect((await errorOf(ask({ epoch: 1 }))).code).toBe('FETCH_SESSION_ID_NOT_FOUND');
  });

  test('of a client that was forgotten', async () => {
    const waits = ask({ epoch: 0, join: [at(0)] });
    await idle();
    shop.broker.forget('tab');
    expect(await waits).toEqual([]);
    expect((await errorOf(ask({ epoch: 1 }))).code).toBe('FETCH_SESSION_ID_NOT_FOUND');
  });
});

describe('maxBytes', () => {
  const value = 'x'.repeat(1000);
  const bytesOf = (parts: readonly FetchedPartition[]): number =>
    parts
      .flatMap((part) => found(part).segments)
      .reduce((sum, { byteLength }) => sum + byteLength, 0);

  test.each([
    ['from memory', true],
    ['from the store', false],
  ])('bounds all partitions together, but for one batch: %s', async (_, isRemembered) => {
    const all = Array.from({ length: 40 }, (_, partition) => partition);
    for (const partition of all) await append(partition, value);
    const through = isRemembered ? shop : log.broker();
    const join = all.map((partition) => at(partition));
    const seen = new Set<number>();
    for (let epoch = 0; seen.size < 40; epoch++) {
      const parts = await ask({ epoch, through, maxBytes: 5000, ...(epoch === 0 && { join }) });
      expect(bytesOf(parts)).toBeLessThanOrEqual(5000 + 1100);
      expect(parts.length).toBeGreaterThan(0);
      for (const { partition } of parts) seen.add(partition);
    }
  });

  test('leaves each its turn: what is in memory does not keep out what has to be read', async () => {
    const other = log.broker({ name: 'out-of-earshot' });
    await other.broker.listTopics();
    await other.produce(orders, batch('on disk'), { partition: 0 });
    await append(1, value);
    const order: number[] = [];
    let join = [at(1), at(0)];
    for (let epoch = 0; epoch < 4; epoch++) {
      const parts = await ask({ epoch, maxBytes: 1, join });
      order.push(...parts.map(({ partition }) => partition));
      join = parts.map((part) => at(part.partition, found(part).nextOffset));
      await append(1, value);
    }
    expect(order).toEqual([1, 0, 1, 1]);
  });

  test('however small brings a batch', async () => {
    await append(0, value);
    expect(await ask({ epoch: 0, maxBytes: 1, join: [at(0)] })).toHaveLength(1);
  });
});

test('many partitions that are waited for are looked at by their heads, when the wait ends', async () => {
  const all = Array.from({ length: 40 }, (_, partition) => at(partition));
  const waits = ask({ epoch: 0, join: all, maxWaitMs: 1000 });
  await idle();
  const other = log.broker({ name: 'out-of-earshot' });
  await other.broker.listTopics();
  await other.produce(orders, batch('unheard'), { partition: 17 });
  log.clock.advance(1000);
  expect((await waits).map(({ partition }) => partition)).toEqual([17]);
});

test('a topic that is deleted is told, and what is left is waited for', async () => {
  const gone = await shop.create('gone');
  const waits = ask({ epoch: 0, join: [at(0), want(gone)] });
  await idle();
  await shop.broker.deleteTopics(['gone']);
  expect(await waits).toMatchObject([{ topicId: gone.id, error: { code: 'UNKNOWN_TOPIC' } }]);
  const rest = ask({ epoch: 1 });
  await append(0, 'a');
  expect(valuesOf((await rest)[0])).toEqual(['a']);
});
