import type { DemoMessage } from './demo-log.ts';

/** The record whose details are shown: the pinned one, else the one last pointed at. */
export class Selection {
  #previewed: DemoMessage | undefined;
  #pinned: DemoMessage | undefined;
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get shown(): DemoMessage | undefined {
    return this.#pinned ?? this.#previewed;
  }

  get isPinned(): boolean {
    return this.#pinned !== undefined;
  }

  preview(message: DemoMessage): void {
    this.#previewed = message;
    if (this.#pinned === undefined) this.#onChange();
  }

  /** Keeps a record shown; the same one again lets it go. */
  togglePin(message: DemoMessage): void {
    this.#pinned = isSame(message, this.#pinned) ? undefined : message;
    this.#previewed = message;
    this.#onChange();
  }

  unpin(): void {
    this.#pinned = undefined;
    this.#previewed = undefined;
    this.#onChange();
  }

  shows(message: DemoMessage): boolean {
    return isSame(message, this.shown);
  }
}

/** The same place; a topic made anew has the same places again, with other records. */
function isSame(one: DemoMessage, other: DemoMessage | undefined): boolean {
  return (
    one.topic === other?.topic &&
    one.partition === other.partition &&
    one.offset === other.offset &&
    one.timestamp === other.timestamp
  );
}
