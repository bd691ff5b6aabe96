import type { Kafka } from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import type { KafkaGateway } from '../../src/gateway.ts';
import { setClock } from '../support/shifted-clock.ts';
import { KafkaBroker } from './broker.ts';
import { gatewayTo, kafkaAt, newTopic, readTopic, until, useKafka } from './kafka-fixture.ts';

const WEEK_MS = 8 * 86_400_000;
const broker = useKafka();

/** The headers of a source's requests. */
function headersOf(source: string, from = 0, to = 0): HeadersInit {
  return {
    'content-type': 'application/json',
    'tablog-protocol': '1',
    'tablog-source': source,
    'tablog-log': 'log',
    'tablog-topic': 'topic',
    'tablog-partition': '0',
    'tablog-from': String(from),
    'tablog-to': String(to),
  };
}

function asking(source: string): Request {
  return new Request('https://gateway.test/', { headers: headersOf(source) });
}

/** Posts records with their offsets as values. */
function posting(source: string, topic: string, from: number, to: number): Request {
  const records = Array.from({ length: to - from }, (_, i) => {
    const offset = from + i;
    const value = String(offset);
    return {
      id: `${source}-${offset}`,
      topic,
      offset,
      timestamp: 1,
      key: null,
      value,
      headers: [],
    };
  });
  const headers = headersOf(source, from, to);
  const body = JSON.stringify(records);
  return new Request('https://gateway.test/', { method: 'POST', headers, body });
}

function told({ status, headers }: Response): readonly [number, string | null] {
  return [status, headers.get('tablog-position')];
}

/** Leaves a transaction open, with records and the position behind them, as a gateway that dies. */
async function leaveOpen(
  kafka: Kafka,
  source: string,
  topic: string,
  positionsTopic: string,
): Promise<void> {
  const producer = kafka.producer({
    transactionalId: `tablog-${source}`,
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: 5_000,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.sendBatch({
    topicMessages: [
      { topic, messages: ['0', '1'].map((value) => ({ value, partition: 0 })) },
      { topic: positionsTopic, messages: [{ key: source, value: '2', partition: 0 }] },
    ],
  });
  await transaction.sendOffsets({
    consumerGroupId: `tablog-${source}`,
    topics: [{ topic: positionsTopic, partitions: [{ partition: 0, offset: '2' }] }],
  });
  await producer.disconnect();
}

/** Two sources have no position, and write from their beginning on, behind one record of a third. */
async function expectBothAnew(kafka: Kafka, gateway: KafkaGateway, topic: string): Promise<void> {
  for (const source of ['c/A/0', 'c/B/0']) {
    await until(async () => {
      expect(told(await gateway.handle(asking(source)))).toEqual([200, 'none']);
    });
    expect(told(await gateway.handle(posting(source, topic, 0, 2)))).toEqual([200, '2']);
  }
  const values = (await readTopic(kafka, topic)).map(({ value }) => value);
  expect(values).toEqual(['0', '0', '1', '0', '1']);
}

test('positions of transactions that were aborted side by side are none', async () => {
  const kafka = kafkaAt(broker());
  const topic = await newTopic(kafka);
  const positionsTopic = await newTopic(kafka);
  const first = gatewayTo(kafka, topic, { positionsTopic });
  // A broker that is new has no coordinator for a moment.
  await until(async () => {
    expect(told(await first.handle(posting('c/C/0', topic, 0, 1)))).toEqual([200, '1']);
  });
  // KafkaJS takes the one that began first, and ends last, for committed.
  for (const source of ['c/B/0', 'c/A/0']) await leaveOpen(kafka, source, topic, positionsTopic);
  const gateway = gatewayTo(kafka, topic, { positionsTopic });
  await expectBothAnew(kafka, gateway, topic);
});

test('positions of transactions that were aborted are none, though a week passes before they are asked for', async () => {
  const own = await KafkaBroker.create();
  onTestFinished(() => own.remove());
  await own.start();
  const kafka = kafkaAt(own);
  const topic = await newTopic(kafka);
  const positionsTopic = await newTopic(kafka);
  const first = gatewayTo(kafka, topic, { positionsTopic });
  await until(async () => {
    expect(told(await first.handle(posting('c/C/0', topic, 0, 1)))).toEqual([200, '1']);
  });
  await first.close();
  for (const source of ['c/B/0', 'c/A/0']) await leaveOpen(kafka, source, topic, positionsTopic);
  await own.passTime(WEEK_MS);
  setClock(WEEK_MS);
  onTestFinished(() => setClock(0));
  await own.start();
  const gateway = gatewayTo(kafka, topic, { positionsTopic });
  await until(async () => {
    expect(told(await gateway.handle(asking('c/C/0')))).toEqual([200, '1']);
  });
  await expectBothAnew(kafka, gateway, topic);
});

test('a position whose transaction never ends is none', async () => {
  const own = await KafkaBroker.create();
  onTestFinished(() => own.remove());
  await own.start();
  const kafka = kafkaAt(own);
  const topic = await newTopic(kafka);
  const positionsTopic = await newTopic(kafka);
  // Of a producer of another name: the one of the source does not end it.
  const stranger = kafka.producer({
    transactionalId: 'stranger',
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: 120_000,
  });
  await stranger.connect();
  onTestFinished(() => stranger.disconnect());
  const transaction = await stranger.transaction();
  const message = { key: 'c/A/0', value: '2', partition: 0 };
  await transaction.sendBatch({ topicMessages: [{ topic: positionsTopic, messages: [message] }] });
  const gateway = gatewayTo(kafka, topic, { positionsTopic });
  await until(async () => {
    expect(told(await gateway.handle(asking('c/A/0')))).toEqual([200, 'none']);
  });
  expect(told(await gateway.handle(posting('c/A/0', topic, 0, 2)))).toEqual([200, '2']);
});

test('of more sources than there may be producers each is written once, and closing waits', async () => {
  const kafka = kafkaAt(broker());
  const topic = await newTopic(kafka);
  const gateway = gatewayTo(kafka, topic, { maxProducers: 1 });
  const sources = ['c/D/0', 'c/E/0', 'c/F/0'];
  for (const to of [2, 4]) {
    const answers = sources.map((source) => gateway.handle(posting(source, topic, to - 2, to)));
    for (const answer of await Promise.all(answers)) {
      expect(told(answer)).toEqual([200, String(to)]);
    }
  }
  await gateway.close();
  const late = await gateway.handle(posting('c/D/0', topic, 4, 6));
  expect(late.status).toBe(503);
  expect(await late.text()).toContain('the gateway is closed');
  const values = (await readTopic(kafka, topic)).map(({ value }) => value);
  expect(values.toSorted((a, b) => Number(a) - Number(b))).toEqual([
    '0',
    '0',
    '0',
    '1',
    '1',
    '1',
    '2',
    '2',
    '2',
    '3',
    '3',
    '3',
  ]);
});

test('a partition that there is not is told, and nothing is written', async () => {
  const kafka = kafkaAt(broker());
  const topic = await newTopic(kafka, 2);
  const gateway = gatewayTo(kafka, topic, { toMessage: () => ({ partition: 5 }) });
  const answer = await gateway.handle(posting('c/T/0', topic, 0, 2));
  expect(answer.status).toBe(404);
  expect(await answer.text()).toContain('has no partition 5');
  expect(told(await gateway.handle(asking('c/T/0')))).toEqual([200, 'none']);
  expect(await readTopic(kafka, topic)).toEqual([]);
});

test('a topic that was made anew with fewer partitions gets everything', async () => {
  const kafka = kafkaAt(broker());
  const topic = await newTopic(kafka, 4);
  const gateway = gatewayTo(kafka, topic, {
    toMessage: (_, { partition }) => ({ partition: partition % 4 }),
  });
  const source = 'c/T/0';
  expect(told(await gateway.handle(posting(source, topic, 0, 2)))).toEqual([200, '2']);
  await newTopic(kafka, 1, topic);
  await until(async () => {
    expect(told(await gateway.handle(posting(source, topic, 2, 4)))).toEqual([200, '4']);
  });
  expect((await readTopic(kafka, topic)).map(({ value }) => value)).toEqual(['2', '3']);
});

test("the positions, and Kafka's own topics, are nobody's to write to", async () => {
  const kafka = kafkaAt(broker());
  const positionsTopic = await newTopic(kafka);
  const gateway = gatewayTo(kafka, '', { topics: [/./], positionsTopic });
  for (const topic of [positionsTopic, '__consumer_offsets']) {
    const answer = await gateway.handle(posting('c/T/0', topic, 0, 1));
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain(`the topic '${topic}' is none of those`);
  }
});

test('a source that leaves a transaction open does not hold up the others', async () => {
  const kafka = kafkaAt(broker());
  const topic = await newTopic(kafka);
  const positionsTopic = await newTopic(kafka);
  const gateway = gatewayTo(kafka, topic, { positionsTopic });
  expect(told(await gateway.handle(posting('c/A/0', topic, 0, 2)))).toEqual([200, '2']);
  await leaveOpen(kafka, 'c/gone/0', topic, positionsTopic);
  const other = gatewayTo(kafka, topic, { positionsTopic });
  onTestFinished(() => other.close());
  expect(told(await other.handle(posting('c/A/0', topic, 2, 4)))).toEqual([200, '4']);
});
