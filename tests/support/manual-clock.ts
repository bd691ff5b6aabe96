import type { Clock } from '../../src/platform/clock.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  #now: number;
  #isBehindBy = 0;

  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  /** The number of timers that have neither run nor been cancelled. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now - this.#isBehindBy;
  }

  /** Sets the clock back, as a person or a time server does; timers go on. */
  setBack(ms: number): void {
    this.#isBehindBy += ms;
  }

  after(ms: number, then: () => void): () => void {
    const timer = { at: this.#now + ms, run: then };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Moves on by `ms`, and runs each timer that becomes due at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
    }
    this.#now = end;
  }

  /** Moves on by `ms`, as over a machine's sleep: due timers run late, at the next `advance`. */
  sleep(ms: number): void {
    this.#now += ms;
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    }
    return next;
  }
}
