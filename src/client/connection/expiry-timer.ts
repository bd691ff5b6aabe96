import { deadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';

/** A timer for the earliest of many times; the times of those that are settled may pass in vain. */
export class ExpiryTimer {
  readonly #clock: Clock;
  readonly #onTime: (now: number) => void;
  #at = Infinity;
  #cancel: (() => void) | undefined;

  /** `onTime` gets a time that is not before the one that was set, whatever the clock says. */
  constructor(clock: Clock, onTime: (now: number) => void) {
    this.#clock = clock;
    this.#onTime = onTime;
  }

  /** Has `onTime` called at that time by the clock as it goes now, unless it is called before. */
  set(time: number): void {
    if (time >= this.#at) return;
    this.cancel();
    this.#at = time;
    this.#cancel = deadline(this.#clock, Math.max(time - this.#clock.now(), 0), () => {
      this.#at = Infinity;
      // The clock may have been set back while the time passed.
      this.#onTime(Math.max(this.#clock.now(), time));
    });
  }

  cancel(): void {
    this.#at = Infinity;
    this.#cancel?.();
  }
}
