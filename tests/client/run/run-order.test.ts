import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { openTab } from '../../support/log-fixture.ts';
import { logWith } from '../../support/log-fixture.ts';
import type { stubHost } from '../../support/stub-broker.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import {
  Hands,
  asMember,
  asReader,
  committed,
  handOut,
  orders,
  send,
  series,
  valueOf,
} from './run-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';

describe('concurrency 1', () => {
  test('is the default: one message after the other, in order', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'b:0', 'a:1');
    const hands = handOut(log.consumer(asMember));
    for (const value of ['a:0', 'b:0', 'a:1']) {
      await hands.get(value);
      await settle();
      expect(hands.inHand).toEqual([value]);
      await hands.end(value);
    }
    expect(hands.started).toEqual(['a:0', 'b:0', 'a:1']);
  });

  test('also takes its turn with every partition', async () => {
    const log = await logWith(orders);
    for (let partition = 0; partition < 4; partition++) {
      await send(log, partition, ...series(`p${partition}`, 20));
    }
    const seen: string[] = [];
    const consumer = log.consumer(asMember);
    const over = consumer.run({ eachMessage: (message) => void seen.push(valueOf(message)) });
    await eventually(() => seen.length === 80);
    for (let partition = 0; partition < 4; partition++) {
      expect(seen.filter((value) => value.startsWith(`p${partition}`))).toEqual(
        series(`p${partition}`, 20),
      );
    }
    await consumer.close();
    await over;
  });

  test('takes what a handler that is not async returns', async () => {
    const log = await logWith(orders);
    await send(log, 0, ...series('a', 50));
    const seen: string[] = [];
    void log.consumer(asMember).run({ eachMessage: (message) => void seen.push(valueOf(message)) });
    await eventually(() => seen.length === 50);
    await eventually(async () => (await committed(log))[0] === 50);
    expect(seen).toEqual(series('a', 50));
  });
});

describe('concurrency 2 and more', () => {
  test('runs that many at a time and no more', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'b:0', 'c:0', 'd:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await hands.get('b:0');
    await settle();
    expect(hands.inHand).toEqual(['a:0', 'b:0']);
    await hands.end('b:0');
    await hands.get('c:0');
    await settle();
    expect(hands.inHand).toEqual(['a:0', 'c:0']);
  });

  test('different partitions side by side, also with the same key', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0');
    await send(log, 1, 'a:1');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await Promise.all([hands.get('a:0'), hands.get('a:1')]);
  });

  test('different topics side by side, also with the same key and partition', async () => {
    const refunds = topic('refunds', { key: orders.key, value: orders.value });
    const log = await logWith(orders, refunds);
    await send(log, 0, 'a:0');
    await log.producer().send(refunds, { key: 'a', value: 'a:1' });
    const hands = new Hands();
    const consumer = log.consumer({ ...asMember, topics: [orders, refunds] });
    void consumer.run({ eachMessage: hands.handle as never, concurrency: 2 });
    await Promise.all([hands.get('a:0'), hands.get('a:1')]);
  });

  test('messages of one key one after the other, and those of others meanwhile', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1', 'b:0', 'a:2', 'b:1');
    const hands = handOut(log.consumer(asMember), { concurrency: 4 });
    await hands.get('b:0');
    await settle();
    expect(hands.inHand).toEqual(['a:0', 'b:0']);
    await hands.end('b:0');
    await hands.get('b:1');
    await settle();
    expect(hands.inHand).toEqual(['a:0', 'b:1']);
    await hands.end('a:0', 'a:1', 'a:2');
  });

  test('messages without a key one after the other', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'none 0', 'none 1', 'a:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 4 });
    await hands.get('a:0');
    await settle();
    expect(hands.inHand).toEqual(['none 0', 'a:0']);
    await hands.end('none 0', 'none 1');
    expect(hands.started).toEqual(['none 0', 'a:0', 'none 1']);
  });

  test('an empty key is a key', async () => {
    const log = await logWith(orders);
    await send(log, 0, ':0', 'none 0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await Promise.all([hands.get(':0'), hands.get('none 0')]);
  });

  test('a hot key of one partition does not hold up the others', async () => {
    const log = await logWith(orders);
    await send(log, 0, ...series('hot', 500));
    await send(log, 1, ...series('b', 30));
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await hands.get('hot:0');
    await hands.end(...series('b', 30));
    expect(hands.inHand).toEqual(['hot:0']);
  });

  test('without a group as well', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1', 'b:0');
    await send(log, 1, 'c:0');
    const hands = handOut(log.consumer(asReader), { concurrency: 3 });
    await Promise.all(['a:0', 'b:0', 'c:0'].map((value) => hands.get(value)));
    expect(hands.started).toHaveLength(3);
    await hands.end('c:0', 'b:0', 'a:0', 'a:1');
    await settle();
    expect(await log.admin.listGroups()).toEqual([]);
  });
});

describe('commits', () => {
  test('wait for the oldest message that is not processed', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'b:0', 'c:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 3 });
    await hands.end('c:0', 'b:0');
    await settle();
    expect(await committed(log)).toEqual([0, 0, 0, 0]);
    await hands.end('a:0');
    await eventually(async () => (await committed(log))[0] === 3);
  });

  test('of a manual consumer are those of its handlers', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1', 'a:2');
    const seen: string[] = [];
    void log.consumer({ ...asMember, commit: 'manual' }).run({
      eachMessage: async (message) => {
        if (message.offset === 1) await message.commit();
        seen.push(valueOf(message));
      },
    });
    await eventually(() => seen.length === 3);
    await settle();
    expect(await committed(log)).toEqual([2, 0, 0, 0]);
  });
});

/** A record of the random runs, and what its handler's turn among those in hand is. */
const record = fc.record({
  partition: fc.nat({ max: 2 }),
  key: fc.constantFrom('a', 'b', 'c', null),
  turn: fc.nat({ max: 100 }),
});
const records = fc.array(record, { minLength: 1, maxLength: 40 });

interface Sent {
  readonly partition: number;
  readonly lane: string;
  readonly value: string;
  readonly offset: number;
}

/** A log with these records: what was sent, in order. */
async function logOf(wanted: readonly { partition: number; key: string | null }[]): Promise<{
  host: ReturnType<typeof stubHost>;
  log: Awaited<ReturnType<typeof openTab>>;
  sent: Sent[];
}> {
  const { log, host } = await stubbedLog(orders);
  const ends = [0, 0, 0];
  const sent = wanted.map(({ partition, key }, i) => ({
    partition,
    lane: `${partition}/${key}`,
    value: key === null ? `none ${i}` : `${key}:${i}`,
    offset: ends[partition]!++,
  }));
  for (let partition = 0; partition < 3; partition++) {
    const values = sent.filter((one) => one.partition === partition).map(({ value }) => value);
    if (values.length > 0) await send(log, partition, ...values);
  }
  return { host, log, sent };
}

/** The offset of the first record of each partition that is not processed. */
function firstOpen(sent: readonly Sent[], done: readonly string[], partition: number): number {
  const mine = sent.filter((one) => one.partition === partition);
  return mine.find(({ value }) => !done.includes(value))?.offset ?? mine.length;
}

describe('whatever the handlers take', () => {
  test('each key keeps its order, all is processed, and no commit passes what is not', async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.integer({ min: 1, max: 5 }), async (wanted, concurrency) => {
        const { host, log, sent } = await logOf(wanted);
        const hands = new Hands();
        const topicId = (await log.admin.describeTopics([orders]))[0].id;
        host.answer('commitOffsets', (request, real) => {
          for (const { topicId: of, partition, offset } of request.offsets) {
            expect(of).toBe(topicId);
            expect(offset).toBeLessThanOrEqual(firstOpen(sent, hands.done, partition));
          }
          return real(request);
        });
        const consumer = log.consumer(asMember);
        const over = consumer.run({ eachMessage: hands.handle, concurrency });
        for (const { turn } of wanted) {
          await eventually(() => hands.inHand.length > 0);
          await settle();
          const { inHand } = hands;
          expect(inHand.length).toBeLessThanOrEqual(concurrency);
          const lanes = inHand.map((name) => sent.find(({ value }) => value === name)!.lane);
          expect(new Set(lanes).size).toBe(inHand.length);
          await hands.end(inHand[turn % inHand.length]!);
        }
        for (const lane of new Set(sent.map((one) => one.lane))) {
          const mine = sent.filter((one) => one.lane === lane).map(({ value }) => value);
          expect(hands.started.filter((value) => mine.includes(value))).toEqual(mine);
        }
        await consumer.close();
        await over;
        expect((await committed(log)).slice(0, 3)).toEqual(
          [0, 1, 2].map((p) => sent.filter(({ partition }) => partition === p).length),
        );
        await log.close();
      }),
      { numRuns: 30 },
    );
  });

  test('what was not processed when the consumer went comes again', async () => {
    await fc.assert(
      fc.asyncProperty(
        records,
        fc.integer({ min: 1, max: 5 }),
        fc.nat({ max: 40 }),
        async (wanted, concurrency, processed) => {
          const { log, sent } = await logOf(wanted);
          const hands = new Hands();
          const consumer = log.consumer(asMember);
          const over = consumer.run({ eachMessage: hands.handle, concurrency });
          for (const { turn } of wanted.slice(0, processed)) {
            await eventually(() => hands.inHand.length > 0);
            await hands.end(hands.inHand[turn % hands.inHand.length]!);
          }
          await settle();
          for (const [partition, offset] of (await committed(log)).slice(0, 3).entries()) {
            expect(offset).toBeLessThanOrEqual(firstOpen(sent, hands.done, partition));
          }
          await consumer.close();
          await over;

          const again: string[] = [];
          const open = sent.filter(({ value }) => !hands.done.includes(value));
          const next = log.consumer(asMember);
          void next.run({ eachMessage: (message) => void again.push(valueOf(message)) });
          await next.ready;
          await eventually(() => open.every(({ value }) => again.includes(value)));
          for (const partition of [0, 1, 2]) {
            const mine = sent.filter((one) => one.partition === partition);
            const left = mine.slice(firstOpen(sent, hands.done, partition));
            const values = left.map(({ value }) => value);
            expect(again.filter((value) => mine.some((one) => one.value === value))).toEqual(
              values,
            );
          }
          await log.close();
        },
      ),
      { numRuns: 30 },
    );
  });
});
