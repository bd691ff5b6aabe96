import type { Clock } from '../../platform/clock.ts';

/** Kafka's `log.retention.check.interval.ms`. */
const ROUND_MS = 300_000;

/** After something was appended. */
const SOON_MS = 10_000;

/** Runs background work now and then, and soon after there is more of it; never twice at once. */
export class CleaningSchedule {
  readonly #clock: Clock;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #closing = new AbortController();
  #cancel: (() => void) | undefined;
  #isSoon = false;
  #isRunning = false;

  /** What `work` cannot do, as it rejects, is tried again in the next round. */
  constructor(clock: Clock, work: (signal: AbortSignal) => Promise<void>) {
    this.#clock = clock;
    this.#work = work;
    this.#schedule(ROUND_MS);
  }

  /** There is more to do. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    if (!this.#isRunning) this.#schedule(SOON_MS);
  }

  close(): void {
    this.#closing.abort();
    this.#cancel?.();
  }

  #schedule(ms: number): void {
    this.#cancel?.();
    if (this.#closing.signal.aborted) return;
    this.#cancel = this.#clock.after(ms, () => void this.#run());
  }

  async #run(): Promise<void> {
    this.#isSoon = false;
    this.#isRunning = true;
    await this.#work(this.#closing.signal).catch(() => {});
    this.#isRunning = false;
    this.#schedule(this.#isSoon ? SOON_MS : ROUND_MS);
  }
}
