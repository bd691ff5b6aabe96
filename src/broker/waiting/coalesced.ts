/**
 * Work that may be requested more often than it needs to run. Requests that come during a run share
 * one run after it.
 */
export class Coalesced {
  readonly #work: () => Promise<unknown>;
  #isRunning = false;
  #isWanted = false;

  /** `work` may reject: the error is dropped, and the next request tries again. */
  constructor(work: () => Promise<unknown>) {
    this.#work = work;
  }

  soon(): void {
    this.#isWanted = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isWanted) {
      this.#isWanted = false;
      await this.#work().catch(() => {});
    }
    this.#isRunning = false;
  }
}
