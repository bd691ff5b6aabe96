import { partitionKey } from '../base/topic-id-partition.ts';
import type { Clock } from '../platform/clock.ts';
import type { AppendedHint, Hint } from '../protocol/hint.ts';

/**
 * Bounds the hints to 50 a second at any rate of commits: a BroadcastChannel copies each message
 * for every receiver.
 */
const INTERVAL_MS = 20;

/**
 * Tells the other brokers of appends. The first append is sent at once, and the appends of the
 * following interval are sent together at its end.
 */
export class HintSender {
  readonly #post: (hint: Hint) => void;
  readonly #clock: Clock;
  readonly #pending = new Map<string, AppendedHint>();
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(clock: Clock, post: (hint: Hint) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  appended(partitions: readonly AppendedHint[]): void {
    for (const hint of partitions) this.#pending.set(partitionKey(hint), hint);
    if (this.#cancelTimer === undefined && !this.#closed) this.#flush();
  }

  /** Sends what is left of the interval: no one else tells of these appends. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    this.#send();
  }

  #flush(): void {
    this.#cancelTimer = undefined;
    if (this.#send()) this.#cancelTimer = this.#clock.after(INTERVAL_MS, () => this.#flush());
  }

  /** Returns whether there was anything to send. */
  #send(): boolean {
    if (this.#pending.size === 0) return false;
    this.#post({ kind: 'appended', partitions: [...this.#pending.values()] });
    this.#pending.clear();
    return true;
  }
}
