import { describe, expect, test } from 'vitest';
import type { HandlerContext, RunOptions } from '../../../src/index.ts';
import {
  asMember as asAnyMember,
  asReader,
  committed,
  handOut,
  joinAnother,
  openClocked,
  orders,
  valueOf,
} from './run-fixture.ts';
import type { Hands, Orders } from './run-fixture.ts';
import { expel } from '../../support/stub-broker.ts';
import { eventually, settle } from '../../support/waiting.ts';

const AN_HOUR_MS = 3_600_000;

/** The clock of the tab is moved on by more than a session lasts. */
const asMember = { ...asAnyMember, sessionTimeoutMs: 2 ** 31 - 1 } as const;

/** The partition that a second member gets. */
const MOVES = 3;

/** The message that is in hand is to come again in `ms`. */
async function putOff(hands: Hands, name: string, ms: number): Promise<void> {
  const { context } = await hands.get(name);
  await hands.fail(name, context.retryAfter(ms));
  await settle();
}

describe('context.retryAfter', () => {
  test('has the message handled again after that time, and not earlier', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember));
    await putOff(hands, 'a:0', 90_000);
    clock.advance(89_999);
    await settle();
    expect(hands.started).toEqual(['a:0']);
    clock.advance(1);
    const { context } = await hands.get('a:0');
    expect(context.attempt).toBe(2);
    await hands.end('a:0', 'a:1');
    expect(hands.started).toEqual(['a:0', 'a:0', 'a:1']);
    await eventually(async () => (await committed(log))[MOVES] === 2);
  });

  test('does not count as a retry, and onError is not asked', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0');
    const asked: number[] = [];
    const hands = handOut(log.consumer(asMember), {
      onError: (_, __, attempt) => {
        asked.push(attempt);
        return 'retry';
      },
      retries: 1,
      backoffMs: 100,
    });
    for (let i = 0; i < 10; i++) {
      await putOff(hands, 'a:0', 1000);
      clock.advance(1000);
    }
    await hands.fail('a:0');
    await settle();
    clock.advance(100); // the first retry, though it is the eleventh attempt
    await putOff(hands, 'a:0', 1000);
    clock.advance(1000);
    await hands.fail('a:0');
    await expect(hands.over).rejects.toThrow('a:0');
    expect(asked).toEqual([11, 13]);
  });

  test('keeps later messages of the key waiting, and not those of others', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0', 'a:1', 'b:0', 'c:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await putOff(hands, 'a:0', AN_HOUR_MS);
    await hands.end('b:0', 'c:0');
    await settle();
    expect(hands.started).toEqual(['a:0', 'b:0', 'c:0']);
    clock.advance(AN_HOUR_MS);
    await hands.end('a:0', 'a:1');
    await eventually(async () => (await committed(log))[MOVES] === 4);
  });

  test('takes no room from others: as many handlers run as ever, and no more when its time comes', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0', 'b:0', 'c:0', 'd:0', 'e:0', 'f:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await putOff(hands, 'a:0', 1000);
    await putOff(hands, 'b:0', 1000);
    await hands.get('d:0');
    expect(hands.started).toEqual(['a:0', 'b:0', 'c:0', 'd:0']);
    clock.advance(1000);
    await settle();
    expect(hands.started).toHaveLength(4); // two run
    await hands.end('c:0');
    await hands.get('a:0'); // before what has not begun
    await settle();
    expect(hands.started).toHaveLength(5);
    await hands.end('d:0', 'b:0', 'a:0', 'e:0', 'f:0');
    await eventually(async () => (await committed(log))[MOVES] === 6);
  });

  test('gives its cause along, and is told where it is no number of milliseconds', async () => {
    const { log } = await openClocked(MOVES, 'a:0');
    const hands = handOut(log.consumer(asMember));
    const { context } = await hands.get('a:0');
    const cause = new Error('503');
    expect(context.retryAfter(5, cause)).toMatchObject({ name: 'RetryAfter', cause });
    expect(context.retryAfter(5)).toBeInstanceOf(Error);
    for (const bad of [NaN, -1, Infinity]) {
      expect(() => context.retryAfter(bad)).toThrow(RangeError);
    }
    expect(() => context.retryAfter('5' as never)).toThrow(TypeError);
  });

  test('works where the handler is not async, and without a group', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0');
    const attempts: number[] = [];
    void log.consumer(asReader).run({
      eachMessage: (_, { attempt, retryAfter }) => {
        if (attempts.push(attempt) < 3) throw retryAfter(10);
      },
    });
    for (let attempt = 1; attempt <= 3; attempt++) {
      await eventually(() => attempts.length === attempt);
      await settle();
      clock.advance(10);
    }
    expect(attempts).toEqual([1, 2, 3]);
  });
});

test('onError can say so, too, and that does not count either', async () => {
  const { clock, log } = await openClocked(MOVES, 'a:0');
  const onError: RunOptions<Orders>['onError'] = (error) =>
    (error as Error).message === 'busy' ? { retryAfterMs: 5000 } : 'retry';
  const hands = handOut(log.consumer(asMember), { onError, retries: 0, afterRetries: 'skip' });
  for (let i = 0; i < 3; i++) {
    await hands.fail('a:0', new Error('busy'));
    await settle();
    clock.advance(4999);
    await settle();
    expect(hands.started).toHaveLength(i + 1);
    clock.advance(1);
  }
  await hands.fail('a:0', new Error('broken'));
  await eventually(async () => (await committed(log))[MOVES] === 1);
});

test('onError that says no number of milliseconds stops the run', async () => {
  const { log } = await openClocked(MOVES, 'a:0');
  const hands = handOut(log.consumer(asMember), { onError: () => ({ retryAfterMs: NaN }) });
  await hands.fail('a:0');
  await expect(hands.over).rejects.toThrow(/retryAfterMs.*milliseconds/);
});

describe('a message that is put off', () => {
  test('does not keep its partition: the next member has it at once', async () => {
    const { clock, host, log } = await openClocked(MOVES, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember));
    await putOff(hands, 'a:0', AN_HOUR_MS);
    const next = handOut(await joinAnother(host, log));
    await next.end('a:0', 'a:1'); // the clock stands still
    expect(hands.started).toEqual(['a:0']);
    expect(clock.timers).toBeLessThan(10);
  });

  test('does not keep it where onError decides while the partition is to move', async () => {
    const { host, log } = await openClocked(MOVES, 'a:0', 'a:1');
    let decide!: (decision: { retryAfterMs: number }) => void;
    const hands = handOut(log.consumer(asMember), {
      onError: () => new Promise((resolve) => (decide = resolve)),
    });
    await hands.fail('a:0');
    await eventually(() => decide !== undefined);
    const next = handOut(await joinAnother(host, log));
    decide({ retryAfterMs: AN_HOUR_MS });
    await next.end('a:0', 'a:1');
  });

  test('comes again at once when its partition was lost', async () => {
    const { host, log } = await openClocked(MOVES, 'a:0');
    const hands = handOut(log.consumer(asMember));
    await putOff(hands, 'a:0', AN_HOUR_MS);
    await expel(host, log);
    await hands.end('a:0');
    expect(hands.started).toEqual(['a:0', 'a:0']);
  });

  test('does not keep the consumer from closing, and leaves no timer', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    await putOff(hands, 'a:0', AN_HOUR_MS);
    await consumer.close();
    await hands.over;
    await settle();
    expect(clock.timers).toBe(0);
    expect((await committed(log))[MOVES]).toBe(0);
  });

  test('does not keep a stop of another from ending the run', async () => {
    const { log } = await openClocked(MOVES, 'a:0', 'b:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 2 });
    await putOff(hands, 'a:0', AN_HOUR_MS);
    await hands.fail('b:0');
    await expect(hands.over).rejects.toThrow('b:0');
    await handOut(consumer).end('a:0', 'b:0');
  });

  test('does not keep an error of another partition from ending the run', async () => {
    const { log } = await openClocked(MOVES, 'a:0');
    const consumer = log.consumer(asReader);
    const hands = handOut(consumer, { concurrency: 2 });
    await putOff(hands, 'a:0', AN_HOUR_MS);
    await consumer.seek(5, { topic: orders, partition: 0 }); // there is none
    await expect(hands.over).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
  });

  test('gives way to a seek', async () => {
    const { log } = await openClocked(MOVES, 'a:0', 'a:1');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    await putOff(hands, 'a:0', AN_HOUR_MS);
    await consumer.seek(1, { topic: orders, partition: MOVES });
    await hands.end('a:1'); // the clock stands still
    await eventually(async () => (await committed(log))[MOVES] === 2);
  });

  test('is not handled while its partition is paused', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    await putOff(hands, 'a:0', 1000);
    consumer.pause();
    clock.advance(1000);
    await settle();
    expect(hands.started).toEqual(['a:0']);
    consumer.resume();
    await hands.end('a:0');
  });
});

describe('retries: Infinity', () => {
  test('goes on for as long as it fails, with the longest back-off', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0');
    let attempts = 0;
    const eachMessage = (_: unknown, { attempt }: HandlerContext): void => {
      attempts = attempt;
      if (attempt <= 2000) throw new Error('not yet');
    };
    const endless = { onError: 'retry', retries: Infinity, maxBackoffMs: 1000 } as const;
    void log.consumer(asMember).run({ eachMessage, ...endless });
    await eventually(() => {
      clock.advance(1000);
      return attempts === 2001;
    });
    await eventually(async () => (await committed(log))[MOVES] === 1);
  });

  test('with a back-off of 0 also beyond the 1024th, where 2 to that power is Infinity', async () => {
    const { clock, log } = await openClocked(MOVES, 'a:0');
    let attempts = 0;
    const eachMessage = (message: { readonly value: string | null }): void => {
      if (++attempts <= 1100) throw new Error(valueOf(message as never));
    };
    const endless = { onError: 'retry', retries: Infinity, backoffMs: 0 } as const;
    void log.consumer(asMember).run({ eachMessage, ...endless });
    await eventually(() => {
      clock.advance(1);
      return attempts === 1101;
    });
    await eventually(async () => (await committed(log))[MOVES] === 1);
  });

  test('is the only one that is no integer', async () => {
    const { log } = await openClocked(MOVES, 'a:0');
    for (const retries of [-Infinity, NaN, 1.5]) {
      const hands = handOut(log.consumer(asReader), { retries });
      await expect(hands.over).rejects.toThrow(RangeError);
    }
  });
});
