import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { ProducerOptions } from '../../../src/index.ts';
import { numbered, openTab, readAll, texts } from '../../support/log-fixture.ts';
import { sentBy, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const BUFFER_BYTES = 10_000;
const RECORD_BYTES = 500;
const small: ProducerOptions = { bufferBytes: BUFFER_BYTES, batchBytes: 4000 };

const handedOver = (host: StubHost): number =>
  sentBy(host)
    .flat()
    .reduce((sum, { bytes }) => sum + bytes, 0);

/** Records that tell their place in the order of sending. */
const ordered = (count: number): { value: string; partition: number }[] =>
  numbered(count).map(({ value }) => ({ value: value.padEnd(RECORD_BYTES), partition: 0 }));

describe('a broker that does not answer', () => {
  test('is handed no more than bufferBytes, and everything once it answers', async () => {
    const { log, host } = await stubbedLog('t');
    const producer = log.producer(small);
    const gate = host.hold('produce');
    const sent = ordered(200).map((record) => producer.send('t', record));
    await gate.arrived(2);
    await settle();
    expect(handedOver(host)).toBeGreaterThan(BUFFER_BYTES / 2);
    expect(handedOver(host)).toBeLessThan(BUFFER_BYTES + 2 * RECORD_BYTES);

    gate.open();
    const offsets = (await Promise.all(sent)).map(({ offset }) => offset);
    expect(offsets).toEqual(numbered(200).map(({ value }) => Number(value)));
  });

  test('makes send wait, and flush wait for it', async () => {
    const { log, host } = await stubbedLog('t');
    const producer = log.producer(small);
    const gate = host.hold('produce');
    let stored = 0;
    const sent = ordered(100).map((record) => producer.send('t', record).then(() => stored++));
    let flushed = false;
    const flush = producer.flush().then(() => (flushed = true));
    await gate.arrived(1);
    await settle();
    expect({ stored, flushed }).toEqual({ stored: 0, flushed: false });
    gate.open();
    await flush;
    await settle();
    expect(stored).toBe(100);
    await Promise.all(sent);
  });

  test('that fails in the end makes room too', async () => {
    const { log, host } = await stubbedLog('t');
    const producer = log.producer(small);
    const gate = host.hold('produce');
    const sent = Promise.allSettled(ordered(50).map((record) => producer.send('t', record)));
    await gate.arrived(1);
    host.answer('produce', () => Promise.reject(new Error('broken')));
    gate.open();
    expect(new Set((await sent).map(({ status }) => status))).toContain('rejected');
    host.answer('produce', undefined);
    await Promise.all(ordered(50).map((record) => producer.send('t', record)));
  });
});

test('one sendBatch may be larger than bufferBytes', async () => {
  const log = await openTab();
  await log.admin.createTopics(['t']);
  const producer = log.producer(small);
  await Promise.all([producer.sendBatch('t', ordered(100)), producer.sendBatch('t', ordered(100))]);
  const values = texts(await readAll(log, 't'));
  const once = ordered(100).map(({ value }) => value);
  expect(values).toEqual([...once, ...once]);
});

describe('the order within a partition is the order of send', () => {
  test('while the topic is looked up', async () => {
    const { log, host } = await stubbedLog(topic('t', { partitions: 2 }));
    const producer = log.producer();
    const records = numbered(60).map((record, i) => ({ ...record, partition: i % 2 }));
    const gate = host.hold('listTopics');
    const sent = records.slice(0, 20).map((record) => producer.send('t', record));
    await gate.arrived(1);
    const batch = producer.sendBatch('t', records.slice(20, 40));
    gate.open();
    sent.push(...records.slice(40).map((record) => producer.send('t', record)));
    await Promise.all([...sent, batch]);
    const values = texts(await readAll(log, 't')).map(Number);
    const even = values.slice(0, 30);
    const odd = values.slice(30);
    expect(even).toEqual(even.map((_, i) => 2 * i));
    expect(odd).toEqual(odd.map((_, i) => 2 * i + 1));
  });

  test('while it waits for room, turn after turn', async () => {
    const { log, host } = await stubbedLog('t');
    const producer = log.producer({ bufferBytes: 2000, batchBytes: 1000 });
    const records = ordered(150);
    host.answer('produce', async (request, real) => {
      await settle();
      return real(request);
    });
    const sent: Promise<unknown>[] = [];
    for (const [i, record] of records.entries()) {
      sent.push(producer.send('t', record));
      if (i % 10 === 9) await settle();
    }
    await Promise.all(sent);
    expect(texts(await readAll(log, 't'))).toEqual(records.map(({ value }) => value));
  });

  test('while topics change', async () => {
    const log = await openTab();
    await log.admin.createTopics(['t']);
    const producer = log.producer();
    const sent: Promise<unknown>[] = [];
    const records = ordered(100);
    for (const [i, record] of records.entries()) {
      sent.push(producer.send('t', record));
      if (i % 20 === 10) sent.push(log.admin.createTopics([`other-${i}`]));
      if (i % 7 === 3) await Promise.resolve();
    }
    await Promise.all(sent);
    expect(texts(await readAll(log, 't'))).toEqual(records.map(({ value }) => value));
  });
});
