/** How long work may go on within one turn of the event loop, in milliseconds. */
const TURN_MS = 20;

/**
 * Resolves in a later turn of the event loop: timers, events and messages have theirs before. Not by
 * a timer, of which a hidden page has one a second.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { setImmediate } = globalThis as { setImmediate?: (then: () => void) => unknown };
    if (setImmediate !== undefined) {
      setImmediate(resolve);
      return;
    }
    // A page that is merely made believe, as jsdom's in Jest, has neither, and is never hidden.
    if (typeof MessageChannel === 'undefined') {
      setTimeout(resolve, 0);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/**
 * Whether work has gone on for long within one turn, as a loop does whose every wait is over in the
 * same turn. Such a loop would keep the thread from timers, signs of life, and all other events.
 */
export class Turns {
  #began: number | undefined;

  /** Whether the turn that runs has lasted for `TURN_MS` since the first look in it. */
  get isOver(): boolean {
    if (this.#began !== undefined) return performance.now() - this.#began >= TURN_MS;
    this.#began = performance.now();
    void nextTurn().then(() => (this.#began = undefined));
    return false;
  }
}
