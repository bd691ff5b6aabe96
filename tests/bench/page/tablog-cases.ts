import { openLog, string, topic } from '../../../src/index.ts';
import type { Consumer, ConsumerOptions, Log, ProducerOptions } from '../../../src/index.ts';
import { CHUNK } from './case.ts';
import type { Measured, WriteInput } from './case.ts';
import { nextTask } from './next-task.ts';
import { makeRecords } from './records.ts';
import type { BenchRecord, Content } from './records.ts';
import { Tally } from './tally.ts';

export const LOG = 'bench';

export const records = topic('records', { key: string(), value: string(), partitions: 4 });

export const inMemory = topic('in-memory', {
  key: string(),
  value: string(),
  partitions: 4,
  storage: 'memory',
});

export type BenchTopic = typeof records | typeof inMemory;

type Send = (
  producer: ReturnType<Log['producer']>,
  list: readonly BenchRecord[],
) => Promise<unknown>[];

type Read = (consumer: Consumer<typeof records>, tally: Tally, written: Content) => Promise<void>;

/** One promise a record. */
export function produceBySend(input: WriteInput): Promise<Measured> {
  return produce(input, (producer, list) => list.map((record) => producer.send(records, record)));
}

/** One promise for `CHUNK` records. */
export function produceBySendBatch(input: WriteInput): Promise<Measured> {
  return produce(input, (producer, list) => [producer.sendBatch(records, list)]);
}

/** The same by a producer that does not number its batches, and keeps none to send it again. */
export function produceNotIdempotent(input: WriteInput): Promise<Measured> {
  const send: Send = (producer, list) => [producer.sendBatch(records, list)];
  return produce(input, send, { idempotent: false });
}

/** To a topic in memory, which keeps the newest of it. */
export function produceInMemory(input: WriteInput): Promise<Measured> {
  const send: Send = (producer, list) => [producer.sendBatch(inMemory, list)];
  return produce(input, send, {}, inMemory);
}

/** One transaction after the other, of `size` records each. */
export function produceByTransactions(size: number): (input: WriteInput) => Promise<Measured> {
  return async (input) => {
    const { list, content } = await makeRecords(input.sample, input.records);
    const log = await openLog(LOG);
    await log.admin.createTopics([records]);
    const producer = log.producer({ durability: 'relaxed' });
    await producer.transaction(() => {}); // what is loaded for the first one is there
    const start = performance.now();
    for (let at = 0; at < list.length; at += size) {
      await producer.transaction((tx) => tx.sendBatch(records, list.slice(at, at + size)));
    }
    const ms = performance.now() - start;
    await checkStored(log, list.length);
    await log.close();
    return { ...content, ms };
  };
}

const readMessages: Read = async (consumer, tally, written) => {
  for await (const message of consumer) {
    tally.add(message.value);
    if (tally.records === written.records) break;
  }
};

export function consumeByMessage(written: Content): Promise<Measured> {
  return consume(written, {}, readMessages);
}

/** As the only member of a group, which commits what it has read while it reads. */
export function consumeInGroup(written: Content): Promise<Measured> {
  return consume(written, { group: 'readers' }, readMessages);
}

export function consumeByBatches(written: Content): Promise<Measured> {
  return consume(written, {}, async (consumer, tally) => {
    for await (const { messages } of consumer.batches()) {
      for (const message of messages) tally.add(message.value);
      if (tally.records >= written.records) break;
    }
  });
}

/** From the first send to the last ack. */
async function produce(
  input: WriteInput,
  send: Send,
  more: ProducerOptions = {},
  to: BenchTopic = records,
): Promise<Measured> {
  const { list, content } = await makeRecords(input.sample, input.records);
  const options: ProducerOptions = {
    durability: 'relaxed',
    compression: input.compression ?? 'none',
    ...more,
  };
  const log = await openLog(LOG);
  await log.admin.createTopics([to]);
  const producer = log.producer(options);
  const start = performance.now();
  const acks: Promise<unknown>[] = [];
  for (let at = 0; at < list.length; at += CHUNK) {
    for (const ack of send(producer, list.slice(at, at + CHUNK))) acks.push(ack);
    // As an application does, which sends from the tasks in which its records turn up.
    await nextTask();
  }
  await Promise.all(acks);
  const ms = performance.now() - start;
  await checkStored(log, list.length, to);
  await log.close();
  return { ...content, ms };
}

/** From the making of the consumer to the last value. */
async function consume(
  written: Content,
  options: Pick<ConsumerOptions, 'group'>,
  read: Read,
): Promise<Measured> {
  const log = await openLog(LOG);
  await checkStored(log, written.records);
  const tally = new Tally();
  const start = performance.now();
  const consumer = log.consumer({ ...options, topics: [records], from: 'earliest' });
  await read(consumer, tally, written);
  const ms = performance.now() - start;
  tally.check(written);
  await log.close();
  return { ...written, ms };
}

async function checkStored(log: Log, expected: number, where: BenchTopic = records): Promise<void> {
  const [{ partitions }] = await log.admin.describeTopics([where]);
  const stored = partitions.reduce((sum, { endOffset }) => sum + endOffset, 0);
  if (stored !== expected) {
    throw new Error(`the log has had ${stored} records where ${expected} were written`);
  }
}
