import { beforeAll, describe, expect, test } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
  WORKER_LOST,
} from '../../../src/base/error-rules.ts';
import type { ErrorRule } from '../../../src/base/error-rule.ts';
import type { Log } from '../../../src/client/log.ts';
import { TablogError } from '../../../src/index.ts';
import type { Consumer, Message, Producer, TransactionResult } from '../../../src/index.ts';
import type { Method } from '../../../src/protocol/broker.ts';
import { Member, committed, fill, openStubbed, readOne } from '../../support/group-fixture.ts';
import { countOf, readAll, texts } from '../../support/log-fixture.ts';
import { loadParts } from '../../support/load-parts.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { latch, settle } from '../../support/waiting.ts';
import { expel } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { openTabWith } from '../../support/world.ts';

const told = (rule: ErrorRule): TablogError => new TablogError(rule, 'a fault of the test');
const manual = { commit: 'manual' } as const;

/** How a call fails: before it was made, or after, so that only the answer is lost. */
interface Failure {
  readonly error: TablogError;
  readonly isMade: boolean;
}

const lostBefore: Failure = { error: told(OUTCOME_UNKNOWN), isMade: false };
const lostAfter: Failure = { error: told(OUTCOME_UNKNOWN), isMade: true };
const gone: Failure = { error: told(STORAGE_UNAVAILABLE), isMade: false };

/** The next calls fail in these ways, one each. */
function failNext(host: StubHost, method: Method, ...failures: readonly Failure[]): void {
  const left = [...failures];
  host.answer(method, async (request, real) => {
    const failure = left.shift();
    if (failure === undefined) return real(request);
    if (failure.isMade) await real(request);
    throw failure.error;
  });
}

interface Bench {
  /** In which nothing fails. */
  readonly log: Log;
  /** Whose calls fail, and whose time stands still. */
  readonly tab: Log;
  readonly host: StubHost;
  readonly clock: ManualClock;
  readonly consumer: Consumer;
  /** Consume, transform, produce: a record to 'out' and one to 'audit', and the offset. */
  readonly copy: (producer: Producer, message?: Message) => Promise<TransactionResult<void>>;
  /** Lets time pass until it is known what became of it. */
  readonly outcome: (promise: Promise<unknown>) => Promise<'stored' | TablogError>;
}

/** A member with records '0' to '4' of 't' to read, in a tab whose calls can fail. */
async function bench(): Promise<Bench> {
  const { log, host } = await openStubbed('t', 'out', 'audit');
  await fill(log, 5);
  const clock = new ManualClock();
  const tab = openTabWith(clock, host, log.name);
  const { consumer } = new Member(tab, manual);
  return {
    log,
    tab,
    host,
    clock,
    consumer,
    copy: (producer, message) =>
      producer.transaction((tx) => {
        for (const name of message === undefined ? [] : ['out', 'audit']) {
          tx.send(name, { value: String(message!.offset) });
        }
        tx.commitOffsets(consumer);
      }),
    async outcome(promise) {
      const results: ('stored' | TablogError)[] = [];
      promise.then(
        () => results.push('stored'),
        (error: unknown) => results.push(error as TablogError),
      );
      for (let ms = 0; results.length === 0 && ms < 300_000; ms += 100) {
        await settle();
        if (results.length === 0) clock.advance(100);
      }
      return results[0] ?? Promise.reject(new Error('it does not settle'));
    },
  };
}

beforeAll(loadParts);

const stored = async (log: Log, name = 'out'): Promise<unknown> => texts(await readAll(log, name));
const code = (name: string): object => ({ code: name });

/** Whoever was told this must know that it may be stored. */
function expectUnknown(outcome: 'stored' | TablogError): void {
  expect(outcome === 'stored' ? 'stored' : outcome.code).toMatch(/^(stored|OUTCOME_UNKNOWN)$/);
}

describe('a transaction is stored once, with one answer, though', () => {
  test.each<[string, readonly Failure[]]>([
    ['the request was lost', [lostBefore]],
    ['the answer was lost', [lostAfter]],
    ['four answers were lost', [lostAfter, lostAfter, lostAfter, lostAfter]],
    ['the worker had died', [{ error: told(WORKER_LOST), isMade: false }]],
    ['the storage went away', [gone, gone, gone]],
    ['the storage did not answer', [{ error: told(STORAGE_TIMEOUT), isMade: false }]],
    [
      'an answer was lost, and then the disk was full',
      [lostAfter, { error: told(STORAGE_FULL), isMade: false }],
    ],
    ['everything failed in turn', [gone, lostBefore, gone, lostAfter, gone, lostBefore]],
  ])('%s', async (_, failures) => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const producer = tab.producer();
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 3; i++) {
      failNext(host, 'transact', ...failures);
      const { value } = await messages.next();
      const copying = copy(producer, value);
      expect(await outcome(copying)).toBe('stored');
      expect((await copying).placements).toMatchObject([
        { topic: 'out', offset: i },
        { topic: 'audit', offset: i },
      ]);
      expect(await committed(log)).toEqual({ 't/0': i + 1 });
    }
    expect(await stored(log)).toEqual(['0', '1', '2']);
    expect(await stored(log, 'audit')).toEqual(['0', '1', '2']);
  });

  test('its time of append was told by a lost answer', async () => {
    const { log, tab, host, clock, outcome } = await bench();
    await log.admin.alterTopics([{ topic: 'out', config: { timestampType: 'append' } }]);
    failNext(host, 'transact', lostAfter, gone, gone);
    const sending = tab
      .producer()
      .transaction((tx) => tx.send('out', { value: 'a', timestamp: 1 }));
    expect(await outcome(sending)).toBe('stored');
    const [message] = await readAll(log, 'out');
    expect((await sending).placements).toMatchObject([{ timestamp: message!.timestamp }]);
    expect(clock.now()).not.toBe(message!.timestamp);
  });

  test('its transactional id was hard to get', async () => {
    const { log, tab, host, copy, consumer, outcome } = await bench();
    failNext(host, 'initProducer', lostAfter, lostBefore);
    const producer = tab.producer({ transactionalId: 'billing' });
    expect(await outcome(copy(producer, await readOne(consumer)))).toBe('stored');
    expect(await stored(log)).toEqual(['0']);
  });

  test('a member closes or reads on meanwhile', async () => {
    const { log, tab, host, copy, consumer, outcome } = await bench();
    const gate = latch();
    host.answer('transact', async (request, real) => {
      const answer = await real(request);
      await gate.opened;
      return answer;
    });
    const copying = copy(tab.producer(), await readOne(consumer));
    await settle();
    const closing = consumer.close();
    await settle();
    gate.open();
    expect(await outcome(copying)).toBe('stored');
    await closing;
    expect(await committed(log)).toEqual({ 't/0': 1 });
    expect(await stored(log)).toEqual(['0']);
  });
});

describe('after deliveryTimeoutMs', () => {
  test.each<[string, Failure, string, string[]]>([
    ['a request that was lost', lostBefore, 'OUTCOME_UNKNOWN', []],
    ['an answer that was lost', lostAfter, 'OUTCOME_UNKNOWN', ['0']],
    ['a storage that is away', gone, 'STORAGE_UNAVAILABLE', []],
  ])('it is told: %s', async (_, failure, name, left) => {
    const { log, tab, host, clock, consumer, copy, outcome } = await bench();
    const producer = tab.producer({ deliveryTimeoutMs: 1000 });
    const began = clock.now();
    failNext(host, 'transact', ...Array.from({ length: 100 }, () => failure));
    expect(await outcome(copy(producer, await readOne(consumer)))).toMatchObject(code(name));
    expect(clock.now() - began).toBeGreaterThanOrEqual(1000);
    expect(clock.now() - began).toBeLessThan(1500);
    expect(await stored(log)).toEqual(left);
    expect(await committed(log)).toEqual({ 't/0': left.length });
    host.answer('transact', undefined);
    const next = producer.transaction((tx) =>
      tx.sendBatch('out', [{ value: 'a' }, { value: 'b' }]),
    );
    expect(await outcome(next)).toBe('stored');
    expect(await stored(log)).toEqual([...left, 'a', 'b']);
  });
});

describe('what is refused is known not to be stored, and', () => {
  test('leaves no gap: the next transaction is stored', async () => {
    const { log, tab, host, outcome } = await bench();
    const producer = tab.producer();
    const say = (value: string): Promise<'stored' | TablogError> =>
      outcome(producer.transaction((tx) => tx.sendBatch('out', [{ value }, { value }])));
    expect(await say('a')).toBe('stored');
    failNext(host, 'transact', { error: told(STORAGE_FULL), isMade: false });
    expect(await say('b')).toMatchObject(code('STORAGE_FULL'));
    expect(await say('c')).toBe('stored');
    expect(await stored(log)).toEqual(['a', 'a', 'c', 'c']);
  });

  test('nothing is lost of who has the transactional id next', async () => {
    const { log, tab, host, outcome } = await bench();
    const options = { transactionalId: 'billing', maxTransactionBytes: 900 } as const;
    const two = (producer: Producer, value: string): Promise<unknown> =>
      producer.transaction((tx) => {
        // As much as it may have: the partition's records are two batches.
        for (let i = 0; i < 2; i++) tx.send('out', { value: value.repeat(400) });
      });
    const one = (producer: Producer, value: string): Promise<unknown> =>
      producer.transaction((tx) => tx.send('out', { value }));
    const first = tab.producer(options);
    failNext(host, 'transact', { error: told(STORAGE_FULL), isMade: false });
    expect(await outcome(two(first, 'x'))).toMatchObject(code('STORAGE_FULL'));
    expect(await outcome(one(first, 'a'))).toBe('stored');
    await one(log.producer(options), 'b');
    expect(await stored(log)).toEqual(['a', 'b']);
  });
});

describe('what may be stored is not called refused:', () => {
  test('offsets that were stored, and the partition is another’s when they come again', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    await readOne(consumer);
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      await real(request);
      await expel(host, log);
      throw told(OUTCOME_UNKNOWN);
    });
    expectUnknown(await outcome(copy(tab.producer())));
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('records that were stored, and another has written with the transactional id since', async () => {
    const { log, tab, host, outcome } = await bench();
    const id = { transactionalId: 'billing' };
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      await real(request);
      await log.producer(id).transaction((tx) => tx.send('out', { value: 'b' }));
      throw told(OUTCOME_UNKNOWN);
    });
    expectUnknown(
      await outcome(tab.producer(id).transaction((tx) => tx.send('out', { value: 'a' }))),
    );
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('records that were stored, and one of their topics is deleted when they come again', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const message = await readOne(consumer);
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      await real(request);
      await log.admin.deleteTopics(['audit']);
      throw told(OUTCOME_UNKNOWN);
    });
    expectUnknown(await outcome(copy(tab.producer(), message)));
    expect(await stored(log)).toEqual(['0']);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });
});

describe('a request that was given up, and arrives late,', () => {
  /** The next call is given up; the function has it arrive. */
  function delayNext(host: StubHost): () => Promise<unknown> {
    let arrive!: () => Promise<unknown>;
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      arrive = () => real(request).catch(() => {});
      throw told(OUTCOME_UNKNOWN);
    });
    return () => arrive();
  }

  test('changes nothing after the one that was sent in its place', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const producer = tab.producer();
    const messages = consumer[Symbol.asyncIterator]();
    const arrive = delayNext(host);
    for (let i = 0; i < 3; i++) {
      expect(await outcome(copy(producer, (await messages.next()).value as Message))).toBe(
        'stored',
      );
    }
    await arrive();
    expect(await committed(log)).toEqual({ 't/0': 3 });
    expect(await stored(log)).toEqual(['0', '1', '2']);
  });

  test('does not take offsets back that were committed without records', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const producer = tab.producer();
    const messages = consumer[Symbol.asyncIterator]();
    const arrive = delayNext(host);
    await messages.next();
    expect(await outcome(copy(producer))).toBe('stored'); // nothing came of this message
    expect(await outcome(copy(producer, (await messages.next()).value as Message))).toBe('stored');
    await arrive();
    expect(await committed(log)).toEqual({ 't/0': 2 });
  });

  test.each([{}, { transactionalId: 'billing' }])(
    'stores nothing where its message was copied by the next one, with %j',
    async (options) => {
      const { log, tab, host, consumer, copy, outcome } = await bench();
      const message = await readOne(consumer);
      const arrive = delayNext(host);
      const producer = tab.producer({ deliveryTimeoutMs: 0, ...options });
      expect(await outcome(copy(producer, message))).toMatchObject(code('OUTCOME_UNKNOWN'));
      expect(await outcome(copy(producer, message))).toBe('stored'); // as onError: 'retry' does
      await arrive();
      expect(await committed(log)).toEqual({ 't/0': 1 });
      expect(await stored(log)).toEqual(['0']);
    },
  );

  test('is fenced when somebody else has its message', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const arrive = delayNext(host);
    const producer = tab.producer({ deliveryTimeoutMs: 0 });
    expect(await outcome(copy(producer, await readOne(consumer)))).toMatchObject(
      code('OUTCOME_UNKNOWN'),
    );
    await consumer.close();
    const b = new Member(log, manual).consumer;
    const message = await readOne(b);
    expect(message.offset).toBe(0);
    await arrive();
    expect(await countOf(log, 'out')).toBe(0);
  });
});
