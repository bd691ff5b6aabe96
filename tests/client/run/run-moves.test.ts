import { describe, expect, test } from 'vitest';
import type { Log, RunOptions } from '../../../src/index.ts';
import { memoryHost, openTab } from '../../support/log-fixture.ts';
import {
  asMember,
  asReader,
  committed,
  handOut,
  joinAnother,
  openClocked,
  orders,
  send,
  series,
  valueOf,
} from './run-fixture.ts';
import type { Orders } from './run-fixture.ts';
import { expel, stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { eventually, settle } from '../../support/waiting.ts';

type Options = Partial<RunOptions<Orders>>;

/** The partition that a second member gets. */
const MOVES = 3;

/** A log with these records in the partition that moves. */
async function logOf(...values: string[]): Promise<{ host: StubHost; log: Log }> {
  const { log, host } = await stubbedLog(orders);
  if (values.length > 0) await send(log, MOVES, ...values);
  return { host, log };
}

describe('a partition that is to move', () => {
  test('goes when its message is done: the next member goes on right after it', async () => {
    const { host, log } = await logOf(...series('a', 20));
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    await hands.end('a:0');
    const { context } = await hands.get('a:1');
    const other = await joinAnother(host, log);
    const next = handOut(other);
    await settle();
    expect(consumer.assignment).toContainEqual({ topic: 'orders', partition: MOVES });
    expect(context.signal.aborted).toBe(false);
    await hands.end('a:1');
    await next.end(...series('a', 20).slice(2));
    expect(hands.started).toEqual(['a:0', 'a:1']);
    expect(next.started).toEqual(series('a', 20).slice(2));
    expect(consumer.assignment).toHaveLength(2);
  });

  test('waits for those that run and begins none of those that were taken', async () => {
    const { host, log } = await logOf('a:0', 'b:0', 'a:1', 'b:1', 'c:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await Promise.all([hands.get('a:0'), hands.get('b:0')]);
    const other = await joinAnother(host, log);
    const next = handOut(other);
    await hands.end('b:0');
    await settle();
    expect(next.started).toEqual([]);
    await hands.end('a:0');
    await next.end('a:1', 'b:1', 'c:0');
    expect(hands.started).toEqual(['a:0', 'b:0']);
    await eventually(async () => (await committed(log))[MOVES] === 5);
  });

  test('is handed over in order when many messages were taken and done out of order', async () => {
    const { host, log } = await logOf('a:0', 'b:0', 'a:1', 'c:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 3 });
    await hands.end('c:0'); // done, but b:0 before it will not be
    await hands.get('b:0');
    const other = await joinAnother(host, log);
    const next = handOut(other);
    await hands.end('b:0', 'a:0');
    await next.end('a:1', 'c:0'); // a:1 was never begun: what is after it comes again
    expect(next.started).toEqual(['a:1', 'c:0']);
  });

  test('does not stop the others', async () => {
    const { host, log } = await logOf('a:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    await hands.get('a:0');
    await joinAnother(host, log);
    await send(log, 0, 'b:0', 'b:1');
    await hands.end('b:0', 'b:1');
    expect(hands.inHand).toEqual(['a:0']);
  });

  test('cuts a back-off short: the next member has the message at once', async () => {
    const { host, log } = await openClocked(MOVES, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember), { onError: 'retry' });
    await hands.fail('a:0');
    await settle();
    const next = handOut(await joinAnother(host, log));
    await next.end('a:0', 'a:1');
    expect(hands.started).toEqual(['a:0']);
  });

  test('does not wait for the back-off of a handler that fails after that', async () => {
    const { host, log } = await openClocked(MOVES, 'a:0', 'a:1');
    const hands = handOut(log.consumer(asMember), { onError: 'retry' });
    await hands.get('a:0');
    const next = handOut(await joinAnother(host, log));
    await hands.fail('a:0');
    await next.end('a:0', 'a:1');
    expect(hands.started).toEqual(['a:0']);
  });

  test('comes back when the other goes', async () => {
    const { host, log } = await logOf('a:0', 'a:1');
    const hands = handOut(log.consumer(asMember));
    await hands.get('a:0');
    const other = await joinAnother(host, log);
    const next = handOut(other);
    await hands.end('a:0');
    await next.get('a:1');
    await other.close();
    await hands.end('a:1');
    expect(hands.started).toEqual(['a:0', 'a:1']);
  });
});

describe('a partition that is lost', () => {
  test('aborts the signal of the messages in hand', async () => {
    const { host, log } = await logOf('a:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    const lost: number[] = [];
    consumer.on('lost', ({ partitions }) => void lost.push(partitions.length));
    const { context } = await hands.get('a:0');
    expect(context).toMatchObject({ attempt: 1, signal: { aborted: false } });
    await expel(host, log);
    await eventually(() => context.signal.aborted);
    expect(lost).toEqual([4]);
  });

  test('comes again from its last commit, with a signal of its own, when the handler is done', async () => {
    const { host, log } = await logOf('a:0', 'a:1');
    const hands = handOut(log.consumer(asMember));
    await hands.end('a:0');
    const { context } = await hands.get('a:1');
    await eventually(async () => (await committed(log))[MOVES] === 1);
    await expel(host, log);
    await eventually(() => context.signal.aborted);
    await settle();
    expect(host.requests('joinGroup')).toHaveLength(1); // not while the message is in hand
    await hands.end('a:1');
    const again = await hands.get('a:1');
    expect(again.context.signal.aborted).toBe(false);
    expect(hands.started).toEqual(['a:0', 'a:1', 'a:1']);
    await hands.end('a:1');
    await eventually(async () => (await committed(log))[MOVES] === 2);
  });

  test.each<[string, Options]>([
    ['stop', {}],
    ['retry', { onError: 'retry' }],
    ['skip', { onError: 'skip' }],
  ])('does not end the run when its handler gives up for it (%s)', async (_, options) => {
    const { host, log } = await logOf('a:0');
    const started: number[] = [];
    const aborted: boolean[] = [];
    const over = log.consumer(asMember).run({
      eachMessage: async (message, { signal }) => {
        started.push(message.offset);
        if (started.length > 1) return;
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
      },
      ...options,
    });
    over.catch(() => aborted.push(true));
    await eventually(() => started.length === 1);
    await expel(host, log);
    await eventually(() => started.length === 2 || aborted.length > 0);
    expect(started).toEqual([0, 0]);
    expect(aborted).toEqual([]);
    await eventually(async () => (await committed(log))[MOVES] === 1);
  });

  test('does not begin what was taken of it', async () => {
    const { host, log } = await logOf('a:0', 'a:1', 'a:2', 'b:0');
    const hands = handOut(log.consumer(asMember), { concurrency: 2 });
    const { context } = await hands.get('a:0');
    await hands.get('b:0');
    await expel(host, log);
    await eventually(() => context.signal.aborted);
    await hands.end('a:0');
    await settle();
    expect(hands.started).toEqual(['a:0', 'b:0']);
    await hands.end('b:0');
    await hands.end('a:0', 'b:0', 'a:1', 'a:2');
    expect(hands.started.slice(2).filter((value) => value.startsWith('a'))).toEqual(series('a', 3));
  });
});

describe('a tab that slept beyond its session timeout', () => {
  const asDozer = { ...asMember, sessionTimeoutMs: 200 };

  test('begins nothing before it has asked whether it is still a member', async () => {
    const { clock, host, log } = await openClocked(MOVES, 'a:0', 'a:1', 'b:0');
    const hands = handOut(log.consumer(asDozer), { concurrency: 2 });
    await Promise.all([hands.get('a:0'), hands.get('b:0')]);
    await settle();
    const sync = host.hold('syncGroup');
    clock.advance(200);
    await hands.end('a:0');
    await settle();
    expect(hands.started).toEqual(['a:0', 'b:0']);
    sync.open();
    await hands.end('a:1', 'b:0');
  });

  test('makes no further attempt before it has asked', async () => {
    const { clock, host, log } = await openClocked(MOVES, 'a:0');
    const hands = handOut(log.consumer(asDozer), { onError: 'retry', backoffMs: 200 });
    await hands.fail('a:0');
    await settle();
    const sync = host.hold('syncGroup');
    clock.advance(200);
    await settle();
    expect(hands.started).toEqual(['a:0']);
    sync.open();
    await hands.end('a:0');
  });
});

describe('while it runs', () => {
  const first = { topic: orders, partition: 0 };

  test('pause of a partition keeps back also what was taken, until resume', async () => {
    const { log } = await logOf();
    await send(log, 0, 'a:0', 'a:1', 'b:0', 'b:1');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 2 });
    await Promise.all([hands.get('a:0'), hands.get('b:0')]);
    consumer.pause(first);
    await hands.end('a:0', 'b:0');
    await settle();
    expect(hands.started).toEqual(['a:0', 'b:0']);
    consumer.resume(first);
    await hands.end('b:1', 'a:1');
    await eventually(async () => (await committed(log))[0] === 4);
  });

  test('pause of a partition does not keep back the others', async () => {
    const { log } = await logOf();
    await send(log, 0, ...series('a', 5));
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    await hands.get('a:0');
    consumer.pause(first);
    await hands.end('a:0');
    await send(log, 1, 'b:0', 'b:1');
    await hands.end('b:0', 'b:1');
    expect(hands.started).toEqual(['a:0', 'b:0', 'b:1']);
    consumer.resume();
    await hands.end(...series('a', 5).slice(1));
  });

  test('seek drops what was taken, and what is in hand counts no longer', async () => {
    const { log } = await logOf();
    await send(log, 0, ...series('a', 10));
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 2 });
    await hands.end('a:0', 'a:1');
    await hands.get('a:2');
    await consumer.seek(7, first);
    await settle();
    expect(hands.started).toEqual(['a:0', 'a:1', 'a:2']); // one of a key at a time, also now
    await hands.end('a:2', 'a:7', 'a:8', 'a:9');
    expect(hands.started.slice(3)).toEqual(['a:7', 'a:8', 'a:9']);
    await eventually(async () => (await committed(log))[0] === 10);
  });

  test('seek back has messages handled and committed again', async () => {
    const { log } = await logOf();
    await send(log, 0, ...series('a', 3));
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    await hands.end(...series('a', 3));
    await eventually(async () => (await committed(log))[0] === 3);
    await consumer.seek(0, first);
    await hands.end('a:0');
    await eventually(async () => (await committed(log))[0] === 1);
    await hands.end('a:1', 'a:2');
    await eventually(async () => (await committed(log))[0] === 3);
  });

  test('close ends it without waiting for handlers, whose messages come again', async () => {
    const { host, log } = await logOf('a:0', 'a:1', 'b:0');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer, { concurrency: 2 });
    await hands.get('b:0');
    await hands.end('a:0');
    const { context } = await hands.get('a:1');
    expect(context.signal.aborted).toBe(false);
    await consumer.close();
    await hands.over;
    expect(context.signal.aborted).toBe(true);
    await hands.end('b:0', 'a:1'); // too late
    await settle();
    expect(hands.started).toHaveLength(3);
    expect((await committed(log))[MOVES]).toBe(1);
    const next = handOut((await openTab(host, log.name)).consumer(asMember));
    await next.end('a:1', 'b:0');
  });

  test('close ends a run that has failed while a handler hangs', async () => {
    const { log } = await logOf('a:0', 'b:0');
    const consumer = log.consumer(asMember);
    const failure = new Error('mine');
    const hands = handOut(consumer, { concurrency: 2, onError: 'stop' });
    await hands.get('a:0');
    await hands.fail('b:0', failure);
    await settle();
    await consumer.close();
    await expect(hands.over).rejects.toBe(failure);
  });

  test('another run, loop or batch is refused, and the first goes on', async () => {
    const { log } = await logOf('a:0', 'a:1');
    const consumer = log.consumer(asMember);
    const hands = handOut(consumer);
    await hands.get('a:0');
    const oneLoop = /read by one loop at a time/;
    await expect(consumer.run({ eachMessage: () => {} })).rejects.toThrow(oneLoop);
    expect(() => consumer[Symbol.asyncIterator]()).toThrow(oneLoop);
    await expect(consumer.batches().next()).rejects.toThrow(oneLoop);
    await hands.end('a:0', 'a:1');
  });
});

test('a run after a run, and after a loop, goes on where it was', async () => {
  const { log } = await logOf('a:0', 'a:1', 'a:2', 'a:3');
  const consumer = log.consumer(asMember);
  const stopped = handOut(consumer);
  await stopped.end('a:0');
  await stopped.fail('a:1');
  await expect(stopped.over).rejects.toThrow('a:1');
  const looped: string[] = [];
  for await (const message of consumer) {
    looped.push(valueOf(message));
    await message.commit();
    if (looped.length === 2) break;
  }
  expect(looped).toEqual(['a:1', 'a:2']);
  const last = handOut(consumer);
  await last.end('a:3');
  expect(last.started).toEqual(['a:3']);
});

test('a run of a closed consumer is over at once', async () => {
  const { log } = await logOf('a:0');
  const consumer = log.consumer(asMember);
  await consumer.close();
  const hands = handOut(consumer);
  await hands.over;
  expect(hands.started).toEqual([]);
});

test('a run that cannot join rejects with the reason', async () => {
  const { host, log } = await logOf('a:0');
  await log.consumer({ ...asMember, assignor: 'range' }).ready;
  const other = await openTab(host, log.name);
  const hands = handOut(other.consumer({ ...asMember, assignor: 'sticky' }));
  await expect(hands.over).rejects.toMatchObject({ code: 'INCONSISTENT_GROUP_PROTOCOL' });
});

test('without a group the signal aborts when the consumer closes', async () => {
  const log = await openTab(memoryHost());
  await log.admin.createTopics([orders]);
  await send(log, 0, 'a:0');
  const consumer = log.consumer(asReader);
  const hands = handOut(consumer);
  const { context } = await hands.get('a:0');
  expect(context.signal.aborted).toBe(false);
  await consumer.close();
  expect(context.signal.aborted).toBe(true);
  await hands.over;
});
