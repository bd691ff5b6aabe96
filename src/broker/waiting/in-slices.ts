import { sleep } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';

/** So long the worker's thread may be kept from those who wait for it. */
const SLICE_MS = 50;

/** All of `work`, whose steps may take long together; between slices, everybody else has a turn. */
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
