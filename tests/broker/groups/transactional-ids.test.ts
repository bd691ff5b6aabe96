import { randomId } from '../../../src/platform/random-id.ts';
import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import type { Request } from '../../../src/protocol/broker.ts';
import type {
  Append,
  ProducerIdentity,
  TransactionalHolder,
} from '../../../src/protocol/produce.ts';
import { MAX_PRODUCERS } from '../../../src/log/producer-state.ts';
import { PRODUCERS } from '../../../src/store/schema.ts';
import { batchOf, recordOf } from '../../support/batches.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { GROUP_ID, Member } from './group-fixture.ts';
import { log, orders, shop, stored, useShop } from '../shop.ts';

const lost = new TablogError(OUTCOME_UNKNOWN, 'the answer was lost');
const gone = new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database');

useShop(2);

/** Takes a transactional id, as a producer that is new. */
async function init(through = shop, transactionalId = 'billing'): Promise<ProducerIdentity> {
  const holder = randomId();
  let seen: TransactionalHolder | null = null;
  do seen = await through.broker.initProducer({ transactionalId, holder, seen });
  while (seen.holder !== holder);
  return { id: seen.id, epoch: seen.epoch };
}

interface Spec {
  readonly by?: ProducerIdentity;
  readonly sequence?: number;
  readonly partition?: number;
}

function appendOf(value: string, { by, sequence = 0, partition = 0 }: Spec): Append {
  const producer = by === undefined ? {} : { producer: { ...by, sequence } };
  const { buffer } = batchOf([recordOf({ value, timestamp: 1_000 })], producer);
  return { topicId: orders.id, partition, batch: buffer, compression: 'none' };
}

/** One transaction of a producer that has, or had, the transactional id. */
function transact(
  by: ProducerIdentity,
  appends: readonly Append[],
  {
    through = shop,
    ...rest
  }: { readonly through?: TestBroker } & Partial<Request<'transact'>> = {},
): Promise<readonly { readonly baseOffset: number }[]> {
  const producer = { transactionalId: 'billing', ...by };
  return through.broker.transact({
    appends,
    commits: [],
    durability: 'relaxed',
    producer,
    ...rest,
  });
}

const FENCED = { code: 'FENCED', retriable: false };

describe('a transactional id', () => {
  test('has an epoch more each time that it is taken', async () => {
    const first = await init();
    expect(first.epoch).toBe(0);
    expect(Number.isSafeInteger(first.id) && first.id >= 0).toBe(true);
    for (let epoch = 1; epoch < 4; epoch++) expect(await init()).toEqual({ ...first, epoch });
  });

  test('is the log’s: other brokers, and those that open it later, go on', async () => {
    const { id } = await init();
    expect(await init(log.broker())).toEqual({ id, epoch: 1 });
    shop.connection.close(gone);
    expect(await init()).toEqual({ id, epoch: 2 });
    expect(await init(log.broker())).toEqual({ id, epoch: 3 });
  });

  test('is nobody’s twice, however many take it at once', async () => {
    const brokers = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? shop : log.broker()));
    const taken = await Promise.all(brokers.map((broker) => init(broker)));
    expect(taken.map(({ epoch }) => epoch).toSorted((a, b) => a - b)).toEqual(
      brokers.map((_, i) => i),
    );
    expect(new Set(taken.map(({ id }) => id)).size).toBe(1);
  });

  test('has a producer id of its own', async () => {
    const [a, b] = [await init(shop, 'a'), await init(shop, 'b')];
    expect(a.id).not.toBe(b.id);
    expect([a.epoch, b.epoch]).toEqual([0, 0]);
    expect(await init(shop, 'a')).toEqual({ ...a, epoch: 1 });
  });

  test('has another producer id after epoch 32767', async () => {
    const { id } = await init();
    const [row] = await log.store.readAll<{ readonly transactionalId: string }>(PRODUCERS);
    await log.store.update([{ store: PRODUCERS, key: 'billing' }], (_, write) => {
      write.put(PRODUCERS, 'billing', { ...row, epoch: 32_766 });
    });
    const last = await init();
    expect(last).toEqual({ id, epoch: 32_767 });
    const next = await init();
    expect(next.epoch).toBe(0);
    expect(next.id).not.toBe(id);
    expect(await errorOf(transact(last, [appendOf('a', { by: last })]))).toMatchObject(FENCED);
    await transact(next, [appendOf('b', { by: next })]);
    expect(await stored()).toEqual(['b']);
  });

  test('is not skipped where nothing was stored', async () => {
    const { id } = await init();
    shop.connection.failNext({ error: gone });
    expect((await errorOf(init())).code).toBe('STORAGE_UNAVAILABLE');
    expect(await init()).toEqual({ id, epoch: 1 });
  });
});

describe('who asks for the id', () => {
  const ask = (holder: string, seen: TransactionalHolder | null): Promise<TransactionalHolder> =>
    shop.broker.initProducer({ transactionalId: 'billing', holder, seen });

  test('gets it where it knows who has it, and else is told', async () => {
    const a = await ask('a', null);
    expect(a).toMatchObject({ epoch: 0, holder: 'a' });
    expect(await ask('b', null)).toEqual(a);
    const b = await ask('b', a);
    expect(b).toEqual({ id: a.id, epoch: 1, holder: 'b' });
    expect(await ask('c', a)).toEqual(b); // late
    expect(await ask('b', b)).toEqual({ id: a.id, epoch: 2, holder: 'b' }); // it is renewed
  });

  test('once more gets the same', async () => {
    const a = await ask('a', null);
    expect(await ask('a', null)).toEqual(a);
    shop.connection.failNext({ error: lost, stored: true });
    expect((await errorOf(ask('a', a))).code).toBe('OUTCOME_UNKNOWN');
    const next = await ask('a', a);
    expect(next).toEqual({ ...a, epoch: 1 });
    expect(await ask('a', a)).toEqual(next);
    const b = await ask('b', next);
    expect(await ask('b', next)).toEqual(b);
  });

  test('to renew it is FENCED where another one has it', async () => {
    const a = await ask('a', null);
    await ask('b', a);
    expect(await errorOf(ask('a', a))).toMatchObject(FENCED);
  });
});

describe('who has the id no more is FENCED, and nothing is stored:', () => {
  test('records of several partitions, through any broker', async () => {
    const [first, second] = [await init(), await init(log.broker())];
    const both = [appendOf('a', { by: first }), appendOf('b', { by: first, partition: 1 })];
    for (const through of [shop, log.broker()]) {
      const error = await errorOf(transact(first, both, { through }));
      expect(error).toMatchObject({
        ...FENCED,
        details: { transactionalId: 'billing', epoch: first.epoch },
      });
      expect(error.message).toContain("'billing'");
    }
    expect(await stored()).toEqual([]);
    await transact(second, [appendOf('c', { by: second })]);
    expect(await errorOf(transact(first, both))).toMatchObject(FENCED);
    expect(await stored()).toEqual(['c']);
    expect(await shop.readAll(orders, { partition: 1 })).toEqual([]);
  });

  test('and is told of the id where its successor has written to the same partition', async () => {
    const [first, second] = [await init(), await init(log.broker())];
    await transact(second, [appendOf('a', { by: second })]);
    const error = await errorOf(transact(first, [appendOf('b', { by: first })]));
    expect(error).toMatchObject({ ...FENCED, details: { transactionalId: 'billing' } });
    expect(error.message).toMatch(/'billing'.*Close this producer/);
    expect(await stored()).toEqual(['a']);
  });

  test('offsets', async () => {
    await shop.append(orders, 'a');
    const member = await Member.join(shop.broker, 'm');
    await member.positions();
    const [first, second] = [await init(), await init()];
    const offset = { ...member.view.owned[0]!, offset: 1, metadata: '' };
    const commits = [{ member: member.ref, offsets: [offset] }];
    const offsets = async (): Promise<number[]> =>
      (await shop.broker.listGroupOffsets({ groupId: GROUP_ID })).map((row) => row.offset);
    expect(await errorOf(transact(first, [], { commits }))).toMatchObject(FENCED);
    expect(await offsets()).toEqual([0, 0]);
    await transact(second, [], { commits });
    expect(await offsets()).toEqual([1, 0]);
  });

  test('records without numbers', async () => {
    const first = await init();
    await init();
    expect(await errorOf(transact(first, [appendOf('a', {})]))).toMatchObject(FENCED);
    expect(await stored()).toEqual([]);
  });

  test('whoever made its numbers up', async () => {
    const real = await init();
    const others = [
      { ...real, id: real.id + 1 },
      { ...real, epoch: real.epoch + 1 },
    ];
    for (const by of others) {
      expect(await errorOf(transact(by, [appendOf('a', { by })]))).toMatchObject(FENCED);
    }
    const unknown = { transactionalId: 'never taken', ...real };
    const made = transact(real, [appendOf('a', { by: real })], { producer: unknown });
    expect(await errorOf(made)).toMatchObject(FENCED);
    expect(await stored()).toEqual([]);
  });

  test('also where the id is taken while its transaction is on its way', async () => {
    const first = await init();
    let go!: () => void;
    shop.connection.failNext({ until: new Promise((resolve) => (go = resolve)) });
    const late = errorOf(transact(first, [appendOf('a', { by: first })]));
    await init(log.broker());
    go();
    expect(await late).toMatchObject(FENCED);
    expect(await stored()).toEqual([]);
  });
});

describe('a transaction that comes once more', () => {
  test('is stored once, with the same answer', async () => {
    const by = await init();
    const appends = (): Append[] => [appendOf('a', { by }), appendOf('b', { by, partition: 1 })];
    const placed = await transact(by, appends());
    for (const through of [shop, log.broker()]) {
      expect(await transact(by, appends(), { through })).toEqual(placed);
    }
    expect(await stored()).toEqual(['a']);
  });

  test('gets that answer though somebody else has the id by now', async () => {
    const by = await init();
    const placed = await transact(by, [appendOf('a', { by })]);
    await init();
    expect(await transact(by, [appendOf('a', { by })])).toEqual(placed);
    expect(await stored()).toEqual(['a']);
  });

  test('commits nothing any more: others may have gone on', async () => {
    await shop.append(orders, 'x', 'y');
    const member = await Member.join(shop.broker, 'm');
    await member.positions();
    const by = await init();
    const commit = (offset: number): Partial<Request<'transact'>> => ({
      commits: [
        { member: member.ref, offsets: [{ ...member.view.owned[0]!, offset, metadata: '' }] },
      ],
    });
    await transact(by, [appendOf('a', { by })], commit(1));
    await transact(by, [appendOf('b', { by, sequence: 1 })], commit(2));
    await transact(by, [appendOf('a', { by })], commit(1));
    const [{ offset } = { offset: -1 }] = await shop.broker.listGroupOffsets({ groupId: GROUP_ID });
    expect(offset).toBe(2);
    expect(await stored()).toEqual(['x', 'y', 'a', 'b']);
  });

  test('is not stored by half, where one partition has forgotten its producer', async () => {
    const by = await init();
    const appends = (): Append[] => [appendOf('a', { by }), appendOf('b', { by, partition: 1 })];
    await transact(by, appends());
    for (let id = 1; id <= MAX_PRODUCERS; id++) {
      const append = appendOf('x', { by: { id, epoch: 0 }, partition: 1 });
      await shop.broker.produce({ appends: [append], durability: 'relaxed' });
    }
    await transact(by, appends()).catch(() => {});
    const values = await shop.readAll(orders, { partition: 1 });
    expect(values.filter((value) => value === 'b')).toHaveLength(1);
  });

  test('is refused whole, where one of its batches is out of order', async () => {
    const by = await init();
    await transact(by, [appendOf('a', { by })]);
    const half = [appendOf('a', { by }), appendOf('b', { by, sequence: 7, partition: 1 })];
    await transact(by, [appendOf('c', { by, partition: 1 })]);
    expect((await errorOf(transact(by, half))).code).toBe('OUT_OF_ORDER_SEQUENCE');
    expect(await stored()).toEqual(['a']);
    expect(await shop.readAll(orders, { partition: 1 })).toEqual(['c']);
  });
});
