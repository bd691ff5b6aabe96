import { expect, test } from 'vitest';
import { oneSeed, runsOf } from '../support/seeds.ts';
import { fuzz } from './fuzz.ts';

/** `npm run fuzz` sends a million. */
const BATCHES = 1_500;

test('mutated batches are taken in and read back, or refused with a typed error', async () => {
  const { faults, answers, records } = await fuzz({ seed: oneSeed(), batches: runsOf(BATCHES) });
  // The text of a fault has the batch, what was done to it, and its bytes.
  expect(faults).toEqual([]);
  expect(records).toBeGreaterThan(0);
  for (const door of ['decode', 'produce', 'import']) {
    expect(answers[door]).toMatchObject({ accepted: expect.any(Number) as number });
  }
});
