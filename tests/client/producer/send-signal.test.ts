import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_FULL, WORKER_FAILED } from '../../../src/base/error-rules.ts';
import { SendBatchError } from '../../../src/index.ts';
import type { Producer, RecordMetadata } from '../../../src/index.ts';
import type { openTab } from '../../support/log-fixture.ts';
import {
  AN_HOUR_MS,
  countOf,
  logWith,
  numbered,
  readAll,
  texts,
} from '../../support/log-fixture.ts';
import { sentBy, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import {
  World,
  alone,
  bench,
  fails,
  fate,
  send,
  sendNow,
  storedAndLost,
  turns,
} from './producer-fixture.ts';
import { settle } from '../../support/waiting.ts';

const reason = new Error('not wanted any more');

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

const sendWith = (
  producer: Producer,
  value: string,
  signal?: AbortSignal,
): Promise<RecordMetadata> =>
  producer.send('t', { value, partition: 0 }, signal === undefined ? {} : { signal });

async function stubbed(): Promise<{ host: StubHost; log: Awaited<ReturnType<typeof openTab>> }> {
  const { log, host } = await stubbedLog('t');
  await log.admin.listOffsets([{ topic: 't', at: 'latest' }]); // the topic is known now
  return { host, log };
}

describe('a signal withdraws a record', () => {
  test('that has aborted before the call: nothing is sent', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    const signal = AbortSignal.abort(reason);
    await expect(sendWith(producer, 'a', signal)).rejects.toBe(reason);
    await expect(producer.sendBatch('t', numbered(2), { signal })).rejects.toBe(reason);
    await producer.flush();
    expect(await readAll(log, 't')).toEqual([]);
    expect(listeners(signal)).toBe(0);
  });

  test('but a mistake is told first', async () => {
    const producer = (await logWith('t')).producer();
    const signal = AbortSignal.abort(reason);
    const sent = producer.send('t', { value: undefined as never }, { signal });
    await expect(sent).rejects.toBeInstanceOf(TypeError);
  });

  test('while its topic is looked up; those behind it go on in order', async () => {
    const world = new World();
    const { log, host } = world.tab();
    await log.admin.createTopics(['t']);
    const { log: other, host: stub } = world.tab();
    const gate = stub.hold('listTopics');
    const producer = other.producer();
    const aborting = new AbortController();
    const sent = [
      sendWith(producer, 'a'),
      sendWith(producer, 'b', aborting.signal),
      sendWith(producer, 'c'),
    ];
    await gate.arrived(1);
    const flushed = producer.flush();
    aborting.abort(reason);
    await expect(sent[1]).rejects.toBe(reason);
    gate.open();
    await flushed;
    expect((await Promise.all([sent[0], sent[2]])).map((place) => place!.offset)).toEqual([0, 1]);
    expect(texts(await readAll(log, 't'))).toEqual(['a', 'c']);
    expect(host.requests('produce')).toEqual([]);
  });

  test('that is the last of those a flush waits for', async () => {
    const world = new World();
    const { log, host } = world.tab();
    await log.admin.createTopics(['t']);
    const { log: other, host: stub } = world.tab();
    const gate = stub.hold('listTopics');
    const producer = other.producer();
    const aborting = new AbortController();
    const first = sendWith(producer, 'a');
    const last = sendWith(producer, 'b', aborting.signal);
    await gate.arrived(1);
    let isFlushed = false;
    const flushed = producer.flush().then(() => (isFlushed = true));
    aborting.abort(reason);
    await expect(last).rejects.toBe(reason);
    await turns();
    expect(isFlushed).toBe(false);
    gate.open();
    await flushed;
    expect(await first).toMatchObject({ offset: 0 });
    expect(host.requests('produce')).toEqual([]);
  });

  test('while it waits for room', async () => {
    const { host, log } = await stubbed();
    const gate = host.hold('produce');
    const producer = log.producer({ bufferBytes: 1 });
    const aborting = new AbortController();
    const first = sendWith(producer, 'a');
    const second = sendWith(producer, 'b', aborting.signal);
    const third = sendWith(producer, 'c');
    await gate.arrived(1);
    aborting.abort(reason);
    await expect(second).rejects.toBe(reason);
    gate.open();
    expect(await first).toMatchObject({ offset: 0 });
    expect(await third).toMatchObject({ offset: 1 });
    expect(texts(await readAll(log, 't'))).toEqual(['a', 'c']);
  });

  test('while it lingers in a batch, and makes room', async () => {
    const log = await logWith('t');
    const producer = log.producer({ lingerMs: AN_HOUR_MS, bufferBytes: 2000 });
    const aborting = new AbortController();
    const sent = [
      producer.send('t', { value: 'b'.repeat(3000) }, { signal: aborting.signal }),
      sendWith(producer, 'c'), // waits for room
    ];
    aborting.abort(reason);
    await expect(sent[0]).rejects.toBe(reason);
    await producer.flush();
    expect(await sent[1]).toMatchObject({ offset: 0 });
    expect(texts(await readAll(log, 't'))).toEqual(['c']);
  });

  test('while it is one of several in the batches of its partition', async () => {
    const { world, producer, values } = await bench({ lingerMs: AN_HOUR_MS });
    const aborting = new AbortController();
    const { signal } = aborting;
    await world.passing(Promise.all([send(producer, 'warm'), producer.flush()]));
    const before = [sendWith(producer, 'a'), sendWith(producer, 'b')];
    const left = ['c', 'd', 'e'].map((value) => sendWith(producer, value, signal));
    const after = sendWith(producer, 'f');
    const more = sendWith(producer, 'g', signal);
    aborting.abort(reason);
    const last = sendWith(producer, 'h');
    await world.passing(producer.flush());
    // 'f' has sealed the batch before it, which left at once.
    const settled = await Promise.allSettled(left);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    await expect(more).rejects.toBe(reason);
    const places = await Promise.all([...before, ...left, after, last]);
    expect(places.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await values()).toEqual(['warm', 'a', 'b', 'c', 'd', 'e', 'f', 'h']);
  });

  test('behind as many batches as may be under way', async () => {
    const { world, host, producer, values } = await bench(alone);
    const gate = host.hold('produce');
    const before = numbered(7).map(({ value }) => send(producer, value));
    const aborting = new AbortController();
    const withdrawn = sendWith(producer, 'no', aborting.signal);
    const after = send(producer, 'after');
    const flushed = producer.flush();
    await gate.arrived(1);
    aborting.abort(reason);
    await expect(withdrawn).rejects.toBe(reason);
    gate.open();
    await world.passing(flushed);
    await Promise.all([...before, after]);
    expect(await values()).toEqual(['0', '1', '2', '3', '4', '5', '6', 'after']);
  });

  test('while no worker can be had; others keep their order, and their numbers', async () => {
    const { world, host, producer, values } = await bench(alone);
    host.answer('produce', fails(WORKER_FAILED));
    const aborting = new AbortController();
    const sent = [
      send(producer, 'a'),
      sendWith(producer, 'b', aborting.signal),
      send(producer, 'c'),
    ];
    const flushed = producer.flush();
    await turns();
    aborting.abort(reason);
    await expect(sent[1]).rejects.toBe(reason);
    host.answer('produce', undefined);
    await world.passing(flushed);
    expect(await Promise.all([sent[0], sent[2]])).toMatchObject([{ offset: 0 }, { offset: 1 }]);
    expect(await world.passing(sendNow(producer, 'd'))).toMatchObject({ offset: 2 });
    expect(await values()).toEqual(['a', 'c', 'd']);
  });

  test('that is under way as it aborts, and turns out not to be stored: it is not sent again', async () => {
    const { world, host, producer, values } = await bench(alone);
    const aborting = new AbortController();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls > 1) return real(request);
      aborting.abort(reason);
      return fails(WORKER_FAILED)(request, real);
    });
    const sent = sendWith(producer, 'a', aborting.signal);
    await world.passing(producer.flush());
    await expect(sent).rejects.toBe(reason);
    expect(calls).toBe(1);
    expect(await world.passing(sendNow(producer, 'b'))).toMatchObject({ offset: 0 });
    expect(await values()).toEqual(['b']);
  });
});

describe('a signal does not withdraw', () => {
  test('what is with the worker: the promise tells the place', async () => {
    const { host, log } = await stubbed();
    const gate = host.hold('produce');
    const aborting = new AbortController();
    const sent = sendWith(log.producer(), 'a', aborting.signal);
    await gate.arrived(1);
    aborting.abort(reason);
    await settle();
    gate.open();
    expect(await sent).toMatchObject({ offset: 0 });
    expect(listeners(aborting.signal)).toBe(0);
  });

  test('what may be stored: it is asked for again, and the promise tells the place', async () => {
    const { world, host, producer, values } = await bench(alone);
    fate(host, storedAndLost, fails(OUTCOME_UNKNOWN), fails(OUTCOME_UNKNOWN));
    const aborting = new AbortController();
    const sent = sendWith(producer, 'a', aborting.signal);
    const flushed = producer.flush();
    await turns();
    aborting.abort(reason);
    await world.passing(flushed);
    expect(await sent).toMatchObject({ offset: 0 });
    expect(await values()).toEqual(['a']);
  });

  test('what was refused: the promise tells why', async () => {
    const { world, host, producer } = await bench(alone);
    const aborting = new AbortController();
    host.answer('produce', async (request, real) => {
      aborting.abort(reason);
      return fails(STORAGE_FULL)(request, real);
    });
    const sent = sendWith(producer, 'a', aborting.signal);
    await world.passing(producer.flush());
    await expect(sent).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  });
});

test('records of one signal share batches, and those of others do not', async () => {
  const { host, log } = await stubbed();
  const producer = log.producer({ lingerMs: AN_HOUR_MS });
  const [mine, other] = [new AbortController().signal, new AbortController().signal];
  const sent = [
    ...numbered(100).map(({ value }) => sendWith(producer, value, mine)),
    ...numbered(10).map(({ value }) => sendWith(producer, value, other)),
    ...numbered(10).map(({ value }) => sendWith(producer, value)),
  ];
  await producer.flush();
  const places = await Promise.all(sent);
  expect(places.map(({ offset }) => offset)).toEqual(sent.map((_, i) => i));
  expect(
    sentBy(host)
      .flat()
      .map(({ records }) => records),
  ).toEqual([100, 10, 10]);
});

test('a signal has one listener, however many records have it, and none once they are settled', async () => {
  const { host, log } = await stubbed();
  const gate = host.hold('produce');
  const producer = log.producer();
  const { signal } = new AbortController();
  const sent = [
    ...numbered(100).map(({ value }) => sendWith(producer, value, signal)),
    producer.sendBatch('t', numbered(10), { signal }),
    producer.send('none', { value: 'x' }, { signal }).catch((error: unknown) => error),
    producer.send('t', { value: undefined as never }, { signal }).catch((error: unknown) => error),
  ];
  expect(listeners(signal)).toBe(1);
  await gate.arrived(1);
  gate.open();
  await Promise.all(sent);
  await settle();
  expect(listeners(signal)).toBe(0);
  await sendWith(producer, 'again', signal);
  await settle();
  expect(listeners(signal)).toBe(0);
});

describe('sendBatch', () => {
  test('rejects with the reason where all of it is withdrawn', async () => {
    const { producer, values } = await bench({ lingerMs: AN_HOUR_MS });
    const aborting = new AbortController();
    const records = numbered(6).map((record, i) => ({ ...record, partition: i % 3 }));
    const sent = producer.sendBatch('t', records, { signal: aborting.signal });
    aborting.abort(reason);
    await expect(sent).rejects.toBe(reason);
    await producer.flush();
    expect(await values()).toEqual([]);
  });

  test('tells what was stored and what was withdrawn, where that is not all', async () => {
    const { world, host, producer, values } = await bench({ ...alone, lingerMs: 0 });
    const gate = host.hold('produce');
    const aborting = new AbortController();
    const records = numbered(8).map((record) => ({ ...record, partition: 0 }));
    const sent = producer.sendBatch('t', records, { signal: aborting.signal });
    const outcome = sent.catch((error: unknown) => error);
    await gate.arrived(1);
    aborting.abort(reason);
    gate.open();
    const error = (await world.passing(outcome)) as SendBatchError;
    expect(error).toBeInstanceOf(SendBatchError);
    expect(error).toMatchObject({ code: 'ABORTED', retriable: false, outcome: 'unknown' });
    const stored = error.results.filter((result) => 'offset' in result);
    expect(stored.length).toBeGreaterThan(0);
    expect(stored).toMatchObject(stored.map((_, offset) => ({ offset })));
    const others = error.results.slice(stored.length);
    expect(others.length).toBeGreaterThan(0);
    for (const other of others) expect(other).toMatchObject({ code: 'ABORTED', cause: reason });
    expect(await values()).toEqual(records.slice(0, stored.length).map(({ value }) => value));
  });
});

describe('flush', () => {
  test('stops waiting when its signal aborts, and what is buffered is sent all the same', async () => {
    const { host, log } = await stubbed();
    const gate = host.hold('produce');
    const producer = log.producer({ lingerMs: AN_HOUR_MS });
    const aborting = new AbortController();
    const sent = sendWith(producer, 'a');
    const flushed = producer.flush({ signal: aborting.signal });
    await gate.arrived(1);
    aborting.abort(reason);
    await expect(flushed).rejects.toBe(reason);
    gate.open();
    expect(await sent).toMatchObject({ offset: 0 });
    expect(listeners(aborting.signal)).toBe(0);
  });

  test('leaves no listener where all is stored', async () => {
    const { log } = await stubbed();
    const producer = log.producer({ lingerMs: AN_HOUR_MS });
    const { signal } = new AbortController();
    const sent = sendWith(producer, 'a');
    await producer.flush({ signal });
    expect(await sent).toMatchObject({ offset: 0 });
    expect(listeners(signal)).toBe(0);
  });

  test('rejects where the signal has aborted, and sends all the same', async () => {
    const { log } = await stubbed();
    const producer = log.producer({ lingerMs: AN_HOUR_MS });
    const sent = sendWith(producer, 'a');
    await expect(producer.flush({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await sent).toMatchObject({ offset: 0 });
  });
});

test('a signal in the place of the options is refused', async () => {
  const log = await logWith('t');
  const { signal } = new AbortController();
  const rule = new TypeError('send() takes the signal as { signal }');
  await expect(log.producer().send('t', { value: 'a' }, signal as object)).rejects.toThrow(rule);
  expect(await countOf(log, 't')).toBe(0);
});
