/** A late timer is made up for; a long sleep is not. */
const MOST_OWED_MS = 1000;

/** How fast a tab works. */
export class Pace {
  #perSecond = 0;
  #dueAt = 0;
  #onChange = (): void => {};

  /** 0: it stalls; `Infinity`: as fast as it can. */
  get perSecond(): number {
    return this.#perSecond;
  }

  set perSecond(perSecond: number) {
    this.#perSecond = perSecond;
    this.#dueAt = performance.now();
    this.#onChange();
  }

  /** Resolves when one more record may be done. For one caller at a time. */
  async next(): Promise<void> {
    for (;;) {
      const now = performance.now();
      const dueAt = Math.max(this.#dueAt, now - MOST_OWED_MS) + 1000 / this.#perSecond;
      if (dueAt <= now) {
        this.#dueAt = dueAt;
        return;
      }
      await this.#changeOr(dueAt - now);
    }
  }

  #changeOr(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = resolve;
      if (ms < Infinity) setTimeout(resolve, ms);
    });
  }
}
