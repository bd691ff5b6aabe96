import { within } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';

/** Kafka's `log.retention.check.interval.ms`. */
const ROUND_MS = 300_000;

/** The delay of a round after an append. */
const SOON_MS = 10_000;

/** How long a call waits for a round. */
const ANSWER_MS = 5_000;

/** Runs background work every 5 minutes, 10 s after `soon()`, and at `now()`; one run at a time. */
export class CleaningSchedule {
  readonly #clock: Clock;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #closing = new AbortController();
  #cancel: (() => void) | undefined;
  #isSoon = false;
  /** The round under way. */
  #round: Promise<void> | undefined;

  /** `work` may reject: only `now` tells the error, and the next round tries again. */
  constructor(clock: Clock, work: (signal: AbortSignal) => Promise<void>) {
    this.#clock = clock;
    this.#work = work;
    this.#schedule(ROUND_MS);
  }

  /** Brings the next round forward, because there is more to clean. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    if (this.#round === undefined) this.#schedule(SOON_MS);
  }

  /**
   * Begins a round, or joins the one under way. Resolves with whether the round has ended, after
   * `ANSWER_MS` at the latest; rejects where the round fails in that time.
   */
  async now(): Promise<boolean> {
    const round = this.#round ?? this.#run();
    await within(this.#clock, ANSWER_MS, round);
    return this.#round === undefined;
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

  #run(): Promise<void> {
    this.#cancel?.();
    this.#isSoon = false;
    this.#round = this.#work(this.#closing.signal).finally(() => {
      this.#round = undefined;
      this.#schedule(this.#isSoon ? SOON_MS : ROUND_MS);
    });
    this.#round.catch(() => {}); // only `now` tells an error
    return this.#round;
  }
}
