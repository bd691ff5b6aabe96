import { expect, test } from 'vitest';
import { logWith } from '../../support/log-fixture.ts';
import type { Consumer, Log } from '../../../src/index.ts';

const RECORDS = 3_000;

/** Blocks the thread, as an application's work does. */
function work(): void {
  const until = performance.now() + 0.1;
  while (performance.now() < until);
}

/** Aborts as soon as timers have their turn. */
function dueTimer(): AbortSignal {
  const due = new AbortController();
  setTimeout(() => due.abort(), 0);
  return due.signal;
}

/** Reads until a timer has fired that was due at once; resolves to how much was read by then. */
type Reading = (consumer: Consumer, isOver: () => boolean) => Promise<unknown>;

const readings: Readonly<Record<string, Reading>> = {
  'a loop over messages': async (consumer, isOver) => {
    for await (const { offset } of consumer) {
      work();
      if (isOver() || offset === RECORDS - 1) break;
    }
  },
  'a loop over batches': async (consumer, isOver) => {
    for await (const { messages } of consumer.batches({ max: 10 })) {
      for (const _ of messages) work();
      if (isOver() || messages.at(-1)!.offset === RECORDS - 1) break;
    }
  },
  'run()': async (consumer, isOver) => {
    await consumer.run({
      eachMessage: async ({ offset }) => {
        work();
        if (isOver() || offset === RECORDS - 1) void consumer.close();
      },
    });
  },
};

async function filled(): Promise<Log> {
  const log = await logWith('t');
  await log.producer().sendBatch(
    't',
    Array.from({ length: RECORDS }, () => ({ value: 'v' })),
  );
  return log;
}

test.each(Object.entries(readings))('%s leaves timers their turn', async (_, read) => {
  const log = await filled();
  const consumer = log.consumer({ topics: ['t'], from: 'earliest', group: 'g' });
  await consumer.ready;
  const timer = dueTimer();
  await read(consumer, () => timer.aborted);
  expect(timer.aborted).toBe(true);
  await consumer.close();
});

test('a loop that sends leaves timers their turn', async () => {
  const log = await logWith('t');
  const producer = log.producer();
  await producer.send('t', { value: 'first' });
  const timer = dueTimer();
  for (let i = 0; i < RECORDS && !timer.aborted; i++) {
    work();
    await producer.send('t', { value: 'v' });
  }
  expect(timer.aborted).toBe(true);
});
