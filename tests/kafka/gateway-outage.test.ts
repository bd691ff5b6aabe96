import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
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
