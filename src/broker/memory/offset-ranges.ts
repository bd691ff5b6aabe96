/** Reserves `count` offsets of a topic for good; resolves with the first of them. */
export type ReserveOffsets = (topicId: string, count: number) => Promise<number>;

/** The size of a range: more offsets than a worker appends to a partition within days. */
const RANGE = 1_000_000_000;

interface Range {
  readonly from: number;
  to: number;
  growing: Promise<void> | undefined;
}

/**
 * The offset ranges of topics in memory. A new leader cannot know the last offset of the leader
 * before, so each leader has a range of its own, after all earlier ones. Offsets that were
 * committed or read before lie before all new records, as after a retention that has deleted every
 * record.
 */
export class OffsetRanges {
  readonly #reserve: ReserveOffsets;
  readonly #ranges = new Map<string, Promise<Range>>();

  constructor(reserve: ReserveOffsets) {
    this.#reserve = reserve;
  }

  /** The first offset of this worker's records of the topic. */
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

  /** Reserves more offsets when a partition that ends at `offset` has used half of the range. */
  async reached(topicId: string, offset: number): Promise<void> {
    const range = await this.#ranges.get(topicId);
    if (range === undefined) return;
    // A reservation under way can be for a smaller offset.
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
      range.growing = undefined; // after a failure the next append tries again
    }
  }

  forget(topicId: string): void {
    this.#ranges.delete(topicId);
  }
}
