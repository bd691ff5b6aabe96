import { describe, expect, test } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  STORAGE_FULL,
  STORAGE_UNAVAILABLE,
} from '../../../src/base/error-rules.ts';
import { TablogError, integer, json, topic } from '../../../src/index.ts';
import type { Log, Message } from '../../../src/index.ts';
import type { Request } from '../../../src/protocol/broker.ts';
import { countOf, readAll } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  asMember,
  asReader,
  committed,
  handOut,
  joinAnother,
  openClocked,
  orders,
  send,
  series,
} from './run-fixture.ts';
import { eventually, settle } from '../../support/waiting.ts';
import { expel, stubHost, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { openTabWith } from '../../support/world.ts';

const letters = topic('letters', { partitions: 2 });
const toLetters = { onError: 'deadLetter', deadLetterTopic: letters } as const;

/** A log with an empty topic for dead letters, and these records in partition 0. */
async function logOf(...values: string[]): Promise<{ host: StubHost; log: Log }> {
  const { log, host } = await stubbedLog(orders, letters);
  if (values.length > 0) await send(log, 0, ...values);
  return { host, log };
}

/** A dead letter's place of origin and attempts. */
function originOf(letter: Message<string, Uint8Array, Uint8Array>): string {
  const parts = ['topic', 'partition', 'offset', 'attempts'];
  return parts.map((part) => letter.header(`tablog.${part}`)).join('/');
}

async function startingOffsets(log: Log): Promise<string[]> {
  return (await readAll(log, letters)).map(originOf);
}

describe('a dead letter', () => {
  test('is the record byte for byte, and tells where it was and why', async () => {
    const { log } = await logOf();
    const raw = topic('raw');
    await log.admin.createTopics([raw]);
    const bytes = Uint8Array.of(0, 255, 254, 128, 10);
    const headers = [
      ['trace', Uint8Array.of(255, 0)],
      ['trace', 'again'],
      ['none', null],
      ['tablog.error', 'of an earlier life'],
    ] as const;
    await log.producer().sendBatch(raw, [
      { key: bytes, value: bytes.toReversed(), headers, timestamp: 5 },
      { key: null, value: null },
      { key: new Uint8Array(), value: new Uint8Array() },
    ]);
    const consumer = log.consumer({ ...asMember, topics: [raw] });
    void consumer.run({
      eachMessage: () => {
        throw new TypeError('cannot be helped');
      },
      ...toLetters,
    });
    await eventually(async () => (await countOf(log, letters)) === 3);
    const [first, second, third] = await readAll(log, letters);
    expect(first).toMatchObject({ key: bytes, value: bytes.toReversed(), timestamp: 5 });
    expect(first!.headers.slice(0, 3)).toEqual([
      ['trace', Uint8Array.of(255, 0)],
      ['trace', new TextEncoder().encode('again')],
      ['none', null],
    ]);
    expect(first!.headers.map(([name]) => name)).toEqual([
      'trace',
      'trace',
      'none',
      'tablog.error',
      'tablog.topic',
      'tablog.partition',
      'tablog.offset',
      'tablog.attempts',
      'tablog.error',
      'tablog.deadLetterTopic',
    ]);
    expect(first!.header('tablog.error')).toBe('TypeError: cannot be helped');
    expect(originOf(first!)).toBe('raw/0/0/1');
    expect(second).toMatchObject({ key: null, value: null });
    expect(third).toMatchObject({ key: new Uint8Array(), value: new Uint8Array() });
    expect([second, third].map((letter) => originOf(letter!))).toEqual(['raw/0/1/1', 'raw/0/2/1']);
  });

  test('goes to the partition of the same number, as far as there is one', async () => {
    const { log } = await logOf();
    for (let partition = 0; partition < 4; partition++) await send(log, partition, 'a:0');
    void log.consumer(asMember).run({
      eachMessage: () => Promise.reject(new Error('no')),
      ...toLetters,
    });
    await eventually(async () => (await countOf(log, letters)) === 4);
    const found = await readAll(log, letters);
    expect(found.map((letter) => [letter.partition, letter.header('tablog.partition')])).toEqual(
      expect.arrayContaining([
        [0, '0'],
        [0, '2'],
        [1, '1'],
        [1, '3'],
      ]),
    );
  });

  test('carries a text of the error that is cut', async () => {
    const { log } = await logOf('a:0');
    const hands = handOut(log.consumer(asMember), toLetters);
    await hands.fail('a:0', 'x'.repeat(5000));
    await eventually(async () => (await countOf(log, letters)) === 1);
    expect((await readAll(log, letters))[0]!.header('tablog.error')).toBe('x'.repeat(1000));
  });

  test('can be of a value that cannot be decoded', async () => {
    const { log } = await logOf();
    await log.admin.createTopics(['raw']);
    const poison = Uint8Array.of(123, 255);
    await log.producer().sendBatch('raw', [{ value: poison }, { value: '1' }]);
    const typed = topic('raw', { value: json<number>() });
    const seen: unknown[] = [];
    void log.consumer({ ...asMember, topics: [typed] }).run({
      eachMessage: ({ value }) => void seen.push(value),
      ...toLetters,
    });
    await eventually(() => seen.length === 1);
    expect(seen).toEqual([1]);
    expect((await readAll(log, letters))[0]).toMatchObject({ key: null, value: poison });
  });

  test('can be of a key that cannot be decoded, in order with its like', async () => {
    const { log } = await logOf();
    await log.admin.createTopics(['raw']);
    await log.producer().sendBatch('raw', [
      { key: 'no', value: '0' },
      { key: 'no', value: '1' },
    ]);
    const typed = topic('raw', { key: integer() });
    void log.consumer({ ...asMember, topics: [typed] }).run({
      eachMessage: ({ key }) => void key,
      concurrency: 2,
      ...toLetters,
    });
    await eventually(async () => (await countOf(log, letters)) === 2);
    expect(await startingOffsets(log)).toEqual(['raw/0/0/1', 'raw/0/1/1']);
  });

  test('comes when the retries are used up, with their number', async () => {
    const { log } = await logOf('a:0', 'a:1');
    const hands = handOut(log.consumer(asMember), {
      onError: 'retry',
      retries: 2,
      backoffMs: 0,
      afterRetries: 'deadLetter',
      deadLetterTopic: letters,
    });
    for (let attempt = 1; attempt <= 3; attempt++) await hands.fail('a:0');
    await hands.end('a:1');
    expect(await startingOffsets(log)).toEqual(['orders/0/0/3']);
  });

  test('without a group is written without a commit', async () => {
    const { host, log } = await logOf('a:0', 'a:1');
    const hands = handOut(log.consumer(asReader), toLetters);
    await hands.fail('a:0');
    await hands.end('a:1');
    expect(await startingOffsets(log)).toEqual(['orders/0/0/1']);
    expect(host.requests('transact').map(({ commits }) => commits)).toEqual([[]]);
  });
});

describe('a dead letter and its commit', () => {
  test('are one transaction', async () => {
    const { host, log } = await logOf('a:0', 'a:1');
    const hands = handOut(log.consumer({ ...asMember, commit: 'manual' }), toLetters);
    await hands.fail('a:0');
    await hands.get('a:1');
    const [request] = host.requests('transact');
    expect(request!.appends).toHaveLength(1);
    expect(request!.commits[0]!.offsets).toMatchObject([{ partition: 0, offset: 1 }]);
    expect(host.requests('transact')).toHaveLength(1);
    expect(await committed(log)).toEqual([1, 0, 0, 0]);
    expect(await countOf(log, letters)).toBe(1);
  });

  test('wait for the messages before it', async () => {
    const { host, log } = await logOf('a:0', 'b:0', 'c:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 3, ...toLetters });
    await hands.fail('b:0');
    await hands.end('c:0');
    await settle();
    expect(host.requests('transact')).toHaveLength(0);
    expect(await committed(log)).toEqual([0, 0, 0, 0]);
    await hands.end('a:0');
    await eventually(async () => (await committed(log))[0] === 3);
    expect(await startingOffsets(log)).toEqual(['orders/0/1/1']);
  });

  test('come in order where several wait', async () => {
    const { log } = await logOf('a:0', 'b:0', 'c:0', 'd:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 4, ...toLetters });
    for (const value of ['d:0', 'b:0', 'c:0']) await hands.fail(value);
    await hands.end('a:0');
    await eventually(async () => (await committed(log))[0] === 4);
    expect(await startingOffsets(log)).toEqual(['orders/0/1/1', 'orders/0/2/1', 'orders/0/3/1']);
  });

  test('do not go behind a commit that was under way: no commit goes backwards', async () => {
    const { host, log } = await logOf(...series('a', 6));
    const offsets: number[] = [];
    const note = (commit: Request<'commitOffsets'> | null): void => {
      for (const { offset } of commit?.offsets ?? []) offsets.push(offset);
    };
    let open!: () => void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    host.answer('commitOffsets', async (request, real) => {
      await opened;
      note(request);
      return real(request);
    });
    host.answer('transact', (request, real) => {
      note(request.commits[0] ?? null);
      return real(request);
    });
    const hands = handOut(log.consumer(asMember), toLetters);
    await hands.end(...series('a', 5));
    await hands.fail('a:5');
    await settle();
    open();
    await eventually(() => offsets.includes(6));
    await settle();
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    expect(await committed(log)).toEqual([6, 0, 0, 0]);
  });

  const unknown = new TablogError(OUTCOME_UNKNOWN, 'no answer');

  test.each([
    ['before', 1],
    ['before', 3],
    ['after', 1],
  ] as const)(
    'are stored once when the answer is lost %s they are (%i times)',
    async (when, times) => {
      const { host, log } = await logOf('a:0', 'b:0', 'a:1');
      let left: number = times;
      host.answer('transact', async (request, real) => {
        if (left-- <= 0) return real(request);
        if (when === 'after') await real(request);
        throw unknown;
      });
      const hands = handOut(log.consumer(asMember), { concurrency: 2, ...toLetters });
      await hands.fail('a:0');
      await hands.end('b:0', 'a:1');
      await eventually(async () => (await committed(log))[0] === 3);
      expect(await startingOffsets(log)).toEqual(['orders/0/0/1']);
      expect(host.requests('transact')).toHaveLength(when === 'after' ? 1 : times + 1);
    },
  );

  test('are stored once though a worker that hung goes on when they are', async () => {
    const { host, log } = await logOf('a:0');
    let goOn!: () => Promise<unknown>;
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      goOn = () => real(request).catch(() => {});
      throw unknown;
    });
    const hands = handOut(log.consumer(asMember), toLetters);
    await hands.fail('a:0');
    await eventually(async () => (await committed(log))[0] === 1);
    await goOn();
    expect(await startingOffsets(log)).toEqual(['orders/0/0/1']);
    expect(await committed(log)).toEqual([1, 0, 0, 0]);
  });

  test('are stored once though the storage goes away before it tells what became of them', async () => {
    const { host, log } = await logOf('a:0', 'a:1');
    const hands = handOut(log.consumer(asMember), toLetters);
    await hands.get('a:0');
    host.answer('transact', async (request, real) => {
      await real(request);
      host.answer('positionPartitions', () => {
        host.answer('positionPartitions', undefined);
        return Promise.reject(new TablogError(STORAGE_UNAVAILABLE, 'the database was closed'));
      });
      throw unknown;
    });
    await hands.fail('a:0');
    await hands.end('a:1');
    expect(await startingOffsets(log)).toEqual(['orders/0/0/1']);
    expect(host.requests('transact')).toHaveLength(1);
  });

  test('are not overtaken by a commit of earlier messages while they are tried again', async () => {
    const clock = new ManualClock();
    const host = stubHost();
    const log = openTabWith(clock, host);
    await log.admin.createTopics([orders, letters]);
    await send(log, 0, 'a:0', 'a:1', 'a:2');
    host.answer('transact', async (request, real) => {
      await real(request);
      throw unknown;
    });
    const away = new TablogError(STORAGE_UNAVAILABLE, 'the database was closed');
    const hands = handOut(log.consumer({ ...asMember, commit: { everyMs: 150 } }), toLetters);
    await hands.end('a:0');
    await hands.get('a:1');
    host.answer('positionPartitions', () => Promise.reject(away));
    await hands.fail('a:1');
    await eventually(() => host.requests('transact').length === 1);
    await settle();
    clock.advance(149); // the first back-off is over, the second is not
    await settle();
    clock.advance(1); // the commit is due
    await settle();
    expect(host.requests('commitOffsets')).toEqual([]);
    host.answer('positionPartitions', undefined);
    await eventually(() => {
      clock.advance(50);
      return hands.inHand.includes('a:2');
    });
    expect((await committed(log))[0]).toBe(2);
    expect(await startingOffsets(log)).toEqual(['orders/0/1/1']);
    expect(host.requests('transact')).toHaveLength(1);
  });

  test('are not passed over by a commit of an earlier message while they are tried again', async () => {
    const { clock, host, log } = await openClocked(0, 'a:0', 'a:1');
    await log.admin.createTopics([letters]);
    const away = new TablogError(STORAGE_UNAVAILABLE, 'the database was closed');
    host.answer('transact', () => Promise.reject(away));
    const hands = handOut(log.consumer({ ...asMember, commit: 'manual' }), toLetters);
    const { message } = await hands.get('a:0');
    await hands.end('a:0');
    await hands.fail('a:1');
    await eventually(() => host.requests('transact').length === 1);
    let isCommitted = false;
    const committing = message.commit().then(() => (isCommitted = true));
    await settle();
    expect(isCommitted).toBe(false);
    expect(await committed(log)).toEqual([0, 0, 0, 0]);
    host.answer('transact', undefined);
    await eventually(() => {
      clock.advance(50);
      return isCommitted;
    });
    await committing;
    expect((await committed(log))[0]).toBe(2);
    expect(await startingOffsets(log)).toEqual(['orders/0/1/1']);
    expect(host.requests('commitOffsets')).toEqual([]);
  });

  test.each([
    ['with a group', asMember],
    ['without a group', asReader],
  ])('outlive a storage that is away for a while, %s', async (_, options) => {
    const { host, log } = await logOf('a:0', 'a:1');
    let left = 2;
    host.answer('transact', (request, real) => {
      if (left-- <= 0) return real(request);
      return Promise.reject(new TablogError(STORAGE_UNAVAILABLE, 'the database was closed'));
    });
    const hands = handOut(log.consumer(options), toLetters);
    await hands.fail('a:0');
    await hands.end('a:1');
    expect(await startingOffsets(log)).toEqual(['orders/0/0/1']);
  });

  test('are both missing where storing fails: run rejects, and the message comes again', async () => {
    const { host, log } = await logOf('a:0', 'a:1');
    host.answer('transact', () => Promise.reject(new TablogError(STORAGE_FULL, 'no room')));
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, toLetters);
    await hands.fail('a:0');
    await expect(hands.over).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await committed(log)).toEqual([0, 0, 0, 0]);
    expect(await countOf(log, letters)).toBe(0);
    host.answer('transact', undefined);
    const again = handOut(consumer, toLetters);
    await again.fail('a:0');
    await again.end('a:1');
    expect(await startingOffsets(log)).toEqual(['orders/0/0/1']);
  });

  test('do not keep a stop of another message from ending the run', async () => {
    const { log } = await logOf('a:0', 'b:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, {
      concurrency: 2,
      onError: (_, { offset }) => (offset === 0 ? 'stop' : 'deadLetter'),
      deadLetterTopic: letters,
    });
    await hands.get('a:0');
    await hands.fail('b:0'); // waits for a:0
    await settle();
    await hands.fail('a:0');
    let over = false;
    void hands.over.catch(() => (over = true));
    await eventually(() => over);
    await expect(hands.over).rejects.toThrow('a:0');
    expect(await countOf(log, letters)).toBe(0);
    await handOut(consumer).end('a:0', 'b:0');
  });

  test('do not keep a partition that is to move', async () => {
    const { host, log } = await logOf();
    await send(log, 3, 'a:0', 'a:1', 'b:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 2, ...toLetters });
    await hands.get('a:0');
    await hands.fail('b:0'); // waits for a:0 and a:1
    await settle();
    const other = await joinAnother(host, log);
    const next = handOut(other);
    await hands.end('a:0');
    await next.end('a:1', 'b:0');
    expect(hands.started).toEqual(['a:0', 'b:0']);
    expect(await countOf(log, letters)).toBe(0);
  });

  test('of a partition that was lost do not end the run: the message comes again', async () => {
    const { host, log } = await logOf('a:0');
    const hands = handOut(log.consumer(asMember), toLetters);
    const { context } = await hands.get('a:0');
    await expel(host, log);
    await eventually(() => context.signal.aborted);
    await hands.fail('a:0');
    await Promise.race([hands.end('a:0'), hands.over]);
    expect(hands.started).toEqual(['a:0', 'a:0']);
    expect(await countOf(log, letters)).toBe(0);
  });

  test('do not follow a seek back to what is before them', async () => {
    const { host, log } = await logOf('a:0', 'b:0', 'c:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 3, ...toLetters });
    await hands.get('a:0');
    await hands.fail('b:0'); // waits for a:0
    await settle();
    consumer.pause();
    await consumer.seek(0, { topic: orders, partition: 0 });
    await settle();
    expect(host.requests('transact')).toHaveLength(0);
    expect(await committed(log)).toEqual([0, 0, 0, 0]);
  });
});
