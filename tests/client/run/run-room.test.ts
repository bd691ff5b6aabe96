import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { FENCED } from '../../../src/base/error-rules.ts';
import { TablogError, topic } from '../../../src/index.ts';
import type { Log, RunOptions } from '../../../src/index.ts';
import { countOf, readAll } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  asMember as asAnyMember,
  asReader,
  committed,
  handOut,
  orders,
  send,
  series,
  valueOf,
} from './run-fixture.ts';
import type { Hands, Orders } from './run-fixture.ts';
import { expel, stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { openTabWith } from '../../support/world.ts';
import { eventually, settle } from '../../support/waiting.ts';

const letters = topic('letters', { partitions: 2 });
const toLetters = { onError: 'deadLetter', deadLetterTopic: letters } as const;

/** The clock of the tab is moved on by more than a session lasts. */
const asMember = { ...asAnyMember, sessionTimeoutMs: 2 ** 31 - 1 } as const;

/** A log on a clock that the test moves, with these records in partition 0. */
async function logOf(
  ...values: string[]
): Promise<{ clock: ManualClock; host: StubHost; log: Log }> {
  const clock = new ManualClock();
  const host = stubHost();
  const log = openTabWith(clock, host);
  await log.admin.createTopics([orders, letters]);
  await send(log, 0, ...values);
  return { clock, host, log };
}

async function putOff(hands: Hands, name: string, ms: number): Promise<void> {
  const { context } = await hands.get(name);
  await hands.fail(name, context.retryAfter(ms));
  await settle();
}

describe('dead letters that wait for an earlier message', () => {
  const poison = ['b:0', 'c:0', 'd:0', 'e:0'];

  test.each([2, 3, 4])(
    'take no room: it is handled again, though %i handlers may run and as many wait',
    async (concurrency) => {
      const { clock, log } = await logOf('a:0', ...poison.slice(0, concurrency), 'f:0');
      const hands = handOut(log.consumer(asMember), { concurrency, ...toLetters });
      await putOff(hands, 'a:0', 1000);
      for (const name of poison.slice(0, concurrency)) await hands.fail(name);
      await settle();
      clock.advance(1000);
      await hands.end('f:0', 'a:0');
      await eventually(async () => (await committed(log))[0] === concurrency + 2);
      const offsets = (await readAll(log, letters)).map((letter) => letter.header('tablog.offset'));
      expect(offsets).toEqual(Array.from({ length: concurrency }, (_, i) => String(i + 1)));
    },
  );

  test('take none from one that is retried after a back-off, either', async () => {
    const { clock, log } = await logOf('a:0', 'b:0', 'c:0');
    const options: Partial<RunOptions<Orders>> = {
      concurrency: 2,
      onError: (error) => ((error as Error).message === 'busy' ? 'retry' : 'deadLetter'),
      backoffMs: 1000,
      deadLetterTopic: letters,
    };
    const hands = handOut(log.consumer(asMember), options);
    await hands.fail('a:0', new Error('busy'));
    await hands.fail('b:0');
    await hands.fail('c:0');
    await settle();
    clock.advance(1000);
    await hands.end('a:0');
    await eventually(async () => (await committed(log))[0] === 3);
  });

  test('take none from messages that have not begun', async () => {
    const { log } = await logOf('a:0', 'b:0', 'c:0', 'd:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2, ...toLetters });
    await hands.get('a:0');
    await hands.fail('b:0');
    await hands.fail('c:0');
    await hands.end('d:0');
    expect(hands.inHand).toEqual(['a:0']);
  });

  test('are no more than what is taken for the handlers', async () => {
    const values = Array.from({ length: 30 }, (_, i) => `k${i}:0`);
    const { log } = await logOf(...values);
    const hands = handOut(log.consumer(asMember), { concurrency: 2, ...toLetters });
    await hands.get('k0:0');
    for (const name of values.slice(1, 8)) await hands.fail(name);
    await settle();
    expect(hands.started).toEqual(values.slice(0, 8));
    await hands.end('k0:0');
    await eventually(async () => (await committed(log))[0] === 8);
    await hands.get('k9:0');
  });
});

test('a batch that is being buried takes no room from other partitions', async () => {
  const { host, log } = await logOf('a:0');
  await send(log, 1, 'b:0');
  const started: string[] = [];
  const gate = host.hold('transact');
  void log.consumer(asMember).run({
    eachBatch: ({ messages }) => {
      started.push(...messages.map(valueOf));
      throw new Error('no');
    },
    ...toLetters,
  });
  await eventually(() => started.length === 2);
  gate.open();
  await eventually(async () => (await countOf(log, letters)) === 2);
});

test('a key with many messages does not keep another from its turn', async () => {
  const { log } = await logOf('a:0', 'b:0', 'c:0', ...series('a', 40).slice(1));
  const hands = handOut(log.consumer(asMember), { concurrency: 2, ...toLetters });
  await hands.get('b:0');
  await hands.end('a:0');
  await hands.get('c:0'); // a:1 and more are taken as well
  expect(hands.started).toEqual(['a:0', 'b:0', 'c:0']);
});

describe('a message is not handled before an earlier one of its key', () => {
  test.each([
    ['with a group', asMember],
    ['without a group', asReader],
  ])('as the consumer closes, %s', async (_, options) => {
    for (let hops = 0; hops < 12; hops++) {
      const { log } = await logOf('a:0', 'a:1');
      const consumer = log.consumer(options);
      const hands = handOut(consumer, { concurrency: 2, onError: 'retry' });
      await hands.fail('a:0');
      for (let hop = 0; hop < hops; hop++) await Promise.resolve();
      await consumer.close();
      await hands.over;
      await settle();
      expect(hands.started).toEqual(['a:0']);
    }
  });

  test('as the group has fenced the dead letter of the earlier one', async () => {
    const { host, log } = await logOf('a:0', 'a:1', 'b:0');
    host.answer('transact', () => Promise.reject(new TablogError(FENCED, 'another has it')));
    const hands = handOut(log.consumer(asMember), { concurrency: 2, ...toLetters });
    await hands.fail('a:0');
    await hands.end('b:0');
    await settle();
    expect(hands.started).toEqual(['a:0', 'b:0']);
    await expel(host, log);
    await hands.end('a:0', 'a:1');
  });
});

describe('a message that is put off', () => {
  test('adds no listener to the signal of the consumer', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `k${i}:0`);
    const { log } = await logOf(...names);
    const consumer = log.consumer(asReader);
    const hands = handOut(consumer, { concurrency: 20 });
    const { signal } = (await hands.get('k0:0')).context;
    const before = getEventListeners(signal, 'abort').length;
    for (const name of names) await putOff(hands, name, 1000);
    expect(getEventListeners(signal, 'abort')).toHaveLength(before);
    await consumer.close();
    await hands.over;
    await settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('leaves no timer where the handler that gets its room closes the consumer', async () => {
    const { clock, log } = await logOf('a:0', 'b:0', 'c:0');
    const consumer = log.consumer(asReader);
    const run = consumer.run({
      eachMessage: ({ value }, { retryAfter }) => {
        if (value !== 'c:0') throw retryAfter(3_600_000);
        void consumer.close();
      },
      concurrency: 2,
    });
    await run;
    await settle();
    expect(clock.timers).toBe(0);
  });
});
