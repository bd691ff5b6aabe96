import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { KafkaGateway, MirrorSocket } from '../../src/gateway.ts';
import type { Log } from '../../src/index.ts';
import { describeMirrors, followMirror } from '../../src/mirror.ts';
import type { FollowMirrorOptions, MirrorPort } from '../../src/mirror.ts';
import { openTab, take } from '../support/log-fixture.ts';
import { gatewayTo, kafkaAt, newTopic, until, useKafka } from './kafka-fixture.ts';

const broker = useKafka();

/** Serves the mirrors of a gateway; `port` opens a socket to it. */
async function served(gateway: KafkaGateway): Promise<{
  port: (topic: string) => () => MirrorPort;
  cut: () => void;
}> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket, { url = '/' }) => {
    const request = new Request(new URL(url, 'http://gateway.test'));
    void gateway.mirror(socket as unknown as MirrorSocket, request);
  });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    port: (topic) => () =>
      new WebSocket(`ws://127.0.0.1:${port}/mirror?topic=${topic}`) as unknown as MirrorPort,
    cut: () => {
      for (const socket of server.clients) socket.terminate();
    },
  };
}

function followed(
  log: Log,
  port: FollowMirrorOptions['port'],
  options: Partial<FollowMirrorOptions> = {},
): ReturnType<typeof followMirror> {
  const follower = followMirror(log, {
    name: 'cluster',
    port,
    backoffMs: 5,
    maxBackoffMs: 50,
    ...options,
  });
  onTestFinished(() => follower.close());
  return follower;
}

/** Sends each group of values in a transaction, which is aborted where the first one says so. */
async function transact(topic: string, groups: readonly (readonly string[])[]): Promise<void> {
  const transactionalId = `test-${crypto.randomUUID()}`;
  const retry = { initialRetryTime: 10, retries: 20 };
  const producer = kafkaAt(broker()).producer({
    transactionalId,
    maxInFlightRequests: 1,
    idempotent: true,
    retry,
  });
  await producer.connect();
  for (const values of groups) {
    const transaction = await producer.transaction();
    await transaction.send({
      topic,
      messages: values.map((value) => ({
        key: `key of ${value}`,
        value,
        headers: { from: 'kafka' },
        timestamp: '1000',
      })),
    });
    await (values[0] === 'aborted' ? transaction.abort() : transaction.commit());
  }
  await producer.disconnect();
}

describe('a mirror of a topic of Kafka', () => {
  test('has its committed messages, at their offsets, and goes on after each cut', async () => {
    const kafka = kafkaAt(broker());
    const topic = await newTopic(kafka);
    await transact(topic, [['a', 'b'], ['aborted'], ['c']]);
    const log = await openTab();
    const { port, cut } = await served(gatewayTo(kafka, 'none', { mirrors: [topic] }));
    followed(log, port(topic));
    await until(async () => expect(await log.admin.listTopics()).toHaveLength(2));
    const consumer = log.consumer({ topics: [topic], from: 'earliest' });
    const texts = async (count: number): Promise<unknown[]> =>
      (await take(consumer, count)).map(({ offset, key, value, headers, timestamp }) => {
        const [text, name] = [value, key].map((each) => new TextDecoder().decode(each!));
        return [offset, name, text, headers.length, timestamp];
      });
    // A transaction ends with a control record, which has an offset, too.
    expect(await texts(3)).toEqual([
      [0, 'key of a', 'a', 1, 1_000],
      [1, 'key of b', 'b', 1, 1_000],
      [5, 'key of c', 'c', 1, 1_000],
    ]);
    cut();
    await transact(topic, [['d']]);
    expect(await texts(1)).toEqual([[7, 'key of d', 'd', 1, 1_000]]);
    const [mirror] = await describeMirrors(log);
    expect(mirror).toMatchObject({ topic, partitions: [{ partition: 0, endOffset: 8 }] });
  });

  test('ends with the reason where the topic was made anew', async () => {
    const kafka = kafkaAt(broker());
    const topic = await newTopic(kafka);
    await transact(topic, [['a', 'b']]);
    const log = await openTab();
    const { port, cut } = await served(gatewayTo(kafka, 'none', { mirrors: [topic] }));
    const follower = followed(log, port(topic));
    const consumer = log.consumer({ topics: [topic], from: 'earliest' });
    await until(async () => expect(await log.admin.listTopics()).toHaveLength(2));
    await take(consumer, 2);
    await newTopic(kafka, 1, topic);
    cut();
    await until(async () => expect(await follower.status()).toMatchObject({ state: 'failed' }));
    expect((await follower.status()).error?.message).toContain('was made anew');
  });

  test('is not to be had of a topic that is not among the mirrors', async () => {
    const kafka = kafkaAt(broker());
    const topic = await newTopic(kafka);
    const log = await openTab();
    const { port } = await served(gatewayTo(kafka, topic));
    const follower = followed(log, port(topic));
    await until(async () => expect(await follower.status()).toMatchObject({ state: 'failed' }));
    expect((await follower.status()).error?.message).toContain('is no topic to mirror');
  });
});
