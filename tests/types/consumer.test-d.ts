import { describe, expectTypeOf, test } from 'vitest';
import { json, long, string, topic } from '../../src/index.ts';
import type {
  Consumer,
  Header,
  Log,
  Message,
  MessageBatch,
  MessageOf,
  RawBatch,
  RawMessage,
  TablogError,
  TopicDescription,
  ListedOffset,
  TopicInfo,
} from '../../src/index.ts';

interface Order {
  id: string;
  qty: number;
}
interface Audit {
  who: string;
}

const orders = topic('orders', { key: string(), value: json<Order>() });
const audit = topic('audit', { key: long(), value: json<Audit>() });

type Orders = typeof orders;
type AuditTopic = typeof audit;

declare const log: Log;

describe('messages', () => {
  test('of one typed topic', async () => {
    const consumer = log.consumer({ topics: [orders], from: 'earliest' });
    expectTypeOf(consumer).toEqualTypeOf<Consumer<Orders>>();
    for await (const message of consumer) {
      expectTypeOf(message).toEqualTypeOf<Message<'orders', string, Order>>();
      expectTypeOf(message.topic).toEqualTypeOf<'orders'>();
      expectTypeOf(message.key).toEqualTypeOf<string | null>();
      expectTypeOf(message.value).toEqualTypeOf<Order | null>();
      expectTypeOf(message.offset).toEqualTypeOf<number>();
      expectTypeOf(message.timestamp).toEqualTypeOf<number>();
      expectTypeOf(message.headers).toEqualTypeOf<readonly Header[]>();
      expectTypeOf(message.header('a')).toEqualTypeOf<string | undefined>();
      expectTypeOf(message.id).toEqualTypeOf<string>();
      expectTypeOf(message.clone()).toEqualTypeOf<typeof message>();
      // @ts-expect-error a value may be a tombstone
      void message.value.qty;
      // @ts-expect-error what was read does not change
      message.offset = 1;
    }
  });

  test('of several are told apart by topic', async () => {
    for await (const message of log.consumer({ topics: [orders, audit] })) {
      expectTypeOf(message.topic).toEqualTypeOf<'orders' | 'audit'>();
      expectTypeOf(message.value).toEqualTypeOf<Order | Audit | null>();
      if (message.topic === 'orders') {
        expectTypeOf(message.key).toEqualTypeOf<string | null>();
        expectTypeOf(message.value).toEqualTypeOf<Order | null>();
        // @ts-expect-error that is in the other topic
        void message.value?.who;
      } else {
        expectTypeOf(message.key).toEqualTypeOf<bigint | null>();
        expectTypeOf(message.value).toEqualTypeOf<Audit | null>();
      }
      // @ts-expect-error no such topic
      if (message.topic === 'order') return;
    }
  });

  test('of plain names are bytes, and keep the name', async () => {
    for await (const message of log.consumer({ topics: ['a', 'b', orders] })) {
      expectTypeOf(message.topic).toEqualTypeOf<'a' | 'b' | 'orders'>();
      if (message.topic === 'orders') expectTypeOf(message.value).toEqualTypeOf<Order | null>();
      else expectTypeOf(message.value).toEqualTypeOf<Uint8Array | null>();
    }
    expectTypeOf<MessageOf<string>>().toEqualTypeOf<Message<string, Uint8Array, Uint8Array>>();
  });

  test('of topics that are only known as topics', async () => {
    const names: string[] = [];
    for await (const message of log.consumer({ topics: names })) {
      expectTypeOf(message.value).toEqualTypeOf<Uint8Array | null>();
    }
  });

  test('in batches', async () => {
    for await (const batch of log
      .consumer({ topics: [orders] })
      .batches({ max: 5, maxWaitMs: 5 })) {
      expectTypeOf(batch).toEqualTypeOf<MessageBatch<Orders>>();
      expectTypeOf(batch.topic).toEqualTypeOf<'orders'>();
      expectTypeOf(batch.messages).toEqualTypeOf<readonly Message<'orders', string, Order>[]>();
      expectTypeOf(batch.lag).toEqualTypeOf<number>();
    }
    // @ts-expect-error misspelt
    log.consumer({ topics: [orders] }).batches({ maximum: 5 });
  });

  test('in batches as they are stored', async () => {
    const consumer = log.consumer({ topics: [orders, audit] });
    for await (const batch of consumer.batches({ raw: true })) {
      expectTypeOf(batch).toEqualTypeOf<RawBatch<Orders | AuditTopic>>();
      expectTypeOf(batch.topic).toEqualTypeOf<'orders' | 'audit'>();
      expectTypeOf(batch.bytes).toEqualTypeOf<Uint8Array>();
      // @ts-expect-error nothing is decoded
      void batch.messages;
    }
    for await (const batch of consumer.batches({ raw: false, max: 5 })) {
      expectTypeOf(batch).toEqualTypeOf<MessageBatch<Orders | AuditTopic>>();
    }
    // @ts-expect-error stored batches have the size they have
    consumer.batches({ raw: true, max: 5 });
  });

  test('in a handler', () => {
    const consumer = log.consumer({ topics: [orders, audit] });
    void consumer.run({
      eachMessage(message) {
        expectTypeOf(message).toEqualTypeOf<MessageOf<Orders | AuditTopic>>();
      },
    });
    void consumer.run({ eachMessage: async () => {} });
    // @ts-expect-error no handler
    void consumer.run({});
    // @ts-expect-error a handler of another topic's messages
    void consumer.run({ eachMessage: (message: Message<'other', string, string>) => void message });
  });
});

test('options', () => {
  const topics = [orders];
  log.consumer({ topics, from: 'latest' });
  log.consumer({ topics, from: 5 });
  log.consumer({ topics, from: new Date(), signal: AbortSignal.timeout(5) });
  log.consumer({ topics, onDecodeError: 'skip' });
  log.consumer({
    topics,
    deadLetterTopic: 'letters',
    onDecodeError: async (error, message) => {
      expectTypeOf(error).toEqualTypeOf<TablogError>();
      expectTypeOf(message).toEqualTypeOf<RawMessage>();
      return error.code === 'SERDE' ? 'deadLetter' : 'fail';
    },
  });
  // @ts-expect-error no such action
  log.consumer({ topics, onDecodeError: 'retry' });
  // @ts-expect-error no topics
  log.consumer({ from: 'earliest' });
  // @ts-expect-error misspelt
  log.consumer({ topics, fromBeginning: true });
  // @ts-expect-error no such place
  log.consumer({ topics, from: 'beginning' });
  // @ts-expect-error an offset is a number
  log.consumer({ topics, from: 5n });
  // @ts-expect-error no topic
  log.consumer({ topics: [5] });
});

test('places', () => {
  const consumer = log.consumer({ topics: [orders] });
  const where = { topic: orders, partition: 0 };
  expectTypeOf(consumer.ready).toEqualTypeOf<Promise<void>>();
  expectTypeOf(consumer.position(where)).toEqualTypeOf<number>();
  expectTypeOf(consumer.seek('earliest')).toEqualTypeOf<Promise<void>>();
  void consumer.seek(new Date(), { topic: 'orders', partition: 0 });
  consumer.pause();
  consumer.resume(where);
  expectTypeOf(consumer).toExtend<AsyncDisposable>();
  // @ts-expect-error no such place
  void consumer.seek('end');
  // @ts-expect-error which partition?
  consumer.pause({ topic: orders });
});

test('admin', () => {
  const { admin } = log;
  expectTypeOf(admin.createTopics([orders, 'plain'])).toEqualTypeOf<
    Promise<readonly [TopicInfo, TopicInfo]>
  >();
  const names: readonly string[] = [];
  expectTypeOf(admin.createTopics(names)).toEqualTypeOf<Promise<readonly TopicInfo[]>>();
  expectTypeOf(admin.describeTopics([orders])).toEqualTypeOf<
    Promise<readonly [TopicDescription]>
  >();
  expectTypeOf(admin.listOffsets([{ topic: 't', at: 'latest' }])).toEqualTypeOf<
    Promise<readonly ListedOffset[]>
  >();
  // @ts-expect-error an offset is what it answers with
  void admin.listOffsets([{ topic: 't', at: 5 }]);
  // @ts-expect-error misspelt
  void admin.alterTopics([{ topic: 't', config: { maxBytes: 5 } }]);
  // @ts-expect-error it stays what it is
  void admin.alterTopics([{ topic: 't', config: { storage: 'memory' } }]);
  // @ts-expect-error no array
  void admin.createTopics(orders);
});
