import { setTimeout as wait } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { setClock } from '../support/shifted-clock.ts';
import { logWith } from '../support/log-fixture.ts';
import { connected, send, upTo } from './connected.ts';
import { gatewayTo, kafkaAt, newTopic, readTopic, until, useKafka } from './kafka-fixture.ts';

const broker = useKafka();

test('has every record once, though the broker dies and its windows pass', async () => {
  const own = broker();
  const kafka = kafkaAt(own);
  const name = await newTopic(kafka);
  const log = await logWith(name);
  const gateway = gatewayTo(kafka, name);
  const connector = connected(log, name, gateway);
  await send(log, name, 0, 10);
  await connector.drain();
  await own.kill();
  await send(log, name, 10, 20);
  await until(async () => expect(await connector.status()).toMatchObject({ state: 'backingOff' }));
  await own.start();
  await until(async () => expect((await connector.status()).partitions[0]?.lag).toBe(0));
  await connector.close();
  await gateway.close();
  await wait(8_000); // transactional ids and producer ids are forgotten after 5 s
  await send(log, name, 20, 30);
  await connected(log, name, gatewayTo(kafka, name)).drain();
  expect((await readTopic(kafka, name)).map(({ value }) => value)).toEqual(upTo(30));
});

test('has every record once, though Kafka has forgotten the offsets of its groups', async () => {
  const weekMs = 8 * 86_400_000;
  const own = broker();
  const kafka = kafkaAt(own);
  const name = await newTopic(kafka);
  const log = await logWith(name);
  const gateway = gatewayTo(kafka, name);
  const connector = connected(log, name, gateway);
  await send(log, name, 0, 10);
  await connector.drain();
  await connector.close();
  await gateway.close();
  // The connector has not heard of it: its own position is behind Kafka's.
  await log.admin.alterGroupOffsets('connect-kafka', [{ topic: name, partition: 0, offset: 0 }]);

  const [{ id }] = await log.admin.describeTopics([name]);
  await own.passTime(weekMs);
  setClock(weekMs);
  onTestFinished(() => setClock(0));
  await own.start();
  const admin = kafka.admin();
  await admin.connect();
  onTestFinished(() => admin.disconnect());
  await until(async () => {
    const { groups } = await admin.listGroups();
    expect(groups.filter(({ groupId }) => groupId.startsWith(`tablog-kafka/${id}`))).toEqual([]);
  });
  await send(log, name, 10, 20);
  await connected(log, name, gatewayTo(kafka, name)).drain();
  expect((await readTopic(kafka, name)).map(({ value }) => value)).toEqual(upTo(20));
});
