/** How long one point of the history counts. */
export const RATE_STEP_MS = 500;
const STEPS = 120;

/** Counts records, and remembers the last minute's rates. */
export class RateMeter {
  /** Records a second, step by step, the oldest first. */
  readonly history: number[] = Array.from({ length: STEPS }, () => 0);
  #count = 0;
  #steppedAt: number | undefined;

  /** Records a second over the last two steps: one alone would jump with where batches fall. */
  get current(): number {
    return (this.history.at(-1)! + this.history.at(-2)!) / 2;
  }

  add(records: number): void {
    this.#count += records;
  }

  /** Ends a step. Timers of hidden tabs are late, so the time that has passed is what divides. */
  step(now: number): void {
    const elapsedMs = now - (this.#steppedAt ?? now - RATE_STEP_MS);
    this.#steppedAt = now;
    const steps = Math.min(Math.max(Math.round(elapsedMs / RATE_STEP_MS), 1), STEPS);
    const rate = elapsedMs > 0 ? (this.#count * 1000) / elapsedMs : 0;
    this.#count = 0;
    this.history.splice(0, steps);
    for (let i = 0; i < steps; i++) this.history.push(rate);
  }
}
