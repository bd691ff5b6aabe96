import { sleep } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';

/** The longest time for which long work blocks the worker's other calls. */
const SLICE_MS = 50;

/**
 * Runs all steps of `work` in slices of `SLICE_MS`. Between slices the worker serves other calls.
 */
export async function inSlices<T>(work: Iterable<T>, clock: Clock): Promise<T[]> {
  const done: T[] = [];
  let since = clock.now();
  for (const step of work) {
    done.push(step);
    if (clock.now() - since < SLICE_MS) continue;
    await sleep(clock, 0);
    since = clock.now();
  }
  return done;
}
