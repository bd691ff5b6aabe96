/** Work that is asked for more often than it is done: what comes while it runs is done once, after it. */
export class Coalesced {
  readonly #work: () => Promise<unknown>;
  #isRunning = false;
  #isWanted = false;

  /** What `work` cannot do, as it rejects, is done the next time. */
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
