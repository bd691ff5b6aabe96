import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Producer, ProducerOptions } from '../../../src/index.ts';
import { AN_HOUR_MS, numbered } from '../../support/log-fixture.ts';
import { sentBy, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

/** A producer that knows its topic of three partitions, so that nothing waits for a look-up. */
async function start(
  options: ProducerOptions = {},
): Promise<{ host: StubHost; producer: Producer }> {
  const { log, host } = await stubbedLog(topic('t', { partitions: 3 }));
  await log.admin.listOffsets([{ topic: 't', at: 'latest' }]);
  return { host, producer: log.producer(options) };
}

/** A record for partition 0 that takes about `bytes`. */
function sized(bytes: number): { value: Uint8Array; partition: number } {
  return { value: new Uint8Array(bytes), partition: 0 };
}

test('what is sent in one turn goes in one request', async () => {
  const { host, producer } = await start();
  await Promise.all(
    numbered(30).map((record, i) => producer.send('t', { ...record, partition: i % 3 })),
  );
  expect(sentBy(host)).toMatchObject([
    [
      { partition: 0, records: 10 },
      { partition: 1, records: 10 },
      { partition: 2, records: 10 },
    ],
  ]);
});

test('what is sent before the topic is known goes in two requests at most', async () => {
  const { log, host } = await stubbedLog('t');
  const producer = log.producer();
  await Promise.all(numbered(100).map((record) => producer.send('t', record)));
  const requests = sentBy(host).map(([batch]) => batch!.records);
  expect(requests.reduce((a, b) => a + b)).toBe(100);
  expect(requests.length).toBeLessThanOrEqual(2);
});

test('what is sent while a batch is under way travels together', async () => {
  const { host, producer } = await start();
  const gate = host.hold('produce');
  const sent = [producer.send('t', sized(1))];
  await gate.arrived(1);
  for (let i = 0; i < 4; i++) {
    sent.push(producer.send('t', sized(1)));
    await settle();
  }
  expect(sentBy(host)).toHaveLength(1);
  gate.open();
  await Promise.all(sent);
  expect(sentBy(host)).toMatchObject([[{ records: 1 }], [{ records: 4 }]]);
});

test('a partition does not wait for the batch of another', async () => {
  const { host, producer } = await start();
  const gate = host.hold('produce');
  const first = producer.send('t', { value: 'a', partition: 0 });
  await gate.arrived(1);
  const second = producer.send('t', { value: 'b', partition: 1 });
  await gate.arrived(2);
  gate.open();
  expect(await Promise.all([first, second])).toMatchObject([
    { partition: 0, offset: 0 },
    { partition: 1, offset: 0 },
  ]);
});

describe('batchBytes', () => {
  test('a batch that is full leaves at once, whatever it lingers', async () => {
    const { host, producer } = await start({ batchBytes: 1100, lingerMs: AN_HOUR_MS });
    const sent = Array.from({ length: 10 }, () => producer.send('t', sized(300)));
    await Promise.all(sent.slice(0, 9));
    const batches = sentBy(host).flat();
    expect(batches.map(({ records }) => records)).toEqual([3, 3, 3]);
    for (const { bytes } of batches) expect(bytes).toBeLessThanOrEqual(1100);
    await producer.flush();
    await sent[9];
  });

  test('a record that is larger goes alone', async () => {
    const { host, producer } = await start({ batchBytes: 100 });
    await Promise.all([1, 500, 1].map((bytes) => producer.send('t', sized(bytes))));
    expect(sentBy(host).flat()).toMatchObject([{ records: 1 }, { records: 1 }, { records: 1 }]);
  });

  test('no more than five batches of a partition are under way', async () => {
    const { host, producer } = await start({ batchBytes: 100 });
    const gate = host.hold('produce');
    const sent = Array.from({ length: 20 }, () => producer.send('t', sized(80)));
    await gate.arrived(1);
    await settle();
    expect(sentBy(host).flat()).toHaveLength(5);
    gate.open();
    const offsets = (await Promise.all(sent)).map(({ offset }) => offset);
    expect(offsets).toEqual(numbered(20).map(({ value }) => Number(value)));
  });
});

describe('lingerMs', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('a batch waits so long for more', async () => {
    const { host, producer } = await start({ lingerMs: 20 });
    const sent = [producer.send('t', sized(1))];
    await vi.advanceTimersByTimeAsync(19);
    sent.push(producer.send('t', sized(1)), producer.send('t', { value: 'b', partition: 1 }));
    await settle();
    expect(sentBy(host)).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await Promise.all(sent);
    expect(sentBy(host)).toMatchObject([[{ records: 2 }, { records: 1 }]]);
  });

  test('the next batch waits as long again', async () => {
    const { host, producer } = await start({ lingerMs: 20 });
    const first = producer.send('t', sized(1));
    await vi.advanceTimersByTimeAsync(20);
    await first;
    const second = producer.send('t', sized(1));
    await vi.advanceTimersByTimeAsync(19);
    expect(sentBy(host)).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    await second;
    expect(sentBy(host)).toHaveLength(2);
  });

  test('flush and close do not linger', async () => {
    const { host, producer } = await start({ lingerMs: AN_HOUR_MS });
    const sent = [producer.send('t', sized(1))];
    await producer.flush();
    sent.push(producer.send('t', sized(1)));
    await producer.close();
    await Promise.all(sent);
    expect(sentBy(host)).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1000); // the broker's own are done by then
    expect(vi.getTimerCount()).toBe(1); // the broker's next round of retention
  });
});
