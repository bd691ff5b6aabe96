import { describe, expect, test } from 'vitest';
import type { Log, Producer, ProducerOptions } from '../../../src/index.ts';
import { AN_HOUR_MS, countOf, logWith, numbered } from '../../support/log-fixture.ts';
import { sentBy, stubbedLog } from '../../support/stub-broker.ts';
import type { Gate, StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const slow: ProducerOptions = { lingerMs: AN_HOUR_MS };

/** A producer whose broker does not answer before the gate opens. */
async function held(
  options: ProducerOptions = {},
): Promise<{ host: StubHost; log: Log; producer: Producer; gate: Gate }> {
  const { log, host } = await stubbedLog('t');
  await log.admin.listOffsets([{ topic: 't', at: 'latest' }]); // the topic is known now
  return { host, log, producer: log.producer(options), gate: host.hold('produce') };
}

describe('flush', () => {
  test('resolves when everything is stored', async () => {
    const log = await logWith('t');
    const producer = log.producer({ ...slow, batchBytes: 200 });
    const sent = Promise.all(numbered(500).map((record) => producer.send('t', record)));
    await producer.flush();
    expect(await countOf(log, 't')).toBe(500);
    await sent;
  });

  test('waits for what is under way', async () => {
    const { producer, gate } = await held();
    let stored = false;
    const sent = producer.send('t', { value: 'v' }).then(() => (stored = true));
    await gate.arrived(1);
    const flushed = producer.flush().then(() => stored);
    await settle();
    gate.open();
    expect(await flushed).toBe(true);
    await sent;
  });

  test('has nothing to do when nothing was sent', async () => {
    const { log, host } = await stubbedLog('t');
    await log.producer().flush();
    expect(host.requests('produce')).toEqual([]);
  });

  test('resolves though a record fails: that is for its send to say', async () => {
    const log = await logWith();
    const producer = log.producer();
    const sent = producer.send('nowhere', { value: 'v' });
    const failed = expect(sent).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    await producer.flush();
    await failed;
  });

  test('leaves the producer open', async () => {
    const log = await logWith('t');
    const producer = log.producer(slow);
    const first = producer.send('t', { value: 'v' });
    await producer.flush();
    const second = producer.send('t', { value: 'v' });
    await producer.flush();
    expect(await Promise.all([first, second])).toMatchObject([{ offset: 0 }, { offset: 1 }]);
  });
});

describe('close', () => {
  test('stores what was sent, then refuses', async () => {
    const log = await logWith('t');
    const producer = log.producer(slow);
    const sent = producer.send('t', { value: 'v' });
    await producer.close();
    expect(await sent).toMatchObject({ offset: 0 });
    const closed = { code: 'CLOSED' };
    await expect(producer.send('t', { value: 'v' })).rejects.toMatchObject(closed);
    await expect(producer.sendBatch('t', [{ value: 'v' }])).rejects.toMatchObject(closed);
    await expect(producer.sendBatch('t', [])).rejects.toMatchObject(closed);
    expect(await countOf(log, 't')).toBe(1);
  });

  test('is idempotent, at once and later', async () => {
    const { host, producer, gate } = await held(slow);
    const sent = producer.send('t', { value: 'v' });
    const closing = [producer.close(), producer.close()];
    await gate.arrived(1);
    gate.open();
    await Promise.all(closing);
    await producer.close();
    await producer[Symbol.asyncDispose]();
    await sent;
    expect(sentBy(host)).toHaveLength(1);
  });

  test('stores what still waits for its topic', async () => {
    const log = await logWith('t');
    const producer = log.producer(slow);
    const sent = producer.sendBatch('t', numbered(10));
    await producer.close();
    expect(await sent).toHaveLength(10);
  });

  test('one producer leaves the others of its log alone', async () => {
    const log = await logWith('t');
    const producer = log.producer();
    await log.producer().close();
    expect(await producer.send('t', { value: 'v' })).toMatchObject({ offset: 0 });
  });

  test('a record that is sent meanwhile is stored or refused', async () => {
    await expectSettled(await held());
  });

  test('also one that lingers', async () => {
    await expectSettled(await held(slow));
  });

  /** Sends while the last batch before `close` is under way. */
  async function expectSettled({
    log,
    producer,
    gate,
  }: Awaited<ReturnType<typeof held>>): Promise<void> {
    const first = producer.send('t', { value: 'v' });
    const closing = producer.close();
    await gate.arrived(1);
    const late = Promise.allSettled([producer.send('t', { value: 'late' })]);
    gate.open();
    await Promise.all([first, closing]);
    const [{ status }] = await late;
    expect(await countOf(log, 't')).toBe(status === 'fulfilled' ? 2 : 1);
  }
});
