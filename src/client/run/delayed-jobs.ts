import type { Clock } from '../../platform/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { Job } from './job.ts';

/** Jobs that wait for their next attempt. */
export class DelayedJobs {
  readonly #clock: Clock;
  readonly #wakers = new Map<Job, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `ms` milliseconds, or when `wake` ends the wait. */
  async wait(job: Job, ms: number): Promise<void> {
    const over = deferred();
    const wake = (): void => over.resolve();
    const cancel = this.#clock.after(ms, wake);
    this.#wakers.set(job, wake);
    await over.promise;
    this.#wakers.delete(job);
    cancel();
  }

  wake(which: (job: Job) => boolean): void {
    for (const [job, wake] of this.#wakers) if (which(job)) wake();
  }
}
