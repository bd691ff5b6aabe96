import { describe, expect, test, vi } from 'vitest';
import type { Consumer, Log } from '../../../src/index.ts';
import { AN_HOUR_MS, logWith, numbered, take } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

const options = { topics: ['t'], from: 'earliest', maxWaitMs: AN_HOUR_MS } as const;

type Loop = (consumer: Consumer<'t'>, onMessage: () => void | Promise<void>) => Promise<void>;

const LOOPS: [string, Loop][] = [
  [
    'for await',
    async (consumer, onMessage) => {
      for await (const _ of consumer) await onMessage();
    },
  ],
  [
    'batches',
    async (consumer, onMessage) => {
      for await (const _ of consumer.batches({ max: 1 })) await onMessage();
    },
  ],
  ['run', (consumer, eachMessage) => consumer.run({ eachMessage })],
];

const ENDS: [string, (consumer: Consumer<'t'>, log: Log, abort: AbortController) => unknown][] = [
  ['close', (consumer) => consumer.close()],
  ['asyncDispose', (consumer) => consumer[Symbol.asyncDispose]()],
  ['its signal', (_consumer, _log, abort) => abort.abort()],
  ['log.close', (_consumer, log) => log.close()],
];

describe.each(LOOPS)('%s', (_, loop) => {
  test.each(ENDS)('that waits for news ends quietly with %s', async (_, end) => {
    const log = await logWith('t');
    const abort = new AbortController();
    const consumer = log.consumer({ ...options, signal: abort.signal });
    const each = vi.fn();
    const looping = loop(consumer, each);
    await consumer.ready;
    await settle();
    await end(consumer, log, abort);
    await expect(looping).resolves.toBeUndefined();
    expect(each).not.toHaveBeenCalled();
  });

  test.each(ENDS)('gets nothing more after %s in its body', async (_, end) => {
    const log = await logWith('t');
    await log.producer().sendBatch('t', numbered(5));
    const abort = new AbortController();
    const consumer = log.consumer({ ...options, signal: abort.signal });
    let messages = 0;
    await loop(consumer, async () => {
      messages++;
      await end(consumer, log, abort);
    });
    expect(messages).toBe(1);
  });

  test('ends at once when the consumer is closed already', async () => {
    const log = await logWith('t');
    const consumer = log.consumer({ ...options, signal: AbortSignal.abort() });
    await loop(consumer, () => expect.unreachable());
  });

  test('that waits for ready ends too', async () => {
    const { log, host } = await stubbedLog('t');
    const gate = host.hold('listTopicOffsets');
    const consumer = log.consumer(options);
    const each = vi.fn();
    const looping = loop(consumer, each);
    await gate.arrived(1);
    await consumer.close();
    await expect(looping).resolves.toBeUndefined();
    expect(each).not.toHaveBeenCalled();
  });
});

test('close is idempotent, and leaves the log and other consumers alone', async () => {
  const log = await logWith('t');
  const consumer = log.consumer(options);
  const other = log.consumer(options);
  await Promise.all([consumer.close(), consumer.close()]);
  await consumer.close();
  await log.producer().send('t', { value: 'v' });
  expect(await take(other, 1)).toHaveLength(1);
});

test('a consumer that is closed before it is ready says so, and its loops end', async () => {
  const log = await logWith('t');
  const consumer = log.consumer(options);
  await consumer.close();
  await expect(consumer.ready).rejects.toMatchObject({ code: 'CLOSED' });
  expect(await take(consumer, 1)).toEqual([]);
});

test('a consumer that is closed asks for nothing more', async () => {
  const { log, host } = await stubbedLog('t');
  const consumer = log.consumer(options);
  const loop = take(consumer, 1);
  await consumer.ready;
  await settle();
  await consumer.close();
  await loop;
  await settle();
  const fetches = host.requests('fetch').length;
  const { clientId, fetchId } = host.requests('fetch')[0]!;
  expect(host.requests('cancelFetch')).toContainEqual({ clientId, fetchId });
  await log.producer().send('t', { value: 'v' });
  await settle();
  expect(host.requests('fetch')).toHaveLength(fetches);
});

test('a wake-up is not missed, whenever the news comes', async () => {
  const stalled: number[] = [];
  for (let turns = 0; turns < 30; turns++) {
    const { log, host } = await stubbedLog('t');
    await log.producer().send('t', { value: 'v' });
    const consumer = log.consumer(options);
    await consumer.ready;
    const gate = host.hold('fetch');
    const iterator = consumer[Symbol.asyncIterator]();
    await gate.arrived(1);
    gate.open();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    let arrived = false;
    void iterator.next().then(({ done }) => (arrived = !done));
    await settle();
    if (!arrived) stalled.push(turns);
    await log.close();
  }
  expect(stalled).toEqual([]);
});
