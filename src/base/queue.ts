/**
 * A first-in, first-out queue. `push` and `shift` take amortized constant time, whereas
 * `Array.shift` moves all remaining items.
 */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The oldest item. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** The newest item. */
  get last(): T | undefined {
    return this.length === 0 ? undefined : this.#items.at(-1);
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.length > 0) this.#items[this.#head++] = undefined;
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** Does one piece of work after the other. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when all work so far has settled. */
  get idle(): Promise<void> {
    return this.#last;
  }

  /** Does the work when all earlier work has settled. Settles as the work does. */
  next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.then(
      () => {},
      () => {},
    );
    return done;
  }
}
