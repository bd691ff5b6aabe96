/** Sets `count` offsets of a topic aside for good; the first of them. */
export type ReserveOffsets = (topicId: string, count: number) => Promise<number>;

/** More than a worker gives out in a partition within days. */
const RANGE = 1_000_000_000;

interface Range {
  readonly from: number;
  to: number;
  growing: Promise<void> | undefined;
}

/**
 * Offsets of topics whose records go with the worker. Whoever comes next cannot know how far the one
 * before got, so each has a range of its own: what was committed or read before lies before all that
 * is new, as after a retention that left nothing.
 */
export class OffsetRanges {
  readonly #reserve: ReserveOffsets;
  readonly #ranges = new Map<string, Promise<Range>>();

  constructor(reserve: ReserveOffsets) {
    this.#reserve = reserve;
  }

  /** Where this worker's records of the topic begin. */
  async begin(topicId: string): Promise<number> {
    let range = this.#ranges.get(topicId);
    if (range === undefined) {
      range = this.#reserve(topicId, RANGE).then((from) => ({
        from,
        to: from + RANGE,
        growing: undefined,
      }));
      range.catch(() => this.#ranges.delete(topicId));
      this.#ranges.set(topicId, range);
    }
    return (await range).from;
  }

  /** A partition got as far as `offset`: what it is given next is reserved long before it is needed. */
  async reached(topicId: string, offset: number): Promise<void> {
    const range = await this.#ranges.get(topicId);
    if (range === undefined) return;
    // What is under way may be for less than this.
    while (offset >= range.to - RANGE / 2) {
      range.growing ??= this.#grow(topicId, range, offset);
      await range.growing;
    }
  }

  async #grow(topicId: string, range: Range, offset: number): Promise<void> {
    try {
      const count = Math.max(offset - range.to, 0) + RANGE;
      range.to = (await this.#reserve(topicId, count)) + count;
    } finally {
      range.growing = undefined; // where it failed, the next append tries again
    }
  }

  forget(topicId: string): void {
    this.#ranges.delete(topicId);
  }
}
