import { expect, test } from 'vitest';
import { Connection } from '../../../src/client/connection/connection.ts';
import { Consumer } from '../../../src/client/consumer/consumer.ts';
import { Fetcher } from '../../../src/client/fetch/fetcher.ts';
import { TopicSubscription } from '../../../src/client/fetch/topic-subscription.ts';
import { Log } from '../../../src/client/log.ts';
import { MessageLoop } from '../../../src/client/poll/message-loop.ts';
import type { SlowHandler } from '../../../src/client/poll/slow-handler.ts';
import { startRunner } from '../../../src/client/run/runner.ts';
import type { RunnerSource } from '../../../src/client/run/runner.ts';
import { settle } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost } from '../../support/stub-broker.ts';
import { Hands, asReader, orders, send, until } from '../run/run-fixture.ts';

const AFTER_MS = 30_000;

/** A loop over partition 0, and what was reported of its handlers. */
async function loopOver(
  ...values: string[]
): Promise<{ clock: ManualClock; slow: SlowHandler[]; source: RunnerSource; close: () => void }> {
  const clock = new ManualClock();
  const connection = new Connection({ log: 'l', host: stubHost(), workerUrl: undefined, clock });
  await connection.open();
  const log = new Log('l', connection);
  await log.admin.createTopics([orders]);
  await send(log, 0, ...values);
  const consumer = log.consumer(asReader);
  await consumer.ready;
  const { readers, topicMetadata } = Consumer.internalsOf(consumer);
  const fetching = { prefetchBytes: 1e6, maxPartitionBytes: 1e6, maxWaitMs: 1e6 };
  const slow: SlowHandler[] = [];
  const closing = new AbortController();
  const onDecodeError = 'fail' as const;
  const decodeErrors = { connection, topicMetadata, onDecodeError, deadLetterTopic: undefined };
  const loop = new MessageLoop({
    readers,
    fetcher: new Fetcher(connection, fetching, readers.all, () => {}),
    clock,
    closing: closing.signal,
    ready: () => Promise.resolve(),
    mayDeliver: () => true,
    decodeErrors,
    commitsItself: false,
    slowHandlers: { afterMs: AFTER_MS, onSlowHandler: (report) => slow.push(report) },
  });
  const subscription = new TopicSubscription([orders]);
  const common = { closing: closing.signal, decodeErrors, decidesOnDecodeErrors: false };
  const source = { ...common, subscription, loop, readers: readers.all };
  return {
    clock,
    slow,
    source,
    close: () => {
      closing.abort();
      log.close().catch(() => {});
    },
  };
}

function slowAt(offset: number, elapsedMs: number): SlowHandler {
  return { topic: 'orders', partition: 0, offset, elapsedMs };
}

test('a loop reports a message that the application has for long, once', async () => {
  const { clock, slow, source, close } = await loopOver('a:0', 'a:1', 'a:2');
  const messages = source.loop.messages();
  await messages.next();
  clock.advance(AFTER_MS - 1);
  await messages.next();
  clock.advance(AFTER_MS - 1); // the timer of the first message serves the second
  expect(slow).toEqual([]);
  clock.advance(1);
  expect(slow).toEqual([slowAt(1, AFTER_MS)]);
  clock.advance(10 * AFTER_MS);
  expect(slow).toHaveLength(1);
  await messages.next();
  clock.sleep(2 * AFTER_MS);
  clock.advance(0);
  expect(slow.slice(1)).toEqual([slowAt(2, 2 * AFTER_MS)]);
  close();
});

test('a loop that was left, or waits for messages, reports nothing', async () => {
  const { clock, slow, source, close } = await loopOver('a:0', 'a:1');
  const before = clock.timers;
  const left = source.loop.messages();
  await left.next();
  await left.return!();
  expect(clock.timers).toBe(before);
  const messages = source.loop.messages();
  await messages.next();
  void messages.next();
  await settle();
  clock.advance(10 * AFTER_MS);
  expect(slow).toEqual([]);
  close();
});

test('a loop of batches reports the first offset of a batch', async () => {
  const { clock, slow, source, close } = await loopOver('a:0', 'a:1');
  const batches = source.loop.batches(10, 0);
  await batches.next();
  clock.advance(AFTER_MS);
  expect(slow).toEqual([slowAt(0, AFTER_MS)]);
  await batches.return();
  close();
});

test('run() reports each attempt that takes long, and no message that is delayed', async () => {
  const { clock, slow, source, close } = await loopOver('a:0', 'b:0', 'c:0');
  const hands = new Hands();
  const runner = await startRunner<typeof orders>(
    { eachMessage: hands.handle, concurrency: 3, onError: 'retry', backoffMs: 10 * AFTER_MS },
    source,
  );
  const leave = source.loop.enter();
  void runner.run().then(leave);
  await hands.get('a:0');
  await hands.get('c:0');
  await hands.fail('b:0');
  await settle();
  clock.advance(AFTER_MS - 1);
  await hands.end('c:0');
  await settle();
  clock.advance(1);
  expect(slow).toEqual([slowAt(0, AFTER_MS)]);
  clock.advance(9 * AFTER_MS);
  await until(() => hands.started.length === 4);
  clock.advance(AFTER_MS);
  expect(slow.slice(1)).toEqual([slowAt(1, AFTER_MS)]);
  close();
});
