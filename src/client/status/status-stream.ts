import { Queue } from '../../base/queue.ts';
import type { LogStatus, StatusesDropped } from './log-status.ts';

/** The most unread statuses that an iterator keeps. */
export const MAX_WAITING = 100;

type Taken = IteratorResult<LogStatus, undefined>;

/**
 * An iterator of a log's statuses. The iterator keeps the newest `MAX_WAITING` unread statuses, so
 * that an iterator that is not read does not grow. After dropped statuses, the next status is
 * `statusesDropped` with their number.
 */
export class StatusStream implements AsyncIterableIterator<LogStatus> {
  readonly #onEnd: () => void;
  readonly #waiting = new Queue<LogStatus>();
  /** The calls of `next` that wait for a status. */
  readonly #readers = new Queue<(taken: Taken) => void>();
  /** The status that counts the statuses dropped since the last read. */
  #dropped: StatusesDropped | undefined;
  #isEnded = false;

  /** `onEnd`: called once, when the iterator ends. */
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

  /** Ends the iterator after its unread statuses. */
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
