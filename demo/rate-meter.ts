import { History } from './history.ts';

/** Counts records, and remembers the last minute's rates. */
export class RateMeter {
  readonly #history = new History();
  #count = 0;

  /** Records a second, step by step, the oldest first. */
  get history(): readonly number[] {
    return this.#history.values;
  }

  /** Records a second over the last two steps: one alone would jump with where batches fall. */
  get current(): number {
    return (this.history.at(-1)! + this.history.at(-2)!) / 2;
  }

  add(records: number): void {
    this.#count += records;
  }

  clear(): void {
    this.#history.clear();
    this.#count = 0;
  }

  step(now: number): void {
    this.#history.step(now, (elapsedMs) => (elapsedMs > 0 ? (this.#count * 1000) / elapsedMs : 0));
    this.#count = 0;
  }
}
