import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { json, topic } from '../../../src/index.ts';
import type {
  BatchRunOptions,
  Consumer,
  HandlerContext,
  Log,
  MessageBatch,
  TablogError,
} from '../../../src/index.ts';
import { countOf, readAll, texts } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { asMember, asReader, committed, joinAnother, orders, send, series } from './run-fixture.ts';
import type { Orders } from './run-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';
import { expel, stubHost, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { openTabWith } from '../../support/world.ts';

type Batch = MessageBatch<Orders>;
type Options = Partial<BatchRunOptions<Orders>>;

const letters = topic('letters', { partitions: 2 });

/** The partition that a second member gets. */
const MOVES = 3;

async function logOf(
  partition: number,
  ...values: string[]
): Promise<{ host: StubHost; log: Log }> {
  const { log, host } = await stubbedLog(orders, letters);
  if (values.length > 0) await send(log, partition, ...values);
  return { host, log };
}

function valuesOf({ messages }: Batch): (string | null)[] {
  return messages.map(({ value }) => value);
}

interface InHand {
  readonly batch: Batch;
  readonly context: HandlerContext;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** Handlers of batches that the test ends, one by one, in the order in which they began. */
class BatchHands {
  /** Each attempt counts. */
  readonly started: (string | null)[][] = [];
  readonly inHand: InHand[] = [];

  readonly handle = (batch: Batch, context: HandlerContext): Promise<void> => {
    this.started.push(valuesOf(batch));
    return new Promise((done, fail) => {
      this.inHand.push({ batch, context, done, fail });
    });
  };

  async get(): Promise<InHand> {
    await eventually(() => this.inHand.length > 0);
    return this.inHand[0]!;
  }

  async end(): Promise<void> {
    (await this.get()).done();
    this.inHand.shift();
  }

  async fail(error: unknown = new Error('no')): Promise<void> {
    (await this.get()).fail(error);
    this.inHand.shift();
  }
}

function handOut(
  consumer: Consumer<Orders>,
  options: Options = {},
): BatchHands & { readonly over: Promise<void> } {
  const hands = new BatchHands();
  const over = consumer.run({ eachBatch: hands.handle, ...options });
  over.catch(() => {}); // a test that expects it looks
  return Object.assign(hands, { over });
}

describe('a mistake in the options is an error at the call', () => {
  const eachBatch = (): void => {};
  const eachMessage = (): void => {};

  test.each<[string, object, object, RegExp]>([
    ['both handlers', { eachBatch, eachMessage }, TypeError, /eachMessage or eachBatch/],
    ['neither', {}, TypeError, /an eachMessage or an eachBatch/],
    ['no function', { eachBatch: 'log' }, TypeError, /eachBatch function/],
    ['max of messages', { eachMessage, max: 5 }, TypeError, /max needs eachBatch/],
    ['maxWaitMs of messages', { eachMessage, maxWaitMs: 5 }, TypeError, /maxWaitMs needs eachB/],
    ['max 0', { eachBatch, max: 0 }, RangeError, /max must be/],
    ['maxWaitMs -1', { eachBatch, maxWaitMs: -1 }, RangeError, /maxWaitMs must be/],
  ])('%s', async (_, options, type, text) => {
    const { log } = await logOf(0, 'a:0');
    const run = log.consumer(asMember).run(options as never);
    const error: unknown = await run.catch((thrown: unknown) => thrown);
    expect((error as Error).constructor).toBe(type);
    expect((error as Error).message).toMatch(text);
  });
});

describe('eachBatch', () => {
  test('gets batches of one partition, up to max, in order, and each is committed whole', async () => {
    const { log } = await logOf(0, ...series('a', 7));
    await send(log, 1, ...series('b', 2));
    const hands = handOut(log.consumer(asMember), { max: 3 });
    const { batch, context } = await hands.get();
    expect(context).toMatchObject({ attempt: 1, signal: { aborted: false } });
    expect(batch).toMatchObject({ topic: 'orders', firstOffset: 0 });
    for (let i = 0; i < 4; i++) {
      await settle();
      expect(hands.inHand).toHaveLength(1);
      await hands.end();
    }
    await eventually(async () => String(await committed(log)) === '7,2,0,0');
    const a = hands.started.filter(([value]) => value!.startsWith('a'));
    expect(a).toEqual([['a:0', 'a:1', 'a:2'], ['a:3', 'a:4', 'a:5'], ['a:6']]);
    expect(hands.started).toContainEqual(['b:0', 'b:1']);
  });

  test('has one of a partition at a time, and those of others beside it', async () => {
    const { log } = await logOf(0, ...series('a', 4));
    await send(log, 1, ...series('b', 4));
    await send(log, 2, ...series('c', 4));
    const hands = handOut(log.consumer(asMember), { max: 2, concurrency: 2 });
    await eventually(() => hands.inHand.length === 2);
    await settle();
    expect(hands.inHand).toHaveLength(2);
    const [first, second] = hands.inHand;
    expect(first!.batch.partition).not.toBe(second!.batch.partition);
    first!.done();
    await eventually(() => hands.started.length === 3);
    second!.done();
    for (const each of hands.inHand.splice(0, 2)) each.done();
    for (let i = 2; i < 6; i++) await hands.end();
    for (const name of ['a', 'b', 'c']) {
      const mine = hands.started.filter(([value]) => value!.startsWith(name));
      expect(mine.flat()).toEqual(series(name, 4));
    }
    await eventually(async () => String(await committed(log)) === '4,4,4,0');
  });

  test('waits for more up to maxWaitMs, but not where the batch is full', async () => {
    const clock = new ManualClock();
    const log = openTabWith(clock, stubHost());
    await log.admin.createTopics([orders]);
    const hands = handOut(log.consumer(asMember), { max: 3, maxWaitMs: 5000 });
    await send(log, 0, 'a:0');
    await settle();
    await send(log, 0, 'a:1');
    await settle();
    clock.advance(4999);
    await settle();
    expect(hands.started).toEqual([]);
    clock.advance(1);
    await hands.end();
    await send(log, 0, 'a:2', 'a:3', 'a:4', 'a:5');
    await hands.end();
    expect(hands.started).toEqual([
      ['a:0', 'a:1'],
      ['a:2', 'a:3', 'a:4'],
    ]);
  });

  test('works without a group', async () => {
    const { log } = await logOf(0, ...series('a', 3));
    const hands = handOut(log.consumer(asReader), { max: 2 });
    await hands.end();
    await hands.end();
    expect(hands.started).toEqual([['a:0', 'a:1'], ['a:2']]);
  });

  test('may commit by itself', async () => {
    const { log } = await logOf(0, ...series('a', 3));
    const over: number[] = [];
    void log.consumer({ ...asMember, commit: 'manual' }).run({
      eachBatch: async (batch) => {
        if (batch.firstOffset === 0) await batch.commit();
        over.push(batch.lastOffset);
      },
      max: 2,
    });
    await eventually(() => over.length === 2);
    expect((await committed(log))[0]).toBe(2);
  });

  test('works in a transaction: what it sends and its offsets are stored together', async () => {
    const { log } = await logOf(0, ...series('a', 4));
    await log.admin.createTopics(['out']);
    const producer = log.producer();
    const consumer = log.consumer({ ...asMember, commit: 'manual' });
    void consumer.run({
      eachBatch: async ({ messages }) => {
        await producer.transaction((tx) => {
          tx.sendBatch(
            'out',
            messages.map(({ value }) => ({ value })),
          );
          tx.commitOffsets(consumer);
        });
      },
      max: 3,
    });
    await consumer.ready;
    await eventually(async () => (await committed(log))[0] === 4);
    expect(texts(await readAll(log, 'out'))).toEqual(series('a', 4));
  });
});

describe('a batch that fails', () => {
  test('stops the run by default, and is the next to be read', async () => {
    const { log } = await logOf(0, ...series('a', 4));
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { max: 2 });
    await hands.end();
    await hands.fail();
    await expect(hands.over).rejects.toThrow('no');
    expect(consumer.position({ topic: orders, partition: 0 })).toBe(2);
    const again = handOut(consumer, { max: 2 });
    await again.end();
    expect(again.started).toEqual([['a:2', 'a:3']]);
    await eventually(async () => (await committed(log))[0] === 4);
  });

  test('is retried as a whole, and what comes after it waits', async () => {
    const { log } = await logOf(0, ...series('a', 4));
    const asked: unknown[] = [];
    const hands = handOut(log.consumer(asMember), {
      max: 2,
      backoffMs: 0,
      onError: (error, batch, attempt) => {
        asked.push([(error as Error).message, batch.firstOffset, batch.lastOffset, attempt]);
        return 'retry';
      },
    });
    await hands.fail(new Error('1st'));
    await hands.end();
    await hands.end();
    expect(asked).toEqual([['1st', 0, 1, 1]]);
    const twice = ['a:0', 'a:1'];
    expect(hands.started).toEqual([twice, twice, ['a:2', 'a:3']]);
  });

  test('can be put off', async () => {
    const clock = new ManualClock();
    const log = openTabWith(clock, stubHost());
    await log.admin.createTopics([orders]);
    await send(log, 0, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember));
    const { context } = await hands.get();
    await hands.fail(context.retryAfter(5000));
    await settle();
    clock.advance(4999);
    await settle();
    expect(hands.started).toHaveLength(1);
    clock.advance(1);
    await hands.end();
    await eventually(async () => (await committed(log))[0] === 2);
  });

  test('that is put off does not keep other partitions waiting', async () => {
    const { log } = await logOf(0, ...series('a', 2));
    const hands = handOut(log.consumer(asMember), { max: 1 });
    const { context } = await hands.get();
    await hands.fail(context.retryAfter(1_000_000));
    await send(log, 1, ...series('b', 2));
    await hands.end();
    await hands.end();
    expect(hands.started).toEqual([['a:0'], ['b:0'], ['b:1']]);
  });

  test('is skipped as a whole', async () => {
    const { log } = await logOf(0, ...series('a', 3));
    const hands = handOut(log.consumer(asMember), { max: 2, onError: 'skip' });
    await hands.fail();
    await hands.end();
    expect(hands.started).toEqual([['a:0', 'a:1'], ['a:2']]);
    await eventually(async () => (await committed(log))[0] === 3);
  });

  test('is buried as a whole, each record with its place, in one transaction', async () => {
    const { host, log } = await logOf(0, ...series('a', 3));
    const burying = { max: 2, onError: 'deadLetter', deadLetterTopic: letters } as const;
    const hands = handOut(log.consumer(asMember), burying);
    await hands.fail();
    await hands.end();
    const found = await readAll(log, letters);
    expect(texts(found)).toEqual(['a:0', 'a:1']);
    expect(found.map((letter) => letter.header('tablog.offset'))).toEqual(['0', '1']);
    expect(host.requests('transact')).toMatchObject([{ commits: [{ offsets: [{ offset: 2 }] }] }]);
  });

  test('of many large records is buried in one transaction, too', async () => {
    const { host, log } = await logOf(0);
    const large = 'v'.repeat(700_000);
    await send(log, 0, ...series('a', 5).map((value) => value + large));
    const burying = { onError: 'deadLetter', deadLetterTopic: letters } as const;
    const over = log.consumer(asMember).run({
      eachBatch: () => Promise.reject(new Error('no')),
      ...burying,
    });
    await Promise.race([over, eventually(async () => (await countOf(log, letters)) === 5)]);
    const offsets = (await readAll(log, letters)).map((letter) => letter.header('tablog.offset'));
    expect(offsets).toEqual(['0', '1', '2', '3', '4']);
    expect(host.requests('transact').length).toBeLessThanOrEqual(5);
  });
});

describe('a record that cannot be decoded', () => {
  const typed = topic('raw', { value: json<number>() });

  test('ends the batch before it, comes in its place to onError, and is no part of a batch', async () => {
    const { log } = await logOf(0);
    await log.admin.createTopics(['raw']);
    const values = ['0', '1', '{no', '3'];
    await log.producer().sendBatch(
      'raw',
      values.map((value) => ({ value })),
    );
    const seen: unknown[] = [];
    const consumer = log.consumer({ ...asMember, topics: [typed] });
    void consumer.run({
      eachBatch: ({ messages }) => void seen.push(messages.map(({ value }) => value)),
      onError: (error, batch, attempt) => {
        seen.push([(error as TablogError).code, texts(batch.messages as never), attempt]);
        return 'skip';
      },
    });
    await eventually(() => seen.length === 3);
    expect(seen).toEqual([[0, 1], ['SERDE', ['{no'], 1], [3]]);
    await eventually(async () => (await log.admin.listGroupOffsets('billing'))[0]!.offset === 4);
  });

  test("is what the consumer's onDecodeError says", async () => {
    const { log } = await logOf(0);
    await log.admin.createTopics(['raw']);
    await log.producer().sendBatch('raw', [{ value: '{no' }, { value: '1' }]);
    const seen: unknown[] = [];
    const options = { ...asReader, topics: [typed], onDecodeError: 'skip' } as const;
    void log.consumer(options).run({
      eachBatch: ({ messages }) => void seen.push(messages.map(({ value }) => value)),
    });
    await eventually(() => seen.length === 1);
    expect(seen).toEqual([[1]]);
  });
});

test('dead letters that a pattern comes upon are no part of batches, and count as processed', async () => {
  const dead = topic('orders-dead');
  const { log } = await logOf(0, ...series('a', 2));
  await log.admin.createTopics([dead]);
  let calls = 0;
  const consumer = log.consumer({ topics: [/^orders/], from: 'earliest', group: 'billing' });
  void consumer.run({
    eachBatch: () => {
      calls++;
      throw new Error('no');
    },
    max: 1,
    onError: 'deadLetter',
    deadLetterTopic: dead,
  });
  await consumer.ready;
  await eventually(async () => {
    const [{ partitions }] = await log.admin.describeGroups(['billing']);
    return (await countOf(log, dead)) === 2 && partitions.every(({ lag }) => lag === 0);
  });
  await log.producer().send(dead, { value: new TextEncoder().encode('none of them') });
  await eventually(() => calls === 3); // not in its place: a record as any other
});

describe('a partition that moves', () => {
  test('goes when its batch is done', async () => {
    const { host, log } = await logOf(MOVES, ...series('a', 4));
    const hands = handOut(log.consumer(asMember), { max: 2 });
    await hands.get();
    const next = handOut(await joinAnother(host, log), { max: 2 });
    await settle();
    expect(next.started).toEqual([]);
    await hands.end();
    await next.end();
    expect(hands.started).toEqual([['a:0', 'a:1']]);
    expect(next.started).toEqual([['a:2', 'a:3']]);
  });

  test('goes at once where its batch is being filled, or put off', async () => {
    const { host, log } = await logOf(MOVES, 'a:0');
    const slow = handOut(log.consumer(asMember), { maxWaitMs: 1_000_000 });
    await settle();
    const next = handOut(await joinAnother(host, log));
    const { context } = await next.get();
    expect(next.started).toEqual([['a:0']]);
    expect(slow.started).toEqual([]);
    await next.fail(context.retryAfter(1_000_000));
    await settle();
    await expel(host, log);
    await eventually(() => next.started.length + slow.started.length === 2);
  });

  test('aborts the signal where it is lost, and the batch comes again', async () => {
    const { host, log } = await logOf(0, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember));
    const { context, batch } = await hands.get();
    await expel(host, log);
    await eventually(() => context.signal.aborted && batch.signal.aborted);
    await hands.end();
    await hands.end();
    expect(hands.started).toEqual([
      ['a:0', 'a:1'],
      ['a:0', 'a:1'],
    ]);
  });
});

describe('a batch that is being filled', () => {
  test('is dropped by a seek', async () => {
    const clock = new ManualClock();
    const log = openTabWith(clock, stubHost());
    await log.admin.createTopics([orders]);
    await send(log, 0, ...series('a', 3));
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { maxWaitMs: 1000 });
    await consumer.ready;
    await settle();
    await consumer.seek(2, { topic: orders, partition: 0 });
    await settle();
    clock.advance(1000);
    await hands.end();
    expect(hands.started).toEqual([['a:2']]);
    await eventually(async () => (await committed(log))[0] === 3);
  });

  test('comes again after a stop, and leaves no timer', async () => {
    const clock = new ManualClock();
    const log = openTabWith(clock, stubHost());
    await log.admin.createTopics([orders]);
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { max: 2, maxWaitMs: 1000, concurrency: 2 });
    await send(log, 0, 'a:0', 'a:1');
    await hands.get();
    await send(log, 1, 'b:0');
    await settle();
    await hands.fail();
    await expect(hands.over).rejects.toThrow('no');
    const again = handOut(consumer, { max: 2 });
    await again.end();
    await again.end();
    expect(again.started.toSorted((a, b) => b.length - a.length)).toEqual([
      ['a:0', 'a:1'],
      ['b:0'],
    ]);
    await consumer.close();
    expect(clock.timers).toBe(0);
  });
});

/** The fate of a batch of the random runs. */
const turn = fc.record({
  at: fc.nat({ max: 10 }),
  ends: fc.constantFrom('done', 'done', 'done', 'fail', 'putOff'),
});

test('whatever the handlers do, each partition keeps its order, and no commit passes what is not done', async () => {
  const sizes = fc.array(fc.nat({ max: 12 }), { minLength: 3, maxLength: 3 });
  const bounds = fc.record({
    concurrency: fc.integer({ min: 1, max: 3 }),
    max: fc.integer({ min: 1, max: 5 }),
  });
  const turns = fc.array(turn, { minLength: 5, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, bounds, turns, async (counts, options, ends) => {
      const clock = new ManualClock();
      const host = stubHost();
      const log = openTabWith(clock, host);
      await log.admin.createTopics([orders]);
      for (const [partition, count] of counts.entries()) {
        if (count > 0) await send(log, partition, ...series(`p${partition}`, count));
      }
      const processed = [0, 0, 0];
      host.answer('commitOffsets', (request, real) => {
        for (const { partition, offset } of request.offsets) {
          expect(offset).toBeLessThanOrEqual(processed[partition]!);
        }
        return real(request);
      });
      const consumer = log.consumer(asMember);
      const hands = handOut(consumer, {
        ...options,
        onError: 'retry',
        retries: Infinity,
        backoffMs: 1,
        maxBackoffMs: 1,
      });
      await consumer.ready;
      const total = counts.reduce((sum, count) => sum + count, 0);
      const sum = (): number => processed.reduce((all, count) => all + count, 0);
      for (let i = 0; sum() < total; i++) {
        await eventually(() => {
          clock.advance(1);
          return hands.inHand.length > 0;
        });
        const { at, ends: how } = ends[i] ?? { at: 0, ends: 'done' };
        expect(hands.inHand.length).toBeLessThanOrEqual(options.concurrency);
        const index = at % hands.inHand.length;
        const [{ batch, context, done, fail }] = hands.inHand.splice(index, 1) as [InHand];
        const { partition, messages, firstOffset, lastOffset } = batch;
        expect(hands.inHand.map((other) => other.batch.partition)).not.toContain(partition);
        expect(messages.length).toBeLessThanOrEqual(options.max);
        expect(messages.map(({ offset }) => offset)).toEqual(
          messages.map((_, j) => firstOffset + j),
        );
        expect(firstOffset).toBe(processed[partition]);
        if (how === 'fail') fail(new Error('no'));
        else if (how === 'putOff') fail(context.retryAfter(1));
        else {
          processed[partition] = lastOffset + 1;
          done();
        }
      }
      await eventually(async () => String((await committed(log)).slice(0, 3)) === String(counts));
      await consumer.close();
      await hands.over;
      expect(clock.timers).toBe(0);
      await log.close();
    }),
    { numRuns: 30 },
  );
});
