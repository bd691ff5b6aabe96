import { describe, expect, test } from 'vitest';
import { kafkaGateway } from '../../src/gateway.ts';
import { json, topic } from '../../src/index.ts';
import { logWith, openTwoTabs, readAll } from '../support/log-fixture.ts';
import { connected, send, upTo } from './connected.ts';
import { gatewayTo, kafkaAt, newTopic, readTopic, until, useKafka } from './kafka-fixture.ts';

const broker = useKafka();

describe('a gateway', () => {
  test('writes records as they are, in the order of their partitions', async () => {
    const kafka = kafkaAt(broker());
    const name = await newTopic(kafka, 2);
    const log = await logWith(topic(name, { partitions: 4 }));
    await log.producer().sendBatch(name, [
      { partition: 0, key: 'k', value: 'text', headers: { a: 'b' }, timestamp: 1_000 },
      { partition: 3, key: new Uint8Array([0xff]), value: null, timestamp: 2_000 },
      { partition: 1, value: '{"n":1}', timestamp: 3_000 },
    ]);
    await connected(log, name, gatewayTo(kafka, name)).drain();
    const [{ id }] = await log.admin.describeTopics([name]);
    const messages = await readTopic(kafka, name);
    const [of0, of3, of1] = [0, 3, 1].map((partition) => ({ 'tablog-id': `${id}-${partition}-0` }));
    expect(messages).toHaveLength(3);
    expect(messages).toMatchObject([
      { partition: 0, key: 'k', value: 'text', timestamp: 1_000, headers: { ...of0, a: 'b' } },
      { partition: 1 },
      { partition: 1 },
    ]);
    // Of two partitions that share one of Kafka's, either may come first.
    expect(messages).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ key: '\ufffd', value: null, timestamp: 2_000, headers: of3 }),
        expect.objectContaining({ key: null, value: '{"n":1}', timestamp: 3_000, headers: of1 }),
      ]),
    );
  });

  test('has every record once, whichever of two gateways a tab gets', async () => {
    const kafka = kafkaAt(broker());
    const name = await newTopic(kafka);
    const [log, other] = await openTwoTabs(name);
    const gateways = [gatewayTo(kafka, name), gatewayTo(kafka, name)];
    const connectors = [log, other].map((each) => connected(each, name, gateways));
    for (let i = 0; i < 5; i++) {
      await send(log, name, i * 10, i * 10 + 10);
      await connectors[i % 2]!.drain().catch(() => {}); // the other tab has fenced it
    }
    await Promise.all(connectors.map((connector) => connector.drain()));
    expect((await readTopic(kafka, name)).map(({ value }) => value)).toEqual(upTo(50));
  });

  test('drops nothing of a log that was lost, and begins at offset 0 again', async () => {
    const kafka = kafkaAt(broker());
    const name = await newTopic(kafka);
    const gateway = gatewayTo(kafka, name);
    for (const from of [0, 5]) {
      const log = await logWith(name);
      await send(log, name, from, from + 5);
      await connected(log, name, gateway).drain();
    }
    expect((await readTopic(kafka, name)).map(({ value }) => value)).toEqual(upTo(10));
  });
});

describe('is told, and nothing is written:', () => {
  test('a topic that is none of the gateway', async () => {
    const kafka = kafkaAt(broker());
    const name = await newTopic(kafka);
    const log = await logWith(name);
    await send(log, name, 0, 1);
    const connector = connected(log, name, gatewayTo(kafka, 'others'));
    await until(async () => expect(await connector.status()).toMatchObject({ state: 'failed' }));
    expect((await connector.status()).error?.message).toContain(
      `the topic '${name}' is none of those that the gateway takes`,
    );
    expect(await readTopic(kafka, name)).toEqual([]);
  });

  test('a topic that Kafka has not', async () => {
    const name = `missing-${crypto.randomUUID()}`;
    const log = await logWith(name);
    await send(log, name, 0, 1);
    const connector = connected(log, name, gatewayTo(kafkaAt(broker()), name));
    await until(async () =>
      expect(await connector.status()).toMatchObject({ state: 'backingOff' }),
    );
    expect((await connector.status()).error?.message).toContain('create it there');
  });

  test('nobody, and a user who may not', async () => {
    const kafka = kafkaAt(broker());
    const name = await newTopic(kafka);
    const log = await logWith(name);
    await send(log, name, 0, 3);
    const gateway = gatewayTo(kafka, name, {
      authorize: ({ headers }) => {
        const user = headers.get('authorization');
        return user === null ? null : { user, topics: user === 'ann' ? [/./] : [] };
      },
    });
    let authorization: string | undefined;
    const connector = connected(log, name, gateway, {
      http: { auth: () => (authorization === undefined ? {} : { authorization }) },
    });
    for (const [user, told] of [
      [undefined, 'nobody is signed in'],
      ['bob', "is not this user's to write to"],
    ] as const) {
      authorization = user;
      await until(async () => {
        const { state, error } = await connector.status();
        expect([state, error?.message]).toEqual(['unauthorized', expect.stringContaining(told)]);
      });
    }
    expect(await readTopic(kafka, name)).toEqual([]);
    authorization = 'ann';
    await until(async () => expect((await connector.status()).partitions[0]?.lag).toBe(0));
  });

  test('too many requests, after which the rest comes', async () => {
    const kafka = kafkaAt(broker());
    const name = await newTopic(kafka);
    const log = await logWith(name);
    await send(log, name, 0, 6);
    const gateway = gatewayTo(kafka, name, { maxRequestsPerSecond: 2 });
    const seen: string[] = [];
    const connector = connected(log, name, gateway, {
      maxRecords: 2,
      onStatus: (_, error) => void (error && seen.push(error.message)),
    });
    await until(async () => expect((await connector.status()).delivered).toBe(6));
    expect(seen.join()).toContain('429');
    expect((await readTopic(kafka, name)).map(({ value }) => value)).toEqual(upTo(6));
  });

  test('a record that is too large, which is a dead letter', async () => {
    const kafka = kafkaAt(broker());
    const name = await newTopic(kafka);
    const letters = topic('letters', { value: json() });
    const log = await logWith(topic(name, { maxRecordBytes: 4_000_000 }), letters);
    await log.producer().sendBatch(
      name,
      ['a', 'x'.repeat(2_000_000), 'b'].map((value) => ({ value })),
    );
    const gateway = gatewayTo(kafka, name, { maxBytes: 10_000_000 });
    const deadLetterTopic = topic('letters', { maxRecordBytes: 4_000_000 });
    await log.admin.alterTopics([{ topic: 'letters', config: { maxRecordBytes: 4_000_000 } }]);
    await connected(log, name, gateway, { deadLetterTopic }).drain();
    expect((await readTopic(kafka, name)).map(({ value }) => value)).toEqual(['a', 'b']);
    expect(await readAll(log, 'letters')).toHaveLength(1);
  });

  test.each([
    [{ kafka: {} }, 'kafka'],
    [{ topics: undefined }, 'needs topics'],
    [{ topics: [1] }, 'each of topics must be a name, or a pattern without the flags g and y'],
    [{ authorize: undefined }, "needs authorize: a function, or 'everybody'"],
    [{ authorize: 'nobody' }, "authorize must be a function, or 'everybody'"],
    [{ maxRequestsPerSecond: 0 }, 'maxRequestsPerSecond'],
    [{ positionTopic: 'a' }, 'did you mean positionsTopic?'],
  ])('a wrong option: %o', (wrong, message) => {
    const options = { kafka: kafkaAt(broker()), topics: ['t'], authorize: 'everybody', ...wrong };
    expect(() => kafkaGateway(options as never)).toThrow(message);
  });
});
