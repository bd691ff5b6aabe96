import { Queue } from '../../base/queue.ts';
import type { LogStatus, StatusesDropped } from './log-status.ts';

/** The most statuses that wait in an iterator for somebody to take them. */
export const MAX_WAITING = 100;

type Taken = IteratorResult<LogStatus, undefined>;

/**
 * One iterator of a log's statuses. It keeps the newest `MAX_WAITING` of them, so that one that
 * nobody reads does not grow; the first status after those that it dropped says how many they were.
 */
export class StatusStream implements AsyncIterableIterator<LogStatus> {
  readonly #onEnd: () => void;
  readonly #waiting = new Queue<LogStatus>();
  /** Readers that wait for the next status. */
  readonly #readers = new Queue<(taken: Taken) => void>();
  /** Statuses that were dropped since the last one was taken. */
  #dropped: StatusesDropped | undefined;
  #isEnded = false;

  /** `onEnd`: called once, when no more statuses are wanted. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(status: LogStatus): void {
    if (this.#isEnded) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader({ done: false, value: status });
    this.#waiting.push(status);
    if (this.#waiting.length <= MAX_WAITING) return;
    const { timestamp } = this.#waiting.shift()!;
    const count = (this.#dropped?.count ?? 0) + 1;
    this.#dropped = { type: 'statusesDropped', timestamp, count };
  }

  /** No status comes after those that wait. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (let reader; (reader = this.#readers.shift()) !== undefined;) reader(over());
    this.#onEnd();
  }

  next(): Promise<Taken> {
    const value = this.#dropped ?? this.#waiting.shift();
    this.#dropped = undefined;
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#isEnded) return Promise.resolve(over());
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  return(): Promise<Taken> {
    this.end();
    this.#dropped = undefined;
    while (this.#waiting.shift() !== undefined);
    return Promise.resolve(over());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function over(): Taken {
  return { done: true, value: undefined };
}
