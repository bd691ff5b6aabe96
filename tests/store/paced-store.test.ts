import { expect, test } from 'vitest';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { pacedStore } from '../../src/store/paced-store.ts';
import type { TendedStore } from '../../src/store/paced-store.ts';
import { logRef } from '../../src/store/schema.ts';
import { ManualClock } from '../support/manual-clock.ts';

interface Reading {
  readonly clock: ManualClock;
  readonly isDone: () => Promise<boolean>;
}

/** Reads a row, which takes `ms`. */
async function readFor(ms: number): Promise<Reading> {
  const clock = new ManualClock();
  const inner = openMemoryStore();
  const slow: TendedStore = {
    read: async (refs) => {
      clock.advance(ms);
      return inner.read(refs);
    },
    readSegments: (requests) => inner.readSegments(requests),
    update: (refs, decide, options) => inner.update(refs, decide, options),
  };
  let done = false;
  const reading = pacedStore(slow, clock).read([logRef]);
  void reading.then(() => (done = true));
  const isDone = async (): Promise<boolean> => {
    await new Promise((resolve) => setImmediate(resolve));
    return done;
  };
  await isDone();
  return { clock, isDone };
}

test('what took 10 ms leaves 30 to others', async () => {
  const { clock, isDone } = await readFor(10);
  clock.advance(29);
  expect(await isDone()).toBe(false);
  clock.advance(1);
  expect(await isDone()).toBe(true);
});

test('what took no time is not followed by a pause', async () => {
  const { clock, isDone } = await readFor(0);
  expect(await isDone()).toBe(true);
  expect(clock.timers).toBe(0);
});

test('a clock that is set meanwhile costs no more than a quarter of a second', async () => {
  const { clock, isDone } = await readFor(86_400_000);
  expect(await isDone()).toBe(false);
  clock.advance(250);
  expect(await isDone()).toBe(true);
});
