import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import type { Append, AppendResult } from '../../../src/protocol/produce.ts';
import { FIELD } from '../../../src/record/batch-format.ts';
import { RecordBatch, readBatches } from '../../../src/record/batch-reader.ts';
import { batchOf, recordOf, resealed } from '../../support/batches.ts';
import type { Bytes } from '../../support/batches.ts';
import { batch, found } from '../../support/broker-fixture.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { log, orders, shop, stored, useShop } from '../shop.ts';

const gone = new TablogError(STORAGE_UNAVAILABLE, 'the browser closed the database');
const lost = new TablogError(OUTCOME_UNKNOWN, 'the answer was lost');

useShop(2);

interface Spec {
  readonly id?: number;
  readonly epoch?: number;
  readonly sequence: number;
  readonly values: readonly string[];
}

function bytesOf({ id = 7, epoch = 0, sequence, values }: Spec): Bytes {
  const records = values.map((value) => recordOf({ value, timestamp: 1_000 }));
  return batchOf(records, { producer: { id, epoch, sequence } });
}

function appendOf(spec: Spec, rest: Partial<Append> = {}): Append {
  const { buffer } = bytesOf(spec);
  return { topicId: orders.id, partition: 0, batch: buffer, compression: 'none', ...rest };
}

function produce(through: TestBroker, ...appends: readonly Append[]): Promise<AppendResult[]> {
  return through.broker.produce({ appends, durability: 'relaxed' });
}

const first = { sequence: 0, values: ['a', 'b'] };
const second = { sequence: 2, values: ['c'] };
const at = (baseOffset: number): object => ({ baseOffset, appendTime: null });
const code = (name: string, details: object = {}): object => ({ error: { code: name, details } });

describe('a batch that comes once more is stored once, with the same answer', () => {
  test('through the same broker', async () => {
    for (let i = 0; i < 3; i++) expect(await produce(shop, appendOf(first))).toEqual([at(0)]);
    expect(await produce(shop, appendOf(second))).toEqual([at(2)]);
    expect(await produce(shop, appendOf(first))).toEqual([at(0)]);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });

  test('through another broker', async () => {
    const other = log.broker();
    expect(await produce(shop, appendOf(first))).toEqual([at(0)]);
    expect(await produce(other, appendOf(first))).toEqual([at(0)]);
    expect(await produce(other, appendOf(second))).toEqual([at(2)]);
    expect(await produce(shop, appendOf(first), appendOf(second))).toEqual([at(0), at(2)]);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });

  test('through two brokers at once', async () => {
    const brokers = [shop, log.broker(), log.broker()];
    const answers = await Promise.all(brokers.map((broker) => produce(broker, appendOf(first))));
    expect(answers).toEqual(brokers.map(() => [at(0)]));
    expect(await stored()).toEqual(['a', 'b']);
  });

  test('in one request', async () => {
    const appends = [appendOf(first), appendOf(first), appendOf(second), appendOf(first)];
    expect(await produce(shop, ...appends)).toEqual([at(0), at(0), at(2), at(0)]);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });

  test('in two requests of one transaction', async () => {
    const answers = await Promise.all([
      produce(shop, appendOf(first)),
      produce(shop, appendOf(second), appendOf(first)),
    ]);
    expect(answers).toEqual([[at(0)], [at(2), at(0)]]);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });

  test('after records of others', async () => {
    await produce(shop, appendOf(first));
    await shop.append(orders, 'x');
    await produce(shop, appendOf({ id: 8, sequence: 0, values: ['y'] }));
    expect(await produce(shop, appendOf(first), appendOf(second))).toEqual([at(0), at(4)]);
    expect(await stored()).toEqual(['a', 'b', 'x', 'y', 'c']);
  });

  test('after the connection was closed and opened anew', async () => {
    await produce(shop, appendOf(first));
    shop.connection.close(gone);
    expect(await produce(shop, appendOf(first))).toEqual([at(0)]);
    expect(shop.connections).toHaveLength(2);
    expect(await stored()).toEqual(['a', 'b']);
  });

  test('though the answer of the first append was lost', async () => {
    shop.connection.failNext({ stored: true, error: lost, closes: gone });
    expect(await produce(shop, appendOf(first))).toMatchObject([code('OUTCOME_UNKNOWN')]);
    expect(await produce(shop, appendOf(first))).toEqual([at(0)]);
    expect(await stored()).toEqual(['a', 'b']);
  });

  test('with the append time that it got first', async () => {
    const topic = await shop.create('timed', 1, { timestampType: 'append' });
    const append = (): Append => appendOf(first, { topicId: topic.id });
    const [answer] = await produce(shop, append());
    expect(answer).toEqual({ baseOffset: 0, appendTime: log.clock.now() });
    log.clock.advance(5_000);
    expect(await produce(log.broker(), append())).toEqual([answer]);
  });

  test('compressed or not', async () => {
    const large = { ...first, values: ['a'.repeat(500), 'b'] };
    const gzip = { compression: 'gzip' } as const;
    expect(await produce(shop, appendOf(large, gzip))).toEqual([at(0)]);
    expect(await produce(shop, appendOf(large, gzip), appendOf(large))).toEqual([at(0), at(0)]);
    const [segment] = found(await shop.fetch(orders)).segments;
    const [read] = readBatches(new Uint8Array(segment!));
    expect(read).toMatchObject({ codec: 'gzip', producerId: 7, producerEpoch: 0, baseSequence: 0 });
    expect(await stored()).toEqual(large.values);
  });

  test('and nothing is written for it, and nobody is woken', async () => {
    await produce(shop, appendOf(first));
    const before = await shop.broker.describeTopics(['orders']);
    const waiting = shop.fetch(orders, { offset: 2, maxWaitMs: 1_000 });
    await produce(shop, appendOf(first));
    expect(await shop.broker.describeTopics(['orders'])).toEqual(before);
    log.clock.advance(1_000);
    expect(await waiting).toBeUndefined();
  });

  test('where it is expected at an offset too', async () => {
    const append = (): Append => appendOf(first, { expectedOffset: 0 });
    expect(await produce(shop, append())).toEqual([at(0)]);
    await shop.append(orders, 'x');
    expect(await produce(shop, append())).toEqual([at(0)]);
    const other = appendOf({ ...second }, { expectedOffset: 2 });
    expect(await produce(shop, other)).toMatchObject([
      code('CONFLICT', { expectedOffset: 2, endOffset: 3 }),
    ]);
    expect(await stored()).toEqual(['a', 'b', 'x']);
  });
});

describe('each partition has its own numbers', () => {
  test('so one batch in two of them is two', async () => {
    const answers = await produce(shop, appendOf(first), appendOf(first, { partition: 1 }));
    expect(answers).toEqual([at(0), at(0)]);
    expect(await stored()).toEqual(['a', 'b']);
    expect(await shop.readAll(orders, { partition: 1 })).toEqual(['a', 'b']);
  });

  test('which go with its topic', async () => {
    await produce(shop, appendOf(first), appendOf(second));
    await shop.broker.deleteTopics(['orders']);
    const again = await shop.create('orders', 2);
    expect(await produce(shop, appendOf(first, { topicId: again.id }))).toEqual([at(0)]);
    expect(await log.broker().readAll(again)).toEqual(['a', 'b']);
  });
});

describe('a batch that is out of order is not stored, and the others of its request are', () => {
  test('where one before it is missing', async () => {
    const missing = { expected: 2, sequence: 5, producerId: 7 };
    expect(
      await produce(
        shop,
        appendOf(first),
        appendOf({ sequence: 5, values: ['too soon'] }),
        appendOf(second),
      ),
    ).toMatchObject([at(0), code('OUT_OF_ORDER_SEQUENCE', missing), at(2)]);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });

  test('where its epoch is over', async () => {
    await produce(shop, appendOf(first), appendOf({ epoch: 1, sequence: 0, values: ['c'] }));
    const other = log.broker();
    const late = await produce(other, appendOf(first), appendOf(second));
    expect(late).toMatchObject([code('FENCED', { epoch: 1 }), code('FENCED', { epoch: 1 })]);
    expect(await produce(other, appendOf({ epoch: 1, sequence: 1, values: ['d'] }))).toEqual([
      at(3),
    ]);
    expect(await stored()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('where a transaction that failed had the one before it', async () => {
    await produce(shop, appendOf(first));
    shop.connection.failNext({ error: gone });
    expect(await produce(shop, appendOf(second))).toMatchObject([code('STORAGE_UNAVAILABLE')]);
    const third = { sequence: 3, values: ['d'] };
    expect(await produce(shop, appendOf(third))).toMatchObject([code('OUT_OF_ORDER_SEQUENCE')]);
    expect(await produce(shop, appendOf(second), appendOf(third))).toEqual([at(2), at(3)]);
    expect(await stored()).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a batch that is in conflict takes its number:', () => {
  const conflict = code('CONFLICT', { expectedOffset: 3, endOffset: 2 });
  const refused = (): Append => appendOf(second, { expectedOffset: 3 });

  test('the one after it is in order', async () => {
    await produce(shop, appendOf(first));
    const third = { sequence: 3, values: ['d'] };
    expect(await produce(shop, refused(), appendOf(third))).toMatchObject([conflict, at(2)]);
    expect(await stored()).toEqual(['a', 'b', 'd']);
  });

  test('it is so for good, and says the same, also where it would be right by now', async () => {
    await produce(shop, appendOf(first));
    const before = await shop.broker.describeTopics(['orders']);
    for (let i = 0; i < 2; i++) expect(await produce(shop, refused())).toMatchObject([conflict]);
    expect(await shop.broker.describeTopics(['orders'])).toEqual(before);
    await shop.append(orders, 'x');
    expect(await produce(log.broker(), refused(), refused())).toMatchObject([conflict, conflict]);
    expect(await produce(shop, appendOf(second))).toMatchObject([code('CONFLICT')]);
    expect(await stored()).toEqual(['a', 'b', 'x']);
  });

  test('also as the first of its producer', async () => {
    const early = (): Append => appendOf(first, { expectedOffset: 1 });
    expect(await produce(shop, early())).toMatchObject([code('CONFLICT', { endOffset: 0 })]);
    await shop.append(orders, 'x');
    expect(await produce(shop, early(), appendOf(second))).toMatchObject([code('CONFLICT'), at(1)]);
    expect(await stored()).toEqual(['x', 'c']);
  });

  test('but not in a transaction, of which nothing is written', async () => {
    await produce(shop, appendOf(first));
    const transact = (append: Append): Promise<unknown> =>
      shop.broker.transact({
        appends: [append],
        commits: [],
        durability: 'relaxed',
        producer: null,
      });
    await expect(transact(refused())).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await transact(appendOf(second))).toEqual([at(2)]);
  });

  test('and one without a producer has none', async () => {
    const append = (): Append => ({
      ...appendOf(first),
      batch: batchOf([recordOf({ value: 'a' })]).buffer,
      expectedOffset: 1,
    });
    expect(await produce(shop, append())).toMatchObject([code('CONFLICT')]);
    await shop.append(orders, 'x');
    expect(await produce(shop, append())).toEqual([at(1)]);
  });
});

test('batches without a producer are stored as often as they come', async () => {
  for (let i = 0; i < 3; i++) expect(await shop.append(orders, 'a')).toBe(i);
});

describe('a batch whose producer cannot be', () => {
  test.each([
    ['has an id beyond safe integers', FIELD.producerId, 2n ** 62n],
    ['has a negative id other than -1', FIELD.producerId, -(2n ** 62n)],
  ])('is BATCH_CORRUPT where it %s, and fails alone', async (_, field, value) => {
    const bad = resealed(bytesOf(first), (_bytes, view) => view.setBigInt64(field, value));
    const appends = [
      appendOf(first),
      { ...appendOf(second), batch: bad.buffer },
      appendOf(first, { partition: 1 }),
    ];
    const [answers, other] = await Promise.all([
      produce(shop, ...appends),
      shop.produce(orders, batch('of another tab'), { partition: 1 }),
    ]);
    expect(answers).toMatchObject([at(0), code('BATCH_CORRUPT'), at(0)]);
    expect(other).toEqual(at(2));
  });

  test('is BATCH_CORRUPT where it has an id and no sequence, as in Kafka', async () => {
    const bad = appendOf({ sequence: -1, values: ['a'] });
    expect(new RecordBatch(new Uint8Array(bad.batch)).baseSequence).toBe(-1);
    expect(await produce(shop, bad)).toMatchObject([code('BATCH_CORRUPT')]);
  });
});
