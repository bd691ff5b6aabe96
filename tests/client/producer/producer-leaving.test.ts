import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError, topic } from '../../../src/index.ts';
import type { Log, Producer, ProducerOptions } from '../../../src/index.ts';
import { METADATA_MAX_AGE_MS } from '../../../src/client/topics/topic-metadata.ts';
import type { Method } from '../../../src/protocol/broker.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import { RecordBatch } from '../../../src/record/batch-reader.ts';
import { RecordCursor } from '../../../src/record/record-cursor.ts';
import { AN_HOUR_MS, readAll, texts } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { loadParts } from '../../support/load-parts.ts';
import { StubPage } from '../../support/stub-page.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { alone, bench, sendNow } from './producer-fixture.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

let page: StubPage;
let host: StubHost;
let clock: ManualClock;
let log: Log;
const held: (() => void)[] = [];
beforeEach(async () => {
  page = new StubPage();
  host = stubHost();
  clock = new ManualClock();
  log = openTabWith(clock, host);
  await log.admin.createTopics([topic('t'), topic('u')]);
  await log.producer().send('t', { value: 'warm' });
  await settle(); // hints of the topics have been heard
});
afterEach(() => {
  for (const open of held.splice(0)) open();
  vi.unstubAllGlobals();
});

/** What was posted to the worker since the page had its producer, in order. */
function posted(from = 1): string[] {
  return host
    .requests('produce')
    .slice(from)
    .flatMap(({ appends }) => appends.flatMap(({ batch }) => valuesIn(batch)));
}

function valuesIn(bytes: ArrayBuffer): string[] {
  const batch = new RecordBatch(new Uint8Array(bytes));
  const cursor = new RecordCursor(batch, batch.recordBytes);
  const values: string[] = [];
  while (cursor.next()) {
    const { valueAt, valueLength } = cursor;
    values.push(new TextDecoder().decode(cursor.bytes.subarray(valueAt, valueAt + valueLength)));
  }
  return values;
}

/** What the microtasks of the last listener do; not a task more, which a page that is left does not get. */
async function endOfTurn(): Promise<void> {
  for (let step = 0; step < 50; step++) await Promise.resolve();
}

/** The worker answers none of these before the end of the test, or as it says. */
function hold(method: Method): () => void {
  const gate = host.hold(method);
  const open = (): void => gate.open();
  held.push(open);
  return open;
}

const WAYS = ['pagehide', 'hide', 'freeze'] as const;

describe.each(WAYS)('a record sent as the page leaves: %s', (how) => {
  /** Sends in a listener of the application, registered before any of ours or after. */
  async function sendOnLeave(options: ProducerOptions = {}, to = 't'): Promise<void> {
    const producer = log.producer(options);
    page.on(how, () => void producer.send(to, { value: 'left' }).catch(() => {}));
    page[how]();
    await endOfTurn();
  }

  test('is posted in that turn', async () => {
    hold('produce');
    await sendOnLeave();
    expect(posted()).toEqual(['left']);
  });

  test('though it would linger', async () => {
    hold('produce');
    await sendOnLeave({ lingerMs: AN_HOUR_MS });
    expect(posted()).toEqual(['left']);
  });

  test('though topics were read long ago', async () => {
    hold('listTopics');
    clock.advance(METADATA_MAX_AGE_MS + 1);
    await sendOnLeave();
    expect(posted()).toEqual(['left']);
  });

  test('though topics have just changed', async () => {
    hold('listTopics');
    await log.admin.createTopics(['other']);
    await sendOnLeave();
    expect(posted()).toEqual(['left']);
  });

  test('by a producer that is made there', async () => {
    hold('produce');
    hold('listTopics');
    await log.admin.createTopics(['other']);
    page.on(how, () => {
      const producer = log.producer({ lingerMs: AN_HOUR_MS });
      void producer.send('t', { value: 'left' }).catch(() => {});
    });
    page[how]();
    await endOfTurn();
    expect(posted()).toEqual(['left']);
  });

  test('behind what waits for topics, and but for topics that nobody knows', async () => {
    hold('listTopics');
    await log.admin.createTopics(['other']);
    const producer = log.producer();
    for (const to of ['t', 'other', 'u', 't', 'other']) {
      void producer.send(to, { value: to }).catch(() => {});
    }
    await settle();
    expect(posted()).toEqual([]);
    page.on(how, () => void producer.send('t', { value: 'left' }).catch(() => {}));
    page[how]();
    await endOfTurn();
    expect(posted().toSorted()).toEqual(['left', 't', 't', 'u']);
    expect(posted().filter((value) => value !== 'u')).toEqual(['t', 't', 'left']);
  });

  test('and a flush still waits for what waits for a topic that nobody knows', async () => {
    const gate = host.hold('listTopics');
    held.push(() => gate.open());
    await log.admin.createTopics(['other']);
    await gate.arrived(1);
    const producer = log.producer();
    const ends: string[] = [];
    const sent = ['other', 't'].map(async (to) => {
      await producer.send(to, { value: to });
      ends.push(to);
    });
    const flushed = producer.flush().then(() => ends.push('flushed'));
    page[how]();
    await settle();
    expect(ends).toEqual(['t']);
    gate.open();
    await Promise.all([...sent, flushed]);
    expect(ends).toEqual(['t', 'other', 'flushed']);
  });

  test('though the buffer is full, behind what waits for room', async () => {
    const release = hold('produce');
    const producer = log.producer({ bufferBytes: 1 });
    const sent = ['a', 'b', 'c'].map((value) => producer.send('t', { value }));
    await settle();
    expect(posted()).toEqual(['a']);
    page.on(how, () => sent.push(producer.send('t', { value: 'left' })));
    page[how]();
    await endOfTurn();
    expect(posted()).toEqual(['a', 'b', 'c', 'left']);
    release();
    await Promise.all(sent);
    expect(texts(await readAll(log, 't'))).toEqual(['warm', 'a', 'b', 'c', 'left']);
  });

  test('though more batches are under way than otherwise at once', async () => {
    const release = hold('produce');
    const producer = log.producer({ batchBytes: 1 });
    const sent = Array.from({ length: 9 }, (_, i) => producer.send('t', { value: String(i) }));
    await settle();
    expect(posted()).toHaveLength(5);
    page.on(how, () => sent.push(producer.send('t', { value: 'left' })));
    page[how]();
    await endOfTurn();
    const all = [...Array.from({ length: 9 }, (_, i) => String(i)), 'left'];
    expect(posted()).toEqual(all);
    release();
    await Promise.all(sent);
    expect(texts(await readAll(log, 't'))).toEqual(['warm', ...all]);
  });

  test('though the producer backs off', async () => {
    const error = toErrorData(new TablogError(STORAGE_UNAVAILABLE, 'it is gone'));
    host.answer('produce', async ({ appends }) => appends.map(() => ({ error })));
    const producer = log.producer();
    const sent = [producer.send('t', { value: 'a' })];
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(clock.timers).toBe(2); // the back-off, and the expiry
    host.answer('produce', undefined);
    page.on(how, () => sent.push(producer.send('t', { value: 'left' })));
    page[how]();
    await endOfTurn();
    expect(posted().slice(-2)).toEqual(['a', 'left']);
    await Promise.all(sent);
    expect(texts(await readAll(log, 't'))).toEqual(['warm', 'a', 'left']);
  });
});

describe('a transaction whose work is done as the page leaves', () => {
  beforeAll(loadParts);

  /** Begins one, which waits; what it has posted then, and what after the page has left. */
  async function postedBy(producer: Producer): Promise<[before: number, after: number]> {
    const done = producer.transaction((tx) => tx.send('t', { value: 'left' }));
    done.catch(() => {});
    for (let turn = 0; turn < 20; turn++) await settle();
    const before = host.requests('transact').length;
    page.pagehide();
    await endOfTurn();
    return [before, host.requests('transact').length];
  }

  test('does not wait for topics', async () => {
    const producer = log.producer();
    await producer.transaction(() => {});
    hold('listTopics');
    await log.admin.createTopics(['other']);
    expect(await postedBy(producer)).toEqual([0, 1]);
  });

  test('does not back off', async () => {
    host.answer('transact', async () => {
      throw new TablogError(STORAGE_UNAVAILABLE, 'it is gone');
    });
    expect(await postedBy(log.producer())).toEqual([2, 3]);
    host.answer('transact', undefined);
    clock.advance(1_200);
  });
});

test('a page that has left and lives on waits again for what it waited for before', async () => {
  page.hide();
  const producer = log.producer({ bufferBytes: 1 });
  await producer.send('t', { value: 'hidden' }); // the answer shows that the page lives
  hold('produce');
  for (const value of ['a', 'b']) void producer.send('t', { value }).catch(() => {});
  await settle();
  expect(posted()).toEqual(['hidden', 'a']);
});

test('a page that is shown again waits again', async () => {
  const release = hold('produce');
  page.pagehide();
  page.pageshow();
  const producer = log.producer({ bufferBytes: 1 });
  const sent = ['a', 'b'].map((value) => producer.send('t', { value }));
  await settle();
  expect(posted()).toEqual(['a']);
  release();
  await Promise.all(sent);
});

test.each([
  ['all are stored', 6, 4],
  ['those that were under way before are', 5, 0],
  ['none is', 0, 0],
])(
  'answers that are lost to a page that comes back store nothing twice: %s',
  async (_, stored, unknown) => {
    const { world, host: broker, log: tab, values } = await bench();
    const producer = tab.producer({ ...alone, deliveryTimeoutMs: 10_000 });
    await world.passing(sendNow(producer, 'warm'));
    const lost = deferred();
    let calls = 0;
    broker.answer('produce', async (request, real) => {
      const call = calls++;
      if (call >= 6) return real(request);
      if (call < stored) await real(request);
      await lost.promise;
      throw new TablogError(OUTCOME_UNKNOWN, 'the worker died');
    });
    const names = Array.from({ length: 9 }, (_, i) => String(i));
    const sent = names.map((value) => producer.send('t', { value, partition: 0 }));
    const settled = Promise.allSettled(sent);
    await settle();
    page.pagehide();
    await settle();
    expect(calls).toBe(6);
    page.pageshow();
    lost.resolve();
    const outcomes = await world.passing(settled);
    const failed = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(failed.map(({ code }) => code)).toEqual(
      Array.from({ length: unknown }, () => 'OUTCOME_UNKNOWN'),
    );
    expect(await values()).toEqual(['warm', ...names]);
  },
);
