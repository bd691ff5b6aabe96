import { describe, expectTypeOf, test } from 'vitest';
import { json, long, string, topic } from '../../src/index.ts';
import type {
  Log,
  OffsetToCommit,
  ProducerRecord,
  RecordMetadata,
  Producer,
  Transaction,
  TransactionResult,
} from '../../src/index.ts';

interface Order {
  id: string;
  qty: number;
}

const orders = topic('orders', { key: string(), value: json<Order>() });
const counts = topic('counts', { key: long(), value: long() });

declare const log: Log;
declare const producer: Producer;
declare const tx: Transaction;

const value: Order = { id: 'o1', qty: 2 };

describe('send', () => {
  test('takes the key and value of its topic, and returns nothing', () => {
    expectTypeOf(tx.send(orders, { key: 'u1', value })).toEqualTypeOf<void>();
    tx.send(orders, { key: null, value: null });
    tx.send(counts, { key: 1n, value: 2n });
    // @ts-expect-error a wrong key
    tx.send(orders, { key: 5, value });
    // @ts-expect-error a wrong value
    tx.send(orders, { value: { id: 'o1', qty: 'many' } });
    // @ts-expect-error a property is missing
    tx.send(orders, { value: { id: 'o1' } });
    // @ts-expect-error a property is too many
    tx.send(orders, { value: { id: 'o1', qty: 1, price: 3 } });
    // @ts-expect-error a long is a bigint
    tx.send(counts, { value: 5 });
    // @ts-expect-error the value of another topic
    tx.send(counts, { value });
  });

  test('wants a value, which is not undefined', () => {
    // @ts-expect-error undefined
    tx.send(orders, { value: undefined });
    // @ts-expect-error none
    tx.send(orders, { key: 'u1' });
    // @ts-expect-error no record
    tx.send(orders);
  });

  test('takes bytes or text for a plain name, headers, partition and timestamp', () => {
    tx.send('plain', { key: 'k', value: new Uint8Array() });
    tx.send(orders, { value, headers: { a: 'x' }, partition: 1, timestamp: new Date() });
    // @ts-expect-error no object
    tx.send('plain', { value });
    // @ts-expect-error misspelt
    tx.send(orders, { value, header: {} });
    // @ts-expect-error a pattern is no topic
    tx.send(/^orders/, { value: 'x' });
    // @ts-expect-error what a transaction stores has no place yet
    tx.send(orders, { value, partition: 0, expectedOffset: 5 });
    // @ts-expect-error it takes no options
    tx.send(orders, { value }, { signal: new AbortController().signal });
    const record: ProducerRecord<string, Order> = { value };
    tx.send(orders, record);
  });

  test('sendBatch takes many', () => {
    expectTypeOf(
      tx.sendBatch(orders, [{ value }, { key: 'a', value: null }]),
    ).toEqualTypeOf<void>();
    // @ts-expect-error one of them is wrong
    tx.sendBatch(orders, [{ value }, { value: 'v' }]);
    // @ts-expect-error no array
    tx.sendBatch(orders, { value });
  });
});

describe('transaction', () => {
  test('resolves with what its function returns, and with placements', async () => {
    const of = producer.transaction(() => value.qty);
    expectTypeOf(of).toEqualTypeOf<Promise<TransactionResult<number>>>();
    expectTypeOf(producer.transaction(async () => value)).resolves.toEqualTypeOf<
      TransactionResult<Order>
    >();
    expectTypeOf(producer.transaction(() => {})).resolves.toEqualTypeOf<TransactionResult<void>>();
    expectTypeOf(
      producer.transaction((each) => each.send(orders, { value })),
    ).resolves.toEqualTypeOf<TransactionResult<void>>();
    const { result, placements } = await producer.transaction(async () => 'x' as const);
    expectTypeOf(result).toEqualTypeOf<'x'>();
    expectTypeOf(placements).toEqualTypeOf<readonly RecordMetadata[]>();
    // @ts-expect-error they are only read
    placements[0] = placements[1]!;
    // @ts-expect-error it is not the result itself
    expectTypeOf(of).resolves.toEqualTypeOf<number>();
  });

  test('hands a transaction to its function', () => {
    void producer.transaction((each) => {
      expectTypeOf(each).toEqualTypeOf<Transaction>();
      expectTypeOf(each.signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(each.abort()).toEqualTypeOf<void>();
    });
    // @ts-expect-error no function
    void producer.transaction(tx);
    // @ts-expect-error it is given one thing
    void producer.transaction((each: Transaction, more: string) => more.length + each.send.length);
  });

  test('commits offsets of consumers, of whatever topics', () => {
    tx.commitOffsets(log.consumer({ group: 'g', topics: [orders] }));
    tx.commitOffsets(log.consumer({ group: 'g', topics: [orders, counts, 'plain', /^more/] }));
    // @ts-expect-error no consumer
    tx.commitOffsets('g');
    const consumer = log.consumer({ group: 'g', topics: [orders] });
    const offset: OffsetToCommit = { topic: orders, partition: 0, offset: 5 };
    expectTypeOf(tx.commitOffsets(consumer, [offset])).toEqualTypeOf<void>();
    tx.commitOffsets(consumer, [{ topic: 'orders', partition: 0, offset: 5, metadata: 'x' }]);
    // @ts-expect-error an array
    tx.commitOffsets(consumer, offset);
    // @ts-expect-error of which partition?
    tx.commitOffsets(consumer, [{ topic: orders, offset: 5 }]);
    // @ts-expect-error not the text that KafkaJS has
    tx.commitOffsets(consumer, [{ topic: orders, partition: 0, offset: '5' }]);
    // @ts-expect-error a pattern is no topic
    tx.commitOffsets(consumer, [{ topic: /^orders/, partition: 0, offset: 5 }]);
    // @ts-expect-error no consumer
    tx.commitOffsets([{ topic: orders, partition: 0, offset: 5 }]);
    // @ts-expect-error which one?
    tx.commitOffsets();
  });
});

test('options', () => {
  log.producer({ transactionalId: 'a', transactionTimeoutMs: 5, maxTransactionBytes: 5 });
  // @ts-expect-error Kafka's word is another
  log.producer({ transactionId: 'a' });
  // @ts-expect-error a name is a text
  log.producer({ transactionalId: 5 });
  // @ts-expect-error the unit is in the name
  log.producer({ transactionTimeout: 5 });
  // @ts-expect-error text is no number
  log.producer({ maxTransactionBytes: '1 MiB' });
});
