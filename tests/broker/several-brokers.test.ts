import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import type { TopicInfo } from '../../src/protocol/topic.ts';
import { baseOffset, batch, recordsOf } from '../support/broker-fixture.ts';
import type { TestBroker } from '../support/broker-fixture.ts';
import { World } from '../support/world.ts';
import { eventually } from '../support/waiting.ts';

/** One append: by which broker, into which partition, how many records, and after a turn or not. */
const step = fc.record({
  broker: fc.nat({ max: 3 }),
  partition: fc.nat({ max: 2 }),
  records: fc.integer({ min: 1, max: 4 }),
  pause: fc.boolean(),
});

describe('several brokers over one store', () => {
  test('append offsets that are contiguous and unique, and all read all of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 4 }),
        fc.array(step, { minLength: 1, maxLength: 40 }),
        async (count, steps) => {
          const world = new World();
          const brokers = Array.from({ length: count }, () => world.broker());
          const topic = await brokers[0]!.create('orders', 3);
          const model = await appendAll(brokers, topic, steps);
          for (const broker of brokers) {
            for (let partition = 0; partition < 3; partition++) {
              expect(await broker.readAll(topic, { partition })).toEqual(model[partition]);
            }
          }
          for (const { broker } of brokers) broker.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  /** Runs the steps, many at once, and resolves with each partition's values by offset. */
  async function appendAll(
    brokers: readonly TestBroker[],
    topic: TopicInfo,
    steps: readonly { broker: number; partition: number; records: number; pause: boolean }[],
  ): Promise<string[][]> {
    const model: string[][] = [[], [], []];
    const appends = [];
    for (const [i, { broker, partition, records, pause }] of steps.entries()) {
      const values = Array.from({ length: records }, (_, n) => `${i}.${n}`);
      const through = brokers[broker % brokers.length]!;
      const append = through.produce(topic, batch(...values), { partition }).then((result) => {
        const base = baseOffset(result);
        for (const [n, value] of values.entries()) {
          expect(model[partition]![base + n]).toBeUndefined(); // no offset is given twice
          model[partition]![base + n] = value;
        }
      });
      appends.push(append);
      if (pause) await append;
    }
    await Promise.all(appends);
    for (const values of model) expect(Object.keys(values)).toHaveLength(values.length);
    return model;
  }

  test('keep the order of what one broker appends', async () => {
    const log = new World();
    const [one, other] = [log.broker(), log.broker()];
    const topic = await one.create('orders');
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    await Promise.all(
      numbers.flatMap((i) => [one.append(topic, `one ${i}`), other.append(topic, `other ${i}`)]),
    );
    const values = await log.broker().readAll(topic);
    for (const who of ['one', 'other']) {
      const own = values.filter((value) => value.startsWith(who));
      expect(own).toEqual(numbers.map((i) => `${who} ${i}`));
    }
  });

  test('read on where another broker was asked before', async () => {
    const log = new World();
    const brokers = [log.broker(), log.broker(), log.broker()];
    const topic = await brokers[0]!.create('orders');
    for (let i = 0; i < 12; i++) {
      await brokers[i % 3]!.append(topic, String(i));
      const fetched = await brokers[(i + 1) % 3]!.fetch(topic, { offset: i });
      expect(recordsOf(fetched).map(({ offset }) => offset)).toEqual([i]);
    }
  });
});

describe('hints', () => {
  const forged = [
    null,
    'appended',
    { kind: 'appended' },
    { kind: 'appended', partitions: [{ topicId: 'nobody', partition: 0, endOffset: 5 }] },
    { kind: 'topics' },
    { kind: 'unknown' },
  ];

  test('that are forged change nothing but what is looked up again', async () => {
    const log = new World();
    const shop = log.broker();
    const topic = await shop.create('orders');
    await shop.append(topic, 'a', 'b');
    const channel = new BroadcastChannel(`tablog/${PROTOCOL_VERSION}/${log.name}`);
    onTestFinished(() => channel.close());
    const lies = [-1, 0, 1, 2, 3, Number.MAX_SAFE_INTEGER].map((endOffset) => ({
      kind: 'appended',
      partitions: [{ topicId: topic.id, partition: 0, endOffset }],
    }));
    const heard = new BroadcastChannel(`tablog/${PROTOCOL_VERSION}/${log.name}`);
    onTestFinished(() => heard.close());
    const all = [...forged, ...lies];
    const last = new Promise<void>((resolve) => {
      let left = all.length;
      heard.addEventListener('message', () => --left === 0 && resolve());
    });
    for (const lie of all) channel.postMessage(lie);
    await last;
    expect(await shop.readAll(topic)).toEqual(['a', 'b']);
    expect(await shop.append(topic, 'c')).toBe(2);
    expect(await shop.fetch(topic, { offset: 3 })).toBeUndefined();
  });

  test('go out for what is appended, in one message for many', async () => {
    const log = new World();
    const shop = log.broker();
    const topic = await shop.create('orders', 2);
    log.clock.advance(20);
    const channel = new BroadcastChannel(`tablog/${PROTOCOL_VERSION}/${log.name}`);
    onTestFinished(() => channel.close());
    const messages: unknown[] = [];
    channel.addEventListener('message', ({ data }) => messages.push(data));
    const told = (partition: number, endOffset: number): unknown => ({
      topicId: topic.id,
      partition,
      endOffset,
    });
    await shop.append(topic, 'a');
    await shop.append(topic, 'b', 'c');
    await shop.produce(topic, batch('x'), { partition: 1 });
    log.clock.advance(20);
    await eventually(() => expect(messages).toHaveLength(2));
    expect(messages).toEqual([
      { kind: 'appended', partitions: [told(0, 1)] },
      { kind: 'appended', partitions: [told(0, 3), told(1, 1)] },
    ]);
  });
});
