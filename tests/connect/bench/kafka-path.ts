import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { KafkaBroker, lackOfKafka } from '../../kafka/broker.ts';
import { freePort } from '../../support/ports.ts';
import type { Job, Side } from './job.ts';
import type { BenchPath, FarEnd } from './paths.ts';
import { newFolder, startServer } from './server-process.ts';

const JARS = fileURLToPath(new URL('../../../.cache/kafka', import.meta.url));

/** Marks the end of each partition, after all records. */
const END = 'the end of the topic';

/** Through an endpoint to one broker of Kafka, which has topics of its own for each delivery. */
export class KafkaPath implements BenchPath {
  readonly name = 'kafka';
  readonly title =
    '`httpSink`, `kafkaGateway`, Kafka; `fetch`, KafkaJS without transactions, Kafka';
  readonly lack: string | undefined = lackOfKafka();
  readonly #parent: string;
  #broker: KafkaBroker | undefined;
  #deliveries = 0;

  constructor(parent: string) {
    this.#parent = parent;
  }

  get versions(): readonly string[] {
    const jars = existsSync(JARS) ? readdirSync(JARS) : [];
    const version = jars.map((jar) => /^kafka-clients-(.*)\.jar$/.exec(jar)?.[1]);
    return [`Kafka ${version.find((each) => each !== undefined) ?? 'unknown'}`];
  }

  async start(side: Side, origin: string, partitions: number): Promise<FarEnd> {
    this.#broker ??= await KafkaBroker.create();
    await this.#broker.start();
    const { address } = this.#broker;
    const kafka = new Kafka({
      brokers: [address],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, retries: 20, maxRetryTime: 500 },
    });
    const number = ++this.#deliveries;
    const topics = { warmUp: `orders-${number}`, measured: `events-${number}` };
    await createTopics(kafka, topics, partitions);
    const module = side === 'tablog' ? 'servers/kafka-gateway.mjs' : 'servers/plain-kafka.mjs';
    const port = await freePort();
    const server = await startServer({
      command: process.execPath,
      args: [fileURLToPath(new URL(module, import.meta.url))],
      env: { PAGE: origin, BROKER: address, PORT: String(port) },
      port,
      folder: newFolder(this.#parent),
    });
    return {
      target: { path: this.name, url: `http://127.0.0.1:${port}`, topics },
      values: () => readTopic(kafka, topics.measured),
      close: () => server.remove(),
    };
  }

  async close(): Promise<void> {
    await this.#broker?.remove();
    this.#broker = undefined;
  }
}

async function createTopics(
  kafka: Kafka,
  { warmUp, measured }: Job['topics'],
  numPartitions: number,
): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [warmUp, measured].map((topic) => ({ topic, numPartitions })),
    waitForLeaders: true,
  });
  await admin.disconnect();
}

/** All committed values of a topic. */
async function readTopic(kafka: Kafka, topic: string): Promise<string[]> {
  const producer = kafka.producer();
  const admin = kafka.admin();
  await Promise.all([producer.connect(), admin.connect()]);
  const offsets = await admin.fetchTopicOffsets(topic);
  const left = new Set(offsets.map(({ partition }) => partition));
  await producer.send({
    topic,
    messages: offsets.map(({ partition }) => ({ partition, value: END })),
  });
  const values: string[] = [];
  const consumer = kafka.consumer({ groupId: `bench-${crypto.randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
    void consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages } }) => {
        for (const { value } of messages) {
          if (String(value) === END) left.delete(partition);
          else values.push(String(value));
        }
        if (left.size === 0) resolve();
      },
    });
  });
  await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()]);
  return values;
}
