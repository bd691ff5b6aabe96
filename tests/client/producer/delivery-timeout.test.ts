import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import type { Producer } from '../../../src/index.ts';
import { useNoHints } from '../../support/stub-globals.ts';
import {
  alone,
  bench,
  says,
  send,
  sendNow,
  storedAndLost,
  told,
  turns,
} from './producer-fixture.ts';
import type { Bench, Fate } from './producer-fixture.ts';

useNoHints();

const TIMEOUT_MS = 1_000;
const impatient = { ...alone, deliveryTimeoutMs: TIMEOUT_MS };

/** The longest after `TIMEOUT_MS`: an answer that comes with the deadline wins. */
const GRACE_MS = 350;

interface Hung extends Bench {
  /** Lets the calls that hang meet this fate. */
  readonly release: (fate: Fate) => void;
  /** The time that passed until a promise rejected, and its error's code. */
  readonly rejection: (promise: Promise<unknown>) => Promise<{ code: string; ms: number }>;
}

/** A producer whose first `calls` of a method have no answer until they are released. */
async function hung(method: 'produce' | 'transact', calls = 1): Promise<Hung> {
  const setup = await bench(impatient);
  const { world, host, producer } = setup;
  await world.passing(sendNow(producer, 'warm'));
  const released = deferred<Fate>();
  let count = 0;
  host.answer('produce', async (request, real) =>
    method === 'produce' && ++count <= calls
      ? (await released.promise)(request, real)
      : real(request),
  );
  host.answer('transact', async (request, real) => {
    if (method === 'transact' && ++count <= calls) await released.promise;
    return real(request);
  });
  const rejection = async (promise: Promise<unknown>): Promise<{ code: string; ms: number }> => {
    const began = world.clock.now();
    const error = await world.passing(
      promise.then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    );
    return { code: (error as { code: string }).code, ms: world.clock.now() - began };
  };
  return { ...setup, release: released.resolve, rejection };
}

function expectInTime(ms: number): void {
  expect(ms).toBeGreaterThanOrEqual(TIMEOUT_MS);
  expect(ms).toBeLessThanOrEqual(TIMEOUT_MS + GRACE_MS);
}

test.each<[string, Fate, string[]]>([
  ['stored after all', (request, real) => real(request), ['warm', 'a', 'next']],
  ['stored, and the answer is lost', storedAndLost, ['warm', 'a', 'next']],
  ['not stored', says(STORAGE_UNAVAILABLE), ['warm', 'next']],
  ['lost', () => Promise.reject(told(OUTCOME_UNKNOWN)), ['warm', 'next']],
])('a record without an answer is OUTCOME_UNKNOWN in time; then it is %s', async (_, fate, all) => {
  const { world, producer, values, release, rejection } = await hung('produce');
  const { code, ms } = await rejection(sendNow(producer, 'a'));
  expect(code).toBe('OUTCOME_UNKNOWN');
  expectInTime(ms);
  const next = sendNow(producer, 'next');
  release(fate);
  await world.passing(next);
  expect(await values()).toEqual(all);
});

test('a record that waits behind it is DELIVERY_TIMED_OUT, and is never stored', async () => {
  const { world, log, producer, values, host, release, rejection } = await hung('produce', 5);
  const first = Array.from({ length: 5 }, (_, i) => sendNow(producer, String(i)));
  const waiting = sendNow(producer, 'waiting');
  const inTheOpenBatch = log.producer({ deliveryTimeoutMs: TIMEOUT_MS, lingerMs: 60_000 });
  const open = send(inTheOpenBatch, 'open');
  const outcomes = await Promise.all([...first, waiting, open].map(rejection));
  expect(outcomes.map(({ code }) => code)).toEqual([
    ...first.map(() => 'OUTCOME_UNKNOWN'),
    'DELIVERY_TIMED_OUT',
    'DELIVERY_TIMED_OUT',
  ]);
  for (const { ms } of outcomes) expectInTime(ms);
  release((request, real) => real(request));
  await world.passing(sendNow(producer, 'next'));
  expect(await values()).toEqual(['warm', '0', '1', '2', '3', '4', 'next']);
  expect(host.requests('produce')).toHaveLength(1 + 5 + 1);
});

test('the time of a record that waits for room counts from its send', async () => {
  const { world, log, values, release, rejection } = await hung('produce');
  const small = log.producer({ ...impatient, bufferBytes: 1 });
  const first = rejection(sendNow(small, 'a'));
  for (let i = 0; i < 5; i++) {
    await turns();
    world.clock.advance(100);
  }
  const second = await rejection(send(small, 'b'));
  expect((await first).code).toBe('OUTCOME_UNKNOWN');
  // There is room when the first is given up, but its attempt is still under way.
  expect(second.code).toBe('DELIVERY_TIMED_OUT');
  expectInTime(second.ms);
  release((request, real) => real(request));
  await world.passing(sendNow(small, 'c'));
  expect(await values()).toEqual(['warm', 'a', 'c']);
});

const SENDS: readonly (readonly [string, (producer: Producer) => Promise<unknown>])[] = [
  ['a record', (producer) => producer.send('new', { value: 'a' })],
  ['a transaction', (producer) => producer.transaction((tx) => tx.send('new', { value: 'a' }))],
];

describe.each(SENDS)('%s to a topic that this tab has not seen', (_, sendToNew) => {
  test.each<[string, () => Promise<never>, string]>([
    ['has no answer', () => new Promise(() => {}), 'DELIVERY_TIMED_OUT'],
    ['fails', () => Promise.reject(told(STORAGE_UNAVAILABLE)), 'STORAGE_UNAVAILABLE'],
  ])('is told in time where the look-up %s', async (_, answer, expected) => {
    const { world, log, host, rejection } = await hung('produce');
    await world.tab().log.admin.createTopics(['new']);
    host.answer('listTopics', answer);
    const { code, ms } = await rejection(
      sendToNew(log.producer({ deliveryTimeoutMs: TIMEOUT_MS })),
    );
    expect(host.requests('listTopics').length).toBeGreaterThan(0);
    expect(code).toBe(expected);
    expectInTime(ms);
  });
});

test('many records to a topic that hangs are all told in time', async () => {
  const { world, log, host, rejection } = await hung('produce');
  await world.tab().log.admin.createTopics(['new']);
  host.answer('listTopics', () => new Promise(() => {}));
  const producer = log.producer({ deliveryTimeoutMs: TIMEOUT_MS });
  const sends = Array.from({ length: 20 }, () => producer.send('new', { value: 'a' }));
  const known = producer.send('t', { value: 'b', partition: 0 });
  for (const { code, ms } of await Promise.all([...sends, known].map(rejection))) {
    expect(code).toBe('DELIVERY_TIMED_OUT');
    expectInTime(ms);
  }
});

describe('where the clock is set back', () => {
  const AN_HOUR_MS = 3_600_000;

  test('a record is told in time', async () => {
    const { world, host, producer } = await hung('produce', 0);
    host.answer('produce', says(STORAGE_UNAVAILABLE));
    const codes: string[] = [];
    void sendNow(producer, 'a').catch(({ code }: { code: string }) => codes.push(code));
    await turns();
    world.clock.setBack(AN_HOUR_MS);
    for (let ms = 0; ms < TIMEOUT_MS + GRACE_MS; ms += 50) {
      world.clock.advance(50);
      await turns();
    }
    expect(codes).toEqual(['STORAGE_UNAVAILABLE']);
  });

  test('a record that was told is not sent again', async () => {
    const { world, host, producer, release, rejection } = await hung('produce');
    expect((await rejection(sendNow(producer, 'a'))).code).toBe('OUTCOME_UNKNOWN');
    world.clock.setBack(AN_HOUR_MS);
    const before = host.requests('produce').length;
    release(says(STORAGE_UNAVAILABLE));
    for (let i = 0; i < 20; i++) {
      await turns();
      world.clock.advance(100);
    }
    expect(host.requests('produce')).toHaveLength(before);
  });
});

test.each<[string, (producer: Producer) => Promise<void>]>([
  ['flush', (producer) => producer.flush()],
  ['close', (producer) => producer.close()],
])('%s() resolves when the callers were told', async (_, end) => {
  const { world, producer, rejection } = await hung('produce');
  const sent = rejection(send(producer, 'a'));
  const began = world.clock.now();
  await world.passing(end(producer));
  expectInTime(world.clock.now() - began);
  expect((await sent).code).toBe('OUTCOME_UNKNOWN');
});

test('no timer is left once all is settled', async () => {
  const { world, producer, release } = await hung('produce', 0);
  release((request, real) => real(request));
  const timers = world.clock.timers;
  await world.passing(sendNow(producer, 'a'));
  expect(world.clock.timers).toBe(timers);
});

test('a transaction without an answer is OUTCOME_UNKNOWN, and one behind it is not sent', async () => {
  const { world, host, producer, values, release, rejection } = await hung('transact');
  const transact = (value: string): Promise<unknown> =>
    producer.transaction((tx) => tx.send('t', { value, partition: 0 }));
  const outcomes = await Promise.all([transact('a'), transact('b')].map(rejection));
  expect(outcomes.map(({ code }) => code)).toEqual(['OUTCOME_UNKNOWN', 'DELIVERY_TIMED_OUT']);
  for (const { ms } of outcomes) expectInTime(ms);
  release((request, real) => real(request));
  await world.passing(transact('c'));
  expect(await values()).toEqual(['warm', 'a', 'c']);
  expect(host.requests('transact')).toHaveLength(2);
});
