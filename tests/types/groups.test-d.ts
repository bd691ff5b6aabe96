import { describe, expectTypeOf, test } from 'vitest';
import { json, string, topic } from '../../src/index.ts';
import type {
  AssignedPartition,
  CommitMode,
  CommittedOffset,
  Consumer,
  ConsumerEvents,
  ErrorAction,
  GroupDescription,
  GroupListing,
  HandlerContext,
  Log,
  Message,
  MessageBatch,
  MessageOf,
  OffsetToCommit,
  PartitionsEvent,
  RawMessage,
  ResetEvent,
  RunOptions,
} from '../../src/index.ts';

interface Order {
  id: string;
  qty: number;
}

const orders = topic('orders', { key: string(), value: json<Order>() });
type Orders = typeof orders;
type Bytes = Message<string, Uint8Array, Uint8Array>;

declare const log: Log;
const group = 'billing';

describe('topics by pattern', () => {
  test('are of bytes, and their names are any', async () => {
    const consumer = log.consumer({ group, topics: [/^orders-/] });
    expectTypeOf(consumer).toEqualTypeOf<Consumer<RegExp>>();
    for await (const message of consumer) {
      expectTypeOf(message).toEqualTypeOf<Bytes>();
      // @ts-expect-error bytes have no fields
      void message.value?.qty;
    }
    expectTypeOf<MessageOf<RegExp>>().toEqualTypeOf<Bytes>();
    expectTypeOf<MessageBatch<RegExp>['topic']>().toEqualTypeOf<string>();
  });

  test('beside typed ones leave it open which it is', async () => {
    for await (const message of log.consumer({ group, topics: [orders, /^audit/] })) {
      expectTypeOf(message).toEqualTypeOf<MessageOf<Orders> | Bytes>();
      expectTypeOf(message.value).toEqualTypeOf<Order | Uint8Array | null>();
    }
  });

  test('cannot be made, nor sent to', () => {
    // @ts-expect-error a pattern is no topic
    void log.admin.createTopics([/^orders/]);
    // @ts-expect-error a pattern is no topic
    void log.producer().send(/^orders/, { value: 'x' });
    // @ts-expect-error which of them?
    log.consumer({ group, topics: [/^o/] }).position({ topic: /^o/, partition: 0 });
  });
});

test('options', () => {
  const topics = [orders];
  for (const commit of ['processed', 'manual', { everyMs: 500 }] as const) {
    expectTypeOf(commit).toExtend<CommitMode>();
    log.consumer({ group, topics, commit });
  }
  log.consumer({ group, topics, memberId: 'a', assignor: 'roundRobin', placement: 'any' });
  log.consumer({ group, topics, sessionTimeoutMs: 500, rebalanceTimeoutMs: 500, mustExist: true });
  // @ts-expect-error no such mode
  log.consumer({ group, topics, commit: 'auto' });
  // @ts-expect-error the unit is in the name
  log.consumer({ group, topics, commit: { every: 500 } });
  // @ts-expect-error no such assignor
  log.consumer({ group, topics, assignor: 'roundrobin' });
  // @ts-expect-error Kafka's word is another
  log.consumer({ groupId: group, topics });
});

describe('run', () => {
  test('hands typed messages, a signal and the attempt to the handler', () => {
    const consumer = log.consumer({ group, topics: [orders] });
    const over = consumer.run({
      concurrency: 4,
      eachMessage: async (message, context) => {
        expectTypeOf(message).toEqualTypeOf<Message<'orders', string, Order>>();
        expectTypeOf(context).toEqualTypeOf<HandlerContext>();
        expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
        expectTypeOf(context.attempt).toEqualTypeOf<number>();
        expectTypeOf(message.commit()).toEqualTypeOf<Promise<void>>();
      },
      onError: async (error, message, attempt) => {
        expectTypeOf(error).toEqualTypeOf<unknown>();
        // Of a record that cannot be decoded there are bytes.
        expectTypeOf(message).toEqualTypeOf<Message<'orders', string, Order> | RawMessage>();
        expectTypeOf(message.value).toEqualTypeOf<Order | Uint8Array | null>();
        expectTypeOf(attempt).toEqualTypeOf<number>();
        return attempt < 3 ? 'retry' : 'deadLetter';
      },
      afterRetries: 'skip',
      deadLetterTopic: 'letters',
    });
    expectTypeOf(over).toEqualTypeOf<Promise<void>>();
    void consumer.run({ eachMessage: () => {}, onError: 'stop', deadLetterTopic: orders });
  });

  test('hands typed batches to a handler of batches', () => {
    const consumer = log.consumer({ group, topics: [orders] });
    const over = consumer.run({
      max: 50,
      maxWaitMs: 20,
      retries: Infinity,
      eachBatch: async (batch, { retryAfter }) => {
        expectTypeOf(batch).toEqualTypeOf<MessageBatch<Orders>>();
        expectTypeOf(batch.messages[0]!.value).toEqualTypeOf<Order | null>();
        throw retryAfter(500, new Error('busy'));
      },
      onError: (error, batch, attempt) => {
        expectTypeOf(error).toEqualTypeOf<unknown>();
        expectTypeOf(batch).toEqualTypeOf<MessageBatch<Orders> | MessageBatch<string>>();
        expectTypeOf(batch.firstOffset).toEqualTypeOf<number>();
        return attempt < 3 ? { retryAfterMs: 500 } : 'skip';
      },
    });
    expectTypeOf(over).toEqualTypeOf<Promise<void>>();
    const eachBatch = (): void => {};
    // @ts-expect-error one of them
    void consumer.run({ eachBatch, eachMessage: () => {} });
    // @ts-expect-error no such decision
    void consumer.run({ eachBatch, onError: () => ({ retryAfter: 5 }) });
    // @ts-expect-error of batches
    void consumer.run({ eachMessage: () => {}, max: 5 });
  });

  test('refuses what it cannot do', () => {
    const consumer = log.consumer({ group, topics: [orders] });
    const eachMessage = (): void => {};
    expectTypeOf<Extract<RunOptions<Orders>['onError'], string>>().toEqualTypeOf<ErrorAction>();
    // @ts-expect-error no such action
    void consumer.run({ eachMessage, onError: 'ignore' });
    // @ts-expect-error no such action
    void consumer.run({ eachMessage, onError: () => 'ignore' });
    // @ts-expect-error nothing said
    void consumer.run({ eachMessage, onError: () => {} });
    // @ts-expect-error that would never end
    void consumer.run({ eachMessage, afterRetries: 'retry' });
    // @ts-expect-error a pattern is no topic
    void consumer.run({ eachMessage, deadLetterTopic: /^dead/ });
  });
});

test('events', () => {
  const consumer = log.consumer({ group, topics: [orders] });
  expectTypeOf<keyof ConsumerEvents>().toEqualTypeOf<'assigned' | 'revoked' | 'lost' | 'reset'>();
  const stop = consumer.on('revoked', async (event) => {
    expectTypeOf(event).toEqualTypeOf<PartitionsEvent>();
    expectTypeOf(event.partitions).toEqualTypeOf<readonly AssignedPartition[]>();
  });
  expectTypeOf(stop).toEqualTypeOf<() => void>();
  consumer.on('reset', (event) => {
    expectTypeOf(event).toEqualTypeOf<ResetEvent>();
    expectTypeOf(event.outOfRange).toEqualTypeOf<number>();
  });
  consumer.on('assigned', () => {});
  // @ts-expect-error no such event
  consumer.on('rebalance', () => {});
  // @ts-expect-error that is another event's
  consumer.on('lost', ({ offset }) => void offset);
});

test('places', () => {
  const consumer = log.consumer({ group, topics: [orders] });
  expectTypeOf(consumer.assignment).toEqualTypeOf<readonly AssignedPartition[]>();
  expectTypeOf(consumer.group).toEqualTypeOf<string | undefined>();
  expectTypeOf(consumer.memberId).toEqualTypeOf<string | undefined>();
  const offset: OffsetToCommit = { topic: orders, partition: 0, offset: 5 };
  void consumer.commit([offset, { topic: 'orders', partition: 1, offset: 5, metadata: 'x' }]);
  // @ts-expect-error of which partition?
  void consumer.commit([{ topic: orders, offset: 5 }]);
  // @ts-expect-error an array
  void consumer.commit(offset);
});

test('admin', () => {
  const { admin } = log;
  expectTypeOf(admin.listGroups()).resolves.toEqualTypeOf<readonly GroupListing[]>();
  expectTypeOf(admin.describeGroups([group])).resolves.toEqualTypeOf<readonly [GroupDescription]>();
  expectTypeOf(admin.listGroupOffsets(group)).resolves.toEqualTypeOf<readonly CommittedOffset[]>();
  void admin.resetGroupOffsets(group, [{ topic: orders, partition: 0, to: 'earliest' }], {
    force: true,
  });
  void admin.resetGroupOffsets(group, [{ topic: 'orders', to: new Date() }]);
  // @ts-expect-error no such place
  void admin.resetGroupOffsets(group, [{ topic: orders, to: 'beginning' }]);
  // @ts-expect-error an array
  void admin.deleteGroups(group);
});
