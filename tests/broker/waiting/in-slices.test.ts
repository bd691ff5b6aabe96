import { expect, test } from 'vitest';
import { inSlices } from '../../../src/broker/waiting/in-slices.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { idle } from '../../support/waiting.ts';

test('long work lets others have the thread, and is done whole', async () => {
  const clock = new ManualClock();
  const steps: number[] = [];
  function* work(): Generator<number, void, undefined> {
    for (let step = 0; step < 12; step++) {
      clock.advance(20);
      steps.push(step);
      yield step;
    }
  }
  const all = inSlices(work(), clock);
  const slices: number[] = [];
  while (steps.length < 12) {
    slices.push(steps.length);
    expect(clock.timers).toBe(1); // it waits for its turn
    clock.advance(0);
    await idle();
  }
  expect(slices).toEqual([3, 6, 9]);
  clock.advance(0);
  expect(await all).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('what fails on the way fails', async () => {
  function* work(): Generator<number, void, undefined> {
    yield 1;
    throw new Error('the second');
  }
  await expect(inSlices(work(), new ManualClock())).rejects.toThrow('the second');
});
