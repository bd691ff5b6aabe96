import { within } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { WorkItem } from './work-item.ts';

/** The timers of work items that are delayed until their next attempt. */
export class RetryTimers {
  readonly #clock: Clock;
  readonly #wakers = new Map<WorkItem, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `ms` milliseconds, or when `wake` ends the delay. */
  async delay(item: WorkItem, ms: number): Promise<void> {
    const woken = deferred();
    this.#wakers.set(item, woken.resolve);
    await within(this.#clock, ms, woken.promise);
    this.#wakers.delete(item);
  }

  /** Ends the delay of the items for which `which` returns true. */
  wake(which: (item: WorkItem) => boolean): void {
    for (const [item, wake] of this.#wakers) if (which(item)) wake();
  }
}
