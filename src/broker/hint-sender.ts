import type { Clock } from '../platform/clock.ts';
import type { AppendedHint, Hint } from '../protocol/hint.ts';

/** At most 50 messages a second, however many commits: a receiver gets a copy of each. */
const INTERVAL_MS = 20;

/** Tells the other brokers of appends: the first at once, what follows together. */
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
    for (const hint of partitions) this.#pending.set(`${hint.topicId}/${hint.partition}`, hint);
    if (this.#cancelTimer === undefined && !this.#closed) this.#flush();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
  }

  #flush(): void {
    this.#cancelTimer = undefined;
    if (this.#pending.size === 0) return;
    this.#post({ kind: 'appended', partitions: [...this.#pending.values()] });
    this.#pending.clear();
    this.#cancelTimer = this.#clock.after(INTERVAL_MS, () => this.#flush());
  }
}
