import { Kafka, logLevel } from 'kafkajs';
import type { KafkaMessage } from 'kafkajs';
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest';
import { kafkaGateway } from '../../src/gateway.ts';
import type { KafkaGateway, KafkaGatewayOptions } from '../../src/gateway.ts';
import { KafkaBroker, lackOfKafka } from './broker.ts';

/** A message of a topic, as who reads committed ones gets it. */
export interface ReadMessage {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Waits until `check` throws no more: a broker that starts takes seconds. */
export function until(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 150_000, interval: 25 });
}

/** A broker for the tests of a file. */
export function useKafka(): () => KafkaBroker {
  let broker: KafkaBroker | undefined;
  beforeAll(async () => {
    const lack = lackOfKafka();
    if (lack !== undefined) throw new Error(lack);
    broker = await KafkaBroker.create();
    await broker.start();
  });
  afterAll(async () => broker?.remove());
  return () => broker!;
}

export function kafkaAt({ address }: KafkaBroker): Kafka {
  return new Kafka({
    clientId: 'tests',
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 20, maxRetryTime: 500 },
  });
}

/** Makes a topic, anew where it exists; by default of another name for each call. Returns the name. */
export async function newTopic(
  kafka: Kafka,
  numPartitions = 1,
  topic = `orders-${crypto.randomUUID()}`,
): Promise<string> {
  const admin = kafka.admin();
  await admin.connect();
  const exists = async (): Promise<boolean> => (await admin.listTopics()).includes(topic);
  if (await exists()) {
    await admin.deleteTopics({ topics: [topic] });
    await until(async () => expect(await exists()).toBe(false));
  }
  const configEntries = [{ name: 'retention.ms', value: '-1' }]; // a week can pass
  const topics = [{ topic, numPartitions, configEntries }];
  await admin.createTopics({ topics, waitForLeaders: false });
  await until(async () => void (await admin.fetchTopicMetadata({ topics: [topic] })));
  await admin.disconnect();
  return topic;
}

export function gatewayTo(
  kafka: Kafka,
  topic: string,
  options: Partial<KafkaGatewayOptions> = {},
): KafkaGateway {
  const gateway = kafkaGateway({ kafka, topics: [topic], authorize: 'everybody', ...options });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** All committed messages of a topic, by partition and offset. */
export async function readTopic(kafka: Kafka, topic: string): Promise<ReadMessage[]> {
  // What is read after the last message: control records are of no message.
  const producer = kafka.producer();
  const admin = kafka.admin();
  await Promise.all([producer.connect(), admin.connect()]);
  const offsets = await admin.fetchTopicOffsets(topic);
  const end = 'the end of the test';
  await producer.send({
    topic,
    messages: offsets.map(({ partition }) => ({ partition, value: end })),
  });
  const left = new Set(offsets.map(({ partition }) => partition));
  const messages: ReadMessage[] = [];
  // KafkaJS takes some messages of aborted transactions for committed ones: its own filter is not used.
  const consumer = kafka.consumer({
    groupId: `test-${crypto.randomUUID()}`,
    readUncommitted: true,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const open = new Map<string, ReadMessage[]>();
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
    void consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const { partition } = batch;
        for (const message of (batch as unknown as { rawMessages: RawMessage[] }).rawMessages) {
          const { producerId, inTransaction } = message.batchContext;
          const transaction = `${producerId}/${partition}`;
          if (message.isControlRecord) {
            const isCommit = message.key![3] === 1;
            if (isCommit) messages.push(...(open.get(transaction) ?? []));
            open.delete(transaction);
          } else if (inTransaction) {
            open.set(transaction, [...(open.get(transaction) ?? []), readOf(message, partition)]);
          } else if (String(message.value) === end) left.delete(partition);
          else messages.push(readOf(message, partition));
        }
        if (left.size === 0) resolve();
      },
    });
  });
  await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()]);
  return messages.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** A message as KafkaJS has it inside, with those that it hands to nobody. */
type RawMessage = KafkaMessage & {
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
};

function readOf(
  { key, value, timestamp, offset, headers = {} }: KafkaMessage,
  partition: number,
): ReadMessage {
  return {
    partition,
    offset: Number(offset),
    key: key === null ? null : key.toString(),
    value: value === null ? null : value.toString(),
    timestamp: Number(timestamp),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, each]) => [name, String(each)]),
    ),
  };
}
