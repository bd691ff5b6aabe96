/** How long one point of the history counts. */
export const STEP_MS = 500;
const STEPS = 120;

/** What a figure was in the last minute. */
export class History {
  /** Step by step, the oldest first. */
  readonly values: number[] = Array.from({ length: STEPS }, () => 0);
  #steppedAt: number | undefined;

  clear(): void {
    this.values.fill(0);
  }

  /**
   * Ends a step. Timers of hidden tabs are late, so `valueOf` is told how long it really was, and a
   * long one fills as many points.
   */
  step(now: number, valueOf: (elapsedMs: number) => number): void {
    const elapsedMs = now - (this.#steppedAt ?? now - STEP_MS);
    this.#steppedAt = now;
    const steps = Math.min(Math.max(Math.round(elapsedMs / STEP_MS), 1), STEPS);
    const value = valueOf(elapsedMs);
    this.values.splice(0, steps);
    for (let i = 0; i < steps; i++) this.values.push(value);
  }
}
