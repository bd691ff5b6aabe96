/** A set of offsets, as ranges: a few numbers for millions of offsets that follow each other. */
export class OffsetRanges {
  /** In order, with gaps between them: `[start, end)`. */
  readonly #ranges: [start: number, end: number][] = [];

  /** Adds an offset; returns whether it is new. */
  add(offset: number): boolean {
    // Offsets come in order, but for those that come a second time.
    const i = this.#ranges.findLastIndex(([start]) => start <= offset);
    const before = this.#ranges[i];
    if (before !== undefined && offset < before[1]) return false;
    const after = this.#ranges[i + 1];
    const follows = before?.[1] === offset;
    const precedes = after?.[0] === offset + 1;
    if (follows && precedes) {
      before[1] = after[1];
      this.#ranges.splice(i + 1, 1);
    } else if (follows) before[1]++;
    else if (precedes) after[0]--;
    else this.#ranges.splice(i + 1, 0, [offset, offset + 1]);
    return true;
  }
}
