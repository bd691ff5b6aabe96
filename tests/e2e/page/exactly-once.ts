import type { Consumer, Log, Producer } from '../../../src/index.ts';
import { string, topic } from '../../../src/index.ts';

export const PARTITIONS = 4;

const source = topic('in', { value: string(), partitions: PARTITIONS });
const sink = topic('out', { value: string(), partitions: PARTITIONS });

declare global {
  interface Window {
    /** The test's: a transaction is stored. */
    copied(): Promise<void>;
  }
}

type Source = Consumer<typeof source>;

export async function createTopics(log: Log): Promise<void> {
  await log.admin.createTopics([source, sink]);
}

/** Sends so many records to each partition: '0/17' is the one at the offset 17 of partition 0. */
export async function send(log: Log, first: number, count: number): Promise<void> {
  const producer = log.producer();
  const records = Array.from({ length: count * PARTITIONS }, (_, i) => {
    const partition = i % PARTITIONS;
    return { value: `${partition}/${first + Math.floor(i / PARTITIONS)}`, partition };
  });
  await producer.sendBatch(source, records);
  await producer.close();
}

/** Consumes, transforms and produces for as long as the page lives. */
export async function copy(log: Log, member: string): Promise<void> {
  const producer = log.producer({ transactionalId: member });
  for (;;) {
    const consumer = log.consumer({ topics: [source], group: 'copiers', from: 'earliest' });
    try {
      await copyBatches(producer, consumer);
    } catch (error) {
      const code = String((error as { code?: unknown }).code ?? error);
      await window.told({ kind: 'stopped', member, code });
    }
    // Of what is unknown the group knows: another member of it begins where the last one stored.
    await consumer.close().catch(() => {});
  }
}

async function copyBatches(producer: Producer, consumer: Source): Promise<void> {
  const max = 10 + Math.floor(Math.random() * 40);
  for await (const { messages } of consumer.batches({ max })) {
    await producer.transaction((tx) => {
      for (const { value, partition } of messages) {
        tx.send(sink, { value: `copy of ${value}`, partition });
      }
      tx.commitOffsets(consumer);
    });
    void window.copied();
  }
}
