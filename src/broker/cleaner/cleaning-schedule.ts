import type { Clock } from '../../platform/clock.ts';

/** Kafka's `log.retention.check.interval.ms`. */
const ROUND_MS = 300_000;

/** The delay of a round after an append. */
const SOON_MS = 10_000;

/** Runs background work every 5 minutes, and 10 s after `soon()`; one run at a time. */
export class CleaningSchedule {
  readonly #clock: Clock;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #closing = new AbortController();
  #cancel: (() => void) | undefined;
  #isSoon = false;
  #isRunning = false;

  /** `work` may reject: the error is dropped, and the next round tries again. */
  constructor(clock: Clock, work: (signal: AbortSignal) => Promise<void>) {
    this.#clock = clock;
    this.#work = work;
    this.#schedule(ROUND_MS);
  }

  /** Brings the next round forward, because there is more to clean. */
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
