/**
 * Listens to the signals of unsettled calls: one listener a signal, however many calls share it.
 * The listener is removed when the last call of its signal is settled.
 */
export class SignalListeners {
  readonly #onAbort: (signal: AbortSignal) => void;
  readonly #calls = new Map<AbortSignal, number>();

  constructor(onAbort: (signal: AbortSignal) => void) {
    this.#onAbort = onAbort;
  }

  /** Listens until the call is settled. */
  listen(signal: AbortSignal, call: Promise<unknown>): void {
    const calls = this.#calls.get(signal) ?? 0;
    if (calls === 0) signal.addEventListener('abort', this.#aborted);
    this.#calls.set(signal, calls + 1);
    const settled = (): void => this.#settled(signal);
    call.then(settled, settled);
  }

  readonly #aborted = (event: Event): void => this.#onAbort(event.target as AbortSignal);

  #settled(signal: AbortSignal): void {
    const calls = this.#calls.get(signal)! - 1;
    if (calls > 0) {
      this.#calls.set(signal, calls);
      return;
    }
    this.#calls.delete(signal);
    signal.removeEventListener('abort', this.#aborted);
  }
}
