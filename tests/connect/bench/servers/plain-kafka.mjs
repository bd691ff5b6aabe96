// Sends each batch to Kafka at BROKER by KafkaJS: acks of all replicas, no transaction.
import { Kafka, logLevel } from 'kafkajs';
import { servePosts } from './post-server.mjs';

const kafka = new Kafka({ brokers: [process.env.BROKER], logLevel: logLevel.NOTHING });
const producer = kafka.producer({ allowAutoTopicCreation: false });
await producer.connect();
servePosts((records, { topic, partition }) =>
  producer.send({
    topic,
    acks: -1,
    messages: records.map(({ value, timestamp }) => ({
      partition,
      value: typeof value === 'string' ? value : JSON.stringify(value),
      timestamp: String(timestamp),
    })),
  }),
);
