import { describe, expect, test } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  OUT_OF_ORDER_SEQUENCE,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
  WORKER_LOST,
} from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { topic } from '../../../src/index.ts';
import type { Producer, ProducerOptions } from '../../../src/index.ts';
import { MAX_PRODUCERS, PRODUCER_EXPIRATION_MS } from '../../../src/log/producer-state.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import { RecordBatch } from '../../../src/record/batch-reader.ts';
import { RECENT_MS } from '../../../src/record/sequence.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import { AN_HOUR_MS, readAll } from '../../support/log-fixture.ts';
import {
  World,
  alone,
  bench,
  fails,
  fate,
  says,
  send,
  sendNow,
  storedAndLost,
  told,
  turns,
  well,
} from './producer-fixture.ts';
import type { Fate } from './producer-fixture.ts';
import { useNoHints } from '../../support/stub-globals.ts';
import { eventually, idle } from '../../support/waiting.ts';

useNoHints();

const PASSING: readonly (readonly [name: string, fate: Fate])[] = [
  ['is lost before it is stored', fails(OUTCOME_UNKNOWN)],
  ['is stored, and its answer lost', storedAndLost],
  ['meets a worker that has died', fails(WORKER_LOST)],
  ['meets a database that was closed', says(STORAGE_UNAVAILABLE)],
  ['meets a database that does not answer', says(STORAGE_TIMEOUT)],
  ['may be stored, says the database, and is not', says(OUTCOME_UNKNOWN)],
];

describe.each([
  ['of a producer that is known', ['warm']],
  ['of a new producer', []],
])('one of three batches under way, %s,', (_, before) => {
  describe.each(PASSING)('%s:', (_, passing) => {
    test.each([
      ['the first', [passing]],
      ['the second', [well, passing]],
      ['the third', [well, well, passing]],
      ['the first and the second', [passing, passing]],
      ['the first and the third', [passing, well, passing]],
      ['the second and the third', [well, passing, passing]],
      ['all of them', [passing, passing, passing]],
      ['the first, three times', [passing, well, well, passing, passing]],
    ])('%s', async (_, fates) => {
      const { world, host, producer, values } = await bench();
      for (const value of before) await world.passing(sendNow(producer, value));
      fate(host, ...fates);
      const sent = Promise.all(['1', '2', '3'].map((value) => send(producer, value)));
      const [placements] = await world.passing(Promise.all([sent, producer.flush()]));
      const offsets = placements.map(({ offset }) => offset);
      expect(await values()).toEqual([...before, '1', '2', '3']);
      expect(offsets).toEqual([0, 1, 2].map((i) => i + before.length));
    });
  });
});

describe('an idempotent producer', () => {
  test('is what producer() makes: batches have its id, an epoch and sequences', async () => {
    const { host, log, world } = await bench();
    const producers = [log.producer(alone), log.producer(alone)] as const;
    for (const producer of [producers[0], producers[0], producers[1]]) {
      await world.passing(sendNow(producer, 'v'));
    }
    const headers = host
      .requests('produce')
      .map(({ appends: [append] }) => new RecordBatch(new Uint8Array(append!.batch)));
    expect(headers.map(({ producerEpoch, baseSequence }) => [producerEpoch, baseSequence])).toEqual(
      [
        [0, 0],
        [0, 1],
        [0, 0],
      ],
    );
    const [first, again, other] = headers.map(({ producerId }) => producerId);
    expect(first).toBe(again);
    expect(first).not.toBe(other);
    expect(Number.isSafeInteger(first) && first! >= 0).toBe(true);
  });

  test('has several batches under way, and no more than five', async () => {
    const { world, host, producer } = await bench();
    await world.passing(sendNow(producer, 'warm'));
    const gate = host.hold('produce');
    const sent = Array.from({ length: 9 }, (_, i) => send(producer, String(i)));
    const flushed = producer.flush();
    await gate.arrived(5);
    await idle();
    expect(host.requests('produce')).toHaveLength(1 + 5);
    gate.open();
    await world.passing(flushed);
    expect((await Promise.all(sent)).map(({ offset }) => offset)).toEqual(
      sent.map((_, i) => i + 1),
    );
  });

  test('sends no batch that is more than five after one whose answer is missing', async () => {
    // The partition remembers five: of an older one it could not tell that it is stored.
    const { world, host, producer, values } = await bench();
    await world.passing(sendNow(producer, 'warm'));
    fate(host, storedAndLost, well, well, well, well, storedAndLost);
    const all = Array.from({ length: 12 }, (_, i) => String(i));
    const sent = Promise.all(all.map((value) => send(producer, value)));
    const [placements] = await world.passing(Promise.all([sent, producer.flush()]));
    expect(placements.map(({ offset }) => offset)).toEqual(all.map((_, i) => i + 1));
    expect(await values()).toEqual(['warm', ...all]);
  });

  test('loses nothing to a database that closes, before or after it has stored', async () => {
    const { world, producer, connections, values } = await bench();
    await world.passing(sendNow(producer, 'warm'));
    for (const stored of [false, true]) {
      const closes = told(STORAGE_UNAVAILABLE);
      connections.at(-1)!.failNext({ error: told(OUTCOME_UNKNOWN), stored, closes });
      const sent = ['1', '2', '3'].map((value) => send(producer, value));
      await world.passing(Promise.all([...sent, producer.flush()]));
    }
    expect(connections.length).toBeGreaterThan(2);
    expect(await values()).toEqual(['warm', '1', '2', '3', '1', '2', '3']);
  });

  test('waits before the third time, and twice as long before the next, not before the second', async () => {
    const { world, host, producer } = await bench();
    fate(host, ...Array.from({ length: 20 }, () => fails(OUTCOME_UNKNOWN)));
    const sent = sendNow(producer, 'v');
    const requests = async (): Promise<number> => {
      await turns();
      return host.requests('produce').length;
    };
    expect(await requests()).toBe(2);
    world.clock.advance(99);
    expect(await requests()).toBe(2);
    world.clock.advance(1);
    expect(await requests()).toBe(3);
    world.clock.advance(159);
    expect(await requests()).toBe(3);
    world.clock.advance(81);
    expect(await requests()).toBe(4);
    for (let sends = 5; sends <= 20; sends++) {
      world.clock.advance(1_200); // Kafka's retry.backoff.max.ms, and its jitter
      expect(await requests()).toBe(sends);
    }
    world.clock.advance(1_200);
    expect(await sent).toMatchObject({ offset: 0 });
  });

  test('is told by each partition: those that are stored are not sent again', async () => {
    const { world, host, producer, values } = await bench({ lingerMs: AN_HOUR_MS });
    fate(host, async (request, real) => {
      const results = await real(request);
      const error = toErrorData(told(OUTCOME_UNKNOWN));
      return results.map((result, i) => (i === 1 ? { error } : result));
    });
    const sent = Promise.all([0, 1, 2].map((partition) => send(producer, 'v', partition)));
    const [placements] = await world.passing(Promise.all([sent, producer.flush()]));
    expect(placements).toMatchObject([
      { partition: 0, offset: 0 },
      { partition: 1, offset: 0 },
      { partition: 2, offset: 0 },
    ]);
    const asked = host.requests('produce').map(({ appends }) => appends.map((a) => a.partition));
    expect(asked).toEqual([[0, 1, 2], [1]]);
    for (const partition of [0, 1, 2]) expect(await values(partition)).toEqual(['v']);
  });

  test('gets the append time that the record was stored with', async () => {
    const { world, log, host } = await bench();
    await log.admin.createTopics([topic('timed', { timestampType: 'append' })]);
    const producer = log.producer();
    await world.passing(producer.send('timed', { value: 'warm' }));
    fate(host, async (request, real) => {
      await real(request);
      world.clock.advance(5_000);
      throw told(OUTCOME_UNKNOWN);
    });
    const at = world.clock.now();
    const placed = await world.passing(producer.send('timed', { value: 'v' }));
    expect(placed).toMatchObject({ offset: 1, timestamp: at });
    const [, message] = await readAll(log, 'timed');
    expect(message).toMatchObject({ timestamp: at });
  });

  test('compresses what is sent again, too', async () => {
    const { world, host, producer, values } = await bench({ compression: 'gzip' });
    const value = 'x'.repeat(1_000);
    fate(host, storedAndLost, fails(OUTCOME_UNKNOWN));
    await world.passing(sendNow(producer, value));
    await world.passing(sendNow(producer, 'after'));
    expect(await values()).toEqual([value, 'after']);
  });
});

describe('a producer that the partition has forgotten', () => {
  test.each([['is stored', well] as const, ...PASSING])(
    'after a day goes on, where the first of three batches %s',
    async (_, first) => {
      const { world, host, log, producer, values } = await bench();
      await world.passing(sendNow(producer, 'before'));
      world.clock.advance(PRODUCER_EXPIRATION_MS);
      await world.passing(sendNow(log.producer(alone), 'of another'));
      fate(host, first);
      const sent = Promise.all(['1', '2', '3'].map((value) => send(producer, value)));
      const [placements] = await world.passing(Promise.all([sent, producer.flush()]));
      expect(placements.map(({ offset }) => offset)).toEqual([2, 3, 4]);
      expect(await values()).toEqual(['before', 'of another', '1', '2', '3']);
    },
  );

  test.each([
    ['is stored', well],
    ['meets a database that was closed', says(STORAGE_UNAVAILABLE)],
  ])('for 64 others goes on, where the first of three batches %s', async (_, first) => {
    const { world, host, log, producer, values } = await bench();
    await world.passing(sendNow(producer, 'before'));
    for (let i = 0; i < MAX_PRODUCERS; i++) {
      await world.passing(sendNow(log.producer(alone), 'of another'));
    }
    fate(host, first);
    const sent = Promise.all(['1', '2', '3'].map((value) => send(producer, value)));
    await world.passing(Promise.all([sent, producer.flush()]));
    expect((await values()).slice(1 + MAX_PRODUCERS)).toEqual(['1', '2', '3']);
  });
});

describe('transactions of a producer that the partition has forgotten', () => {
  const say = (producer: Producer, value: string): Promise<unknown> =>
    producer.transaction((tx) => tx.send('t', { value, partition: 0 }));

  test.each([{}, { transactionalId: 'billing' }])('go on, with %j', async (options) => {
    const { world, log, values } = await bench();
    const producer = log.producer(options);
    await world.passing(say(producer, 'before'));
    for (const value of ['1', '2']) {
      world.clock.advance(RECENT_MS);
      for (let i = 0; i < MAX_PRODUCERS; i++) {
        await world.passing(sendNow(log.producer(alone), 'of another'));
      }
      await world.passing(say(producer, value));
      await world.passing(say(producer, `after ${value}`));
    }
    const all = await values();
    expect(all.filter((value) => value !== 'of another')).toEqual([
      'before',
      '1',
      'after 1',
      '2',
      'after 2',
    ]);
  });

  test('end with OUTCOME_UNKNOWN where one may be stored, and the next is', async () => {
    const { world, host, log, values } = await bench();
    const producer = log.producer();
    await world.passing(say(producer, 'before'));
    host.answer('transact', async () => {
      host.answer('transact', undefined);
      world.clock.advance(RECENT_MS);
      for (let i = 0; i < MAX_PRODUCERS; i++) await sendNow(log.producer(alone), 'of another');
      throw told(OUTCOME_UNKNOWN);
    });
    const lost = world.passing(say(producer, '1'));
    await expect(lost).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await world.passing(say(producer, '2'));
    expect((await values()).slice(1 + MAX_PRODUCERS)).toEqual(['2']);
  });

  test('begin anew once: what is out of order for another reason is told', async () => {
    const { world, host, log, values } = await bench();
    const producer = log.producer();
    let calls = 0;
    host.answer('transact', async () => {
      calls++;
      throw told(OUT_OF_ORDER_SEQUENCE);
    });
    const refused = world.passing(say(producer, '1'));
    await expect(refused).rejects.toMatchObject({ code: 'OUT_OF_ORDER_SEQUENCE' });
    expect(calls).toBe(2);
    host.answer('transact', undefined);
    await world.passing(say(producer, '2'));
    expect(await values()).toEqual(['2']);
  });
});

describe('after deliveryTimeoutMs', () => {
  const impatient: ProducerOptions = { ...alone, deliveryTimeoutMs: 1_000 };

  test('a record whose answer was lost is OUTCOME_UNKNOWN', async () => {
    const { world, host, producer, values } = await bench(impatient);
    host.answer('produce', fails(OUTCOME_UNKNOWN));
    const begun = world.clock.now();
    const sent = sendNow(producer, 'v');
    await expect(world.passing(sent)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(world.clock.now() - begun).toBeGreaterThanOrEqual(1_000);
    expect(world.clock.now() - begun).toBeLessThanOrEqual(1_200);
    expect(await values()).toEqual([]);
  });

  test('also where the last that was heard is another error', async () => {
    const { world, host, producer, values } = await bench(impatient);
    let calls = 0;
    host.answer('produce', (request, real) =>
      ++calls === 1 ? storedAndLost(request, real) : says(STORAGE_UNAVAILABLE)(request, real),
    );
    const error: unknown = await world.passing(sendNow(producer, 'v').catch((e: unknown) => e));
    expect(error).toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      cause: { code: 'STORAGE_UNAVAILABLE' },
    });
    expect(await values()).toEqual(['v']);
  });

  test('one that is certainly not stored says why', async () => {
    const { world, host, producer } = await bench(impatient);
    host.answer('produce', says(STORAGE_UNAVAILABLE));
    const sent = world.passing(sendNow(producer, 'v'));
    await expect(sent).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retriable: true });
  });

  test.each([
    ['stored', storedAndLost],
    ['not stored', fails(OUTCOME_UNKNOWN)],
  ])('later records go on, once each, after one that was %s', async (_, before) => {
    const { world, host, producer, values } = await bench(impatient);
    let isDown = true;
    let calls = 0;
    host.answer('produce', (request, real) => {
      if (!isDown) return real(request);
      return ++calls === 1 ? before(request, real) : fails(OUTCOME_UNKNOWN)(request, real);
    });
    await expect(world.passing(sendNow(producer, 'late'))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    });
    isDown = false;
    expect(await world.passing(sendNow(producer, 'next'))).toMatchObject({ partition: 0 });
    await world.passing(sendNow(producer, 'last'));
    expect(await values()).toEqual([...(before === storedAndLost ? ['late'] : []), 'next', 'last']);
  });

  test('one that is given up has no part in what becomes of a younger one', async () => {
    // Both are stored, and both answers lost: the younger one must not be stored anew.
    const { world, host, producer, values } = await bench(impatient);
    await world.passing(sendNow(producer, 'warm'));
    let calls = 0;
    let isDown = true;
    host.answer('produce', async (request, real) => {
      if (++calls <= 2) return storedAndLost(request, real);
      return isDown ? fails(OUTCOME_UNKNOWN)(request, real) : real(request);
    });
    const older = sendNow(producer, 'older').catch((error: unknown) => error);
    world.clock.advance(500);
    const younger = sendNow(producer, 'younger');
    await turns();
    expect(await values()).toEqual(['warm', 'older', 'younger']);
    expect(await world.passing(older)).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    isDown = false;
    expect(await world.passing(younger)).toMatchObject({ offset: 2 });
    expect(await values()).toEqual(['warm', 'older', 'younger']);
  });
});

describe('a tab that sleeps amid a back-off', () => {
  /** It sleeps until its time is up; others write meanwhile, and the partition forgets it. */
  async function sleep(world: World): Promise<void> {
    await turns();
    world.clock.sleep(PRODUCER_EXPIRATION_MS);
    await sendNow(world.tab().log.producer(alone), 'of another');
  }

  test('sends no batch again that may be stored; those behind it are', async () => {
    const { world, host, log, values } = await bench();
    const producer = log.producer({ ...alone, bufferBytes: 50 });
    fate(host, storedAndLost, fails(OUTCOME_UNKNOWN));
    const first = sendNow(producer, 'once').catch((error: unknown) => error);
    const others = ['x'.repeat(100), 'waits for room'].map((value) => sendNow(producer, value));
    await sleep(world);
    expect(await world.passing(first)).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await world.passing(Promise.all(others));
    expect(await values()).toEqual(['once', 'of another', 'x'.repeat(100), 'waits for room']);
  });

  test('sends no transaction again that may be stored', async () => {
    const { world, host, log, values } = await bench();
    let calls = 0;
    host.answer('transact', async (request, real) => {
      if (++calls === 1) await real(request);
      throw told(OUTCOME_UNKNOWN);
    });
    const producer = log.producer();
    const sent = producer.transaction((tx) => tx.send('t', { value: 'once', partition: 0 }));
    const outcome = sent.catch((error: unknown) => error);
    await eventually(() => expect(calls).toBe(2));
    await sleep(world);
    host.answer('transact', undefined);
    expect(await world.passing(outcome)).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(await values()).toEqual(['once', 'of another']);
  });
});

describe('a batch that fails for good', () => {
  test.each([
    ['the first', [says(STORAGE_FULL)]],
    ['the second', [well, says(STORAGE_FULL)]],
    ['the third', [well, well, says(STORAGE_FULL)]],
    ['the first two', [says(STORAGE_FULL), says(STORAGE_FULL)]],
  ])('rejects at once, and the others are stored in order: %s', async (_, fates) => {
    const { world, host, producer, values } = await bench();
    await world.passing(sendNow(producer, 'warm'));
    fate(host, ...fates);
    const begun = world.clock.now();
    const all = Promise.allSettled(['1', '2', '3', '4'].map((value) => send(producer, value)));
    await world.passing(producer.flush());
    const settled = await all;
    expect(world.clock.now() - begun).toBeLessThan(300);
    expect(settled.map((result) => (result.status === 'fulfilled' ? 'stored' : 'full'))).toEqual(
      [0, 1, 2, 3].map((i) => (fates[i] === undefined || fates[i] === well ? 'stored' : 'full')),
    );
    const stored = ['1', '2', '3', '4'].filter((_, i) => settled[i]!.status === 'fulfilled');
    expect(await values()).toEqual(['warm', ...stored]);
    for (const [i, result] of settled.entries()) {
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({ code: 'STORAGE_FULL', retriable: true });
      } else {
        expect(result.value.offset).toBe(1 + stored.indexOf(String(i + 1)));
      }
    }
    await world.passing(sendNow(producer, 'after'));
    expect(await values()).toEqual(['warm', ...stored, 'after']);
  });

  test('leaves alone one after it whose answer was lost', async () => {
    const { world, host, producer, values } = await bench();
    await world.passing(sendNow(producer, 'warm'));
    fate(host, says(STORAGE_FULL), storedAndLost);
    const full = send(producer, '1').catch((error: unknown) => error);
    const lost = send(producer, '2');
    await world.passing(producer.flush());
    expect(await full).toMatchObject({ code: 'STORAGE_FULL' });
    expect(await lost).toMatchObject({ offset: 1 });
    expect(await values()).toEqual(['warm', '2']);
  });

  test('is sent again all the same where an earlier answer was lost', async () => {
    const { world, host, producer, values } = await bench();
    fate(host, storedAndLost, says(STORAGE_FULL), says(STORAGE_FULL));
    expect(await world.passing(sendNow(producer, 'v'))).toMatchObject({ offset: 0 });
    expect(host.requests('produce')).toHaveLength(4);
    expect(await values()).toEqual(['v']);
  });

  test('OUT_OF_ORDER_SEQUENCE is not for ever: later records have numbers that hold', async () => {
    // As of a disk that lost the last appends: the partition is behind what the producer knows.
    const store = openMemoryStore(0);
    const world = new World(store);
    const { log } = world.tab();
    await log.admin.createTopics(['t']);
    const producer = log.producer(alone);
    const heads = [{ store: 'partition-000', key: 'head' }] as const;
    await world.passing(sendNow(producer, '1'));
    const [before] = await store.read(heads);
    await world.passing(sendNow(producer, '2'));
    await store.update(heads, (_, write) => {
      write.put('partition-000', 'head', before);
      write.delete('partition-000', 1);
    });
    const third = await world.passing(sendNow(producer, '3')).catch((error: unknown) => error);
    const isRefused = third instanceof TablogError;
    if (isRefused) expect(third.code).toBe(OUT_OF_ORDER_SEQUENCE.code);
    expect(await world.passing(sendNow(producer, '4'))).toMatchObject({
      offset: isRefused ? 1 : 2,
    });
  });
});

describe('a record that is expected ahead of the end', () => {
  test('is in conflict for good, though a worker that hung goes on when it would be right', async () => {
    const { world, host, log, producer, values } = await bench();
    let goesOn!: () => Promise<unknown>;
    fate(host, async (request, real) => {
      goesOn = () => real(request);
      throw told(OUTCOME_UNKNOWN);
    });
    const ahead = producer.send('t', { value: 'A', partition: 0, expectedOffset: 1 });
    const outcome = ahead.catch((error: unknown) => error);
    await world.passing(producer.flush());
    expect(await outcome).toMatchObject({ code: 'CONFLICT' });
    await world.passing(sendNow(log.producer(alone), 'of another'));
    await goesOn();
    expect(await world.passing(sendNow(producer, 'B'))).toMatchObject({ offset: 1 });
    expect(await values()).toEqual(['of another', 'B']);
  });

  test('leaves those behind it as they are: none is sent again', async () => {
    const { world, host, producer, values } = await bench();
    await world.passing(sendNow(producer, 'warm'));
    const wrong = producer
      .send('t', { value: 'no', partition: 0, expectedOffset: 9 })
      .catch((error: unknown) => error);
    const sent = ['1', '2'].map((value) => send(producer, value));
    await world.passing(Promise.all([...sent, producer.flush()]));
    expect(await wrong).toMatchObject({ code: 'CONFLICT' });
    expect(await values()).toEqual(['warm', '1', '2']);
    const appends = host.requests('produce').flatMap((request) => request.appends);
    expect(appends).toHaveLength(4);
  });
});

describe('flush and close', () => {
  test.each(['flush', 'close'] as const)('%s waits for what is sent again', async (call) => {
    const { world, host, producer, values } = await bench();
    fate(host, fails(OUTCOME_UNKNOWN), storedAndLost, fails(OUTCOME_UNKNOWN));
    let acked = 0;
    const sent = ['1', '2'].map((value) => send(producer, value).then(() => acked++));
    await world.passing(producer[call]());
    await idle();
    expect(acked).toBe(2);
    expect(await values()).toEqual(['1', '2']);
    await Promise.all(sent);
  });

  test.each(['flush', 'close'] as const)('%s waits for what lingers meanwhile', async (call) => {
    const { world, host, producer } = await bench();
    let down = 0;
    host.answer('produce', async (request, real) => {
      const appends = request.appends.filter(({ partition }) => partition !== down);
      const results = [...(await real({ ...request, appends }))];
      const error = toErrorData(told(STORAGE_UNAVAILABLE));
      return request.appends.map((append) =>
        append.partition === down ? { error } : results.shift()!,
      );
    });
    const first = sendNow(producer, 'first', 0);
    await turns(); // it has failed twice: nothing is sent for a while
    let acked = false;
    const lingers = send(producer, 'lingers', 1).then(() => (acked = true));
    const done = producer[call]().then(() => acked);
    down = 1;
    world.clock.advance(100);
    await turns();
    down = -1;
    expect(await world.passing(done)).toBe(true);
    await Promise.all([first, lingers]);
  });

  test('close of the log waits, too, and later sends are refused', async () => {
    const { world, host, log, producer, values } = await bench();
    fate(host, fails(OUTCOME_UNKNOWN), fails(OUTCOME_UNKNOWN));
    const sent = send(producer, 'v');
    const closed = log.close();
    await expect(send(producer, 'w')).rejects.toMatchObject({ code: 'CLOSED' });
    await world.passing(closed);
    expect(await sent).toMatchObject({ offset: 0 });
    expect(await values()).toEqual(['v']);
  });

  test('a full buffer waits for what is sent again', async () => {
    const { world, host, producer, values } = await bench({ ...alone, bufferBytes: 200 });
    fate(host, storedAndLost, fails(OUTCOME_UNKNOWN), says(STORAGE_UNAVAILABLE), storedAndLost);
    const all = Array.from({ length: 20 }, (_, i) => String(i).padEnd(50));
    const sent = all.map((value) => send(producer, value));
    await world.passing(Promise.all([...sent, producer.flush()]));
    expect(await values()).toEqual(all);
  });
});

describe('a producer with idempotent: false', () => {
  test('sends nothing again, and its batches have no producer', async () => {
    const { world, host, producer } = await bench({ ...alone, idempotent: false });
    await world.passing(sendNow(producer, 'v'));
    fate(host, fails(OUTCOME_UNKNOWN));
    const lost = world.passing(sendNow(producer, 'v'));
    await expect(lost).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(host.requests('produce')).toHaveLength(2);
    for (const { appends } of host.requests('produce')) {
      const header = new RecordBatch(new Uint8Array(appends[0]!.batch));
      expect(header).toMatchObject({ producerId: -1, producerEpoch: -1, baseSequence: -1 });
    }
  });
});
