import { describe, expect, test } from 'vitest';
import type { HandlerContext, MessageOf, RunOptions } from '../../../src/index.ts';
import { logWith, memoryHost, openTab } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  asMember,
  asReader,
  committed,
  handOut,
  orders,
  send,
  series,
  valueOf,
} from './run-fixture.ts';
import type { Orders } from './run-fixture.ts';
import { openTabWith } from '../../support/world.ts';
import { eventually, settle } from '../../support/waiting.ts';

type Options = Partial<RunOptions<Orders>>;

/** A log on a clock that the test moves, with these records in partition 0. */
async function clockedLog(...values: string[]): Promise<{
  clock: ManualClock;
  log: ReturnType<typeof openTabWith>;
}> {
  const clock = new ManualClock();
  const log = openTabWith(clock, memoryHost());
  await log.admin.createTopics([orders]);
  await send(log, 0, ...values);
  return { clock, log };
}

describe('a mistake in the options is an error at the call', () => {
  test.each<[string, object, object]>([
    ['no handler', { eachMessage: undefined }, TypeError],
    ['a handler that is none', { eachMessage: 'log' }, TypeError],
    ['concurrency 0', { concurrency: 0 }, RangeError],
    ['concurrency 1.5', { concurrency: 1.5 }, RangeError],
    ['an action that is none', { onError: 'ignore' }, TypeError],
    ['retries -1', { retries: -1 }, RangeError],
    ["'retry' after retries", { afterRetries: 'retry' }, TypeError],
    ['a back-off that is no number', { backoffMs: '1s' }, TypeError],
    ['a back-off of NaN', { maxBackoffMs: NaN }, RangeError],
    ['a misspelt option', { eachMesage: () => {} }, TypeError],
    ['dead letters without a topic', { onError: 'deadLetter' }, TypeError],
    ['dead letters after retries without a topic', { afterRetries: 'deadLetter' }, TypeError],
    ['retries where nothing is retried', { retries: 3 }, TypeError],
    ['a back-off where nothing is retried', { onError: 'skip', backoffMs: 10 }, TypeError],
    ['a dead letter topic for nothing', { deadLetterTopic: orders }, TypeError],
    ['a dead letter topic that is no name', { deadLetterTopic: '../x' }, TypeError],
  ])('%s', async (_, options, type) => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0');
    const consumer = log.consumer(asMember);
    const seen: string[] = [];
    const eachMessage = (message: MessageOf<Orders>): void => void seen.push(valueOf(message));
    const run = consumer.run({ eachMessage, ...options });
    const error: unknown = await run.catch((thrown: unknown) => thrown);
    expect((error as Error).constructor).toBe(type);
    expect(seen).toEqual([]);
    await handOut(consumer).end('a:0'); // the consumer is as it was
  });

  test('a dead letter topic that does not exist is UNKNOWN_TOPIC', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0');
    const hands = handOut(log.consumer(asMember), {
      onError: 'deadLetter',
      deadLetterTopic: 'nowhere',
    });
    await expect(hands.over).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
      details: { topic: 'nowhere' },
    });
    expect(hands.started).toEqual([]);
  });
});

describe('onError', () => {
  test('is told the error, the message and the attempt', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1');
    const told: unknown[] = [];
    const onError: Options['onError'] = async (error, message, attempt) => {
      told.push([(error as Error).message, message.offset, attempt]);
      return attempt < 3 ? 'retry' : 'skip';
    };
    const hands = handOut(log.consumer(asMember), { onError, backoffMs: 0 });
    await hands.fail('a:0', new Error('1st'));
    await hands.fail('a:0', new Error('2nd'));
    await hands.fail('a:0', new Error('3rd'));
    await hands.end('a:1');
    expect(told).toEqual([
      ['1st', 0, 1],
      ['2nd', 0, 2],
      ['3rd', 0, 3],
    ]);
  });

  test('gets whatever is thrown, also by a handler that is not async', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1');
    const told: unknown[] = [];
    const errors = [new Error('at once'), new Error('later')];
    const consumer = log.consumer(asMember);
    const over = consumer.run({
      eachMessage({ offset }) {
        if (offset === 0) throw errors[0]!;
        return Promise.reject(errors[1]!);
      },
      onError(thrown) {
        told.push(thrown);
        return 'skip';
      },
    });
    await eventually(() => told.length === 2);
    expect(told).toEqual(errors);
    await consumer.close();
    await over;
  });

  test.each<[string, NonNullable<Options['onError']>, RegExp]>([
    ['throws', () => Promise.reject(new Error('onError itself')), /onError itself/],
    ['returns what is no action', () => 'ignore' as never, /what onError returns/],
    ["returns 'deadLetter' without a topic", () => 'deadLetter', /deadLetterTopic/],
  ])('that %s stops the run, and the message comes again', async (_, onError, text) => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { onError });
    await hands.fail('a:0');
    await expect(hands.over).rejects.toThrow(text);
    await handOut(consumer).end('a:0');
  });
});

describe("'skip'", () => {
  test('counts the message as processed', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember), { onError: 'skip' });
    await hands.fail('a:0');
    await hands.get('a:1');
    await eventually(async () => (await committed(log))[0] === 1);
    expect(hands.started).toEqual(['a:0', 'a:1']);
  });
});

describe("'retry'", () => {
  test('waits twice as long each time, up to maxBackoffMs', async () => {
    const { clock, log } = await clockedLog('a:0');
    const attempts: number[] = [];
    const eachMessage = async (_: unknown, { attempt }: HandlerContext): Promise<void> => {
      attempts.push(attempt);
      if (attempt < 6) throw new Error('not yet');
    };
    const options = { onError: 'retry', retries: 9, backoffMs: 100, maxBackoffMs: 500 } as const;
    void log.consumer(asMember).run({ eachMessage, ...options });
    await eventually(() => attempts.length === 1);
    for (const [i, wait] of [100, 200, 400, 500, 500].entries()) {
      await settle();
      clock.advance(wait - 1);
      await settle();
      expect(attempts).toHaveLength(i + 1);
      clock.advance(1);
      await settle();
      expect(attempts).toHaveLength(i + 2);
    }
    await eventually(async () => (await committed(log))[0] === 1);
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('is 5 times by default, then the run stops with the last error', async () => {
    const { clock, log } = await clockedLog('a:0', 'a:1');
    let attempts = 0;
    const over = log.consumer(asMember).run({
      eachMessage: () => {
        throw new Error(`attempt ${++attempts}`);
      },
      onError: 'retry',
    });
    const failed = expect(over).rejects.toThrow('attempt 6');
    for (let attempt = 1; attempt <= 5; attempt++) {
      await eventually(() => attempts === attempt);
      await settle();
      clock.advance(300 * 2 ** (attempt - 1));
    }
    await failed;
    expect(attempts).toBe(6);
    expect(await committed(log)).toEqual([0, 0, 0, 0]);
  });

  test('keeps later messages of the key waiting, and not those of others', async () => {
    const { clock, log } = await clockedLog('a:0', 'a:1', 'b:0', 'c:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2, onError: 'retry' });
    await hands.fail('a:0');
    await hands.end('b:0', 'c:0');
    await settle();
    expect(hands.started).toEqual(['a:0', 'b:0', 'c:0']);
    expect((await committed(log))[0]).toBe(0);
    clock.advance(300);
    await hands.end('a:0', 'a:1');
    await eventually(async () => (await committed(log))[0] === 4);
  });

  test('0 retries are none', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1');
    const options = { onError: 'retry', retries: 0, afterRetries: 'skip' } as const;
    const hands = handOut(log.consumer(asMember), options);
    await hands.fail('a:0');
    await hands.end('a:1');
    expect(hands.started).toEqual(['a:0', 'a:1']);
  });

  test('ends when the consumer closes, without another attempt', async () => {
    const { clock, log } = await clockedLog('a:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { onError: 'retry' });
    await hands.fail('a:0');
    await settle();
    await consumer.close();
    await hands.over;
    clock.advance(60_000);
    await settle();
    expect(hands.started).toEqual(['a:0']);
    expect(clock.timers).toBe(0);
  });

  test('is not begun by a handler that fails after the consumer has closed', async () => {
    const { clock, log } = await clockedLog('a:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { onError: 'retry' });
    await hands.get('a:0');
    await consumer.close();
    await hands.over;
    await hands.fail('a:0');
    await settle();
    expect(clock.timers).toBe(0);
    expect(hands.started).toEqual(['a:0']);
  });
});

describe("'stop'", () => {
  test('is the default: run rejects with the very error, and the message is the next', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'a:1', 'a:2');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    const error = { not: 'an Error' };
    await hands.end('a:0');
    await hands.fail('a:1', error);
    expect(await hands.over.catch((thrown: unknown) => thrown)).toBe(error);
    expect(consumer.position({ topic: orders, partition: 0 })).toBe(1);
    const again = handOut(consumer);
    await again.end('a:1', 'a:2');
    expect(again.started).toEqual(['a:1', 'a:2']);
    await eventually(async () => (await committed(log))[0] === 3);
  });

  test('lets those in flight finish, begins none, and loses nothing', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'b:0', 'a:1', 'c:0', 'b:1');
    await send(log, 1, 'd:0', 'd:1');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 4 });
    await Promise.all(['a:0', 'b:0', 'c:0', 'd:0'].map((value) => hands.get(value)));
    let over = false;
    void hands.over.catch(() => (over = true));
    await hands.fail('b:0');
    await settle();
    await hands.end('a:0', 'c:0');
    await settle();
    expect(over).toBe(false);
    await hands.end('d:0');
    await expect(hands.over).rejects.toThrow('b:0');
    expect(hands.started).toHaveLength(4);

    const again: string[] = [];
    void consumer.run({ eachMessage: (message) => void again.push(valueOf(message)) });
    await eventually(async () => String(await committed(log)) === '5,2,0,0');
    expect(again.filter((value) => value !== 'd:1')).toEqual(['b:0', 'a:1', 'c:0', 'b:1']);
    expect(again).toHaveLength(5);
  });

  test('does not wait out the back-off of another message', async () => {
    const { log } = await clockedLog('a:0', 'b:0');
    const onError: Options['onError'] = (_, { offset }) => (offset === 0 ? 'retry' : 'stop');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 2, onError });
    await hands.fail('a:0');
    await settle();
    let over = false;
    void hands.over.catch(() => (over = true));
    await hands.fail('b:0'); // the clock stands still
    await eventually(() => over);
    await expect(hands.over).rejects.toThrow('b:0');
    await handOut(consumer).end('a:0', 'b:0');
  });

  test('rejects with the error of the first of several', async () => {
    const log = await logWith(orders);
    await send(log, 0, 'a:0', 'b:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await hands.fail('b:0');
    await hands.fail('a:0');
    await expect(hands.over).rejects.toThrow('b:0');
  });

  test.each([['processed'], [{ everyMs: 3_600_000 }]] as const)(
    'and close commit what was processed before it (%j)',
    async (commit) => {
      const log = await logWith(orders);
      await send(log, 0, ...series('a', 10));
      const consumer = log.consumer({ ...asMember, commit });
      const hands = handOut(consumer);
      await hands.end(...series('a', 9));
      await hands.fail('a:9');
      await expect(hands.over).rejects.toThrow('a:9');
      await consumer.close();
      expect(await committed(log)).toEqual([9, 0, 0, 0]);
    },
  );

  test('in a consumer without a group begins again at the message', async () => {
    const log = await openTab();
    await log.admin.createTopics([orders]);
    await send(log, 0, 'a:0', 'b:0', 'a:1');
    const consumer = log.consumer(asReader);
    const hands = handOut(consumer, { concurrency: 2 });
    await hands.get('a:0');
    await hands.fail('b:0');
    await hands.end('a:0');
    await expect(hands.over).rejects.toThrow('b:0');
    await handOut(consumer).end('b:0', 'a:1');
  });
});
