import { sleep } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { SqliteFault } from './sqlite-driver.ts';
import { sqliteError } from './sqlite-errors.ts';

/** How long a call waits for other connections that are amid a transaction, in milliseconds. */
const BUSY_MS = 5_000;
/** The longest of the waits, which begin with one millisecond. */
const LONGEST_WAIT_MS = 10;

/**
 * Runs `work`, and again while the database is locked, after waits far shorter than those of
 * `retry`: a transaction takes microseconds. Throws what `sqliteError` makes of a fault.
 */
export async function whenUnlocked<T>(clock: Clock, work: () => T): Promise<T> {
  let waitedMs = 0;
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof SqliteFault)) throw error;
      if (error.result !== 'BUSY' || waitedMs >= BUSY_MS) throw sqliteError(error);
    }
    // A share of chance, so that two processes do not meet again.
    const ms = waitMs * (0.5 + Math.random());
    await sleep(clock, ms);
    waitedMs += ms;
  }
}
