import type { PartitionHead } from '../../log/head.ts';
import type { Segment } from '../../log/segment.ts';
import type { SegmentsSlice } from '../../log/segment-reader.ts';
import { sliceSegment } from '../../log/segment-slice.ts';

/** The newest segments of a partition in this broker's memory, and the end offset as last seen. */
export class PartitionTail {
  #endOffset: number | undefined;
  /** Counts the hints of appends and deletions of other brokers. */
  #hints = 0;
  /** The time at which the head was last seen, in ms since 1970. */
  #seenAt: number = -Infinity;
  /** Records were deleted: appends that started earlier may still bring a head from before. */
  #isDoubted = false;
  /** Segments without gaps from the index `#first` on; those before it were dropped. */
  #segments: (Segment | undefined)[] = [];
  #first = 0;
  #startOffset = -1;
  #rewrites = -1;

  /** The end offset as last seen; `undefined`: another broker may have moved it. */
  get endOffset(): number | undefined {
    return this.#endOffset;
  }

  /** Whether the head was seen at most `maxAgeMs` ago. */
  isSeen(now: number, maxAgeMs: number): boolean {
    return now - this.#seenAt <= maxAgeMs;
  }

  /** Takes in the head after an append of this broker; `false` for a head from before the last one. */
  seeAppended(head: PartitionHead, now: number): boolean {
    return !this.#isDoubted && this.#see(head, now);
  }

  /**
   * Call it before a read of the store, and the returned function with the head that was read. The
   * function ignores the head when a hint came during the read: the hint may be of an append that the
   * read did not see.
   */
  beginRead(): (head: PartitionHead, now: number) => void {
    const hints = this.#hints;
    return (head, now) => {
      if (this.#hints !== hints) return;
      this.#isDoubted = false;
      this.#see(head, now);
      this.#endOffset = Math.max(this.#endOffset ?? 0, head.endOffset);
    };
  }

  /** Takes in another broker's hint of an append; `false` where the end offset is known already. */
  hearOfAppend(endOffset: number): boolean {
    if (this.#endOffset !== undefined && endOffset <= this.#endOffset) return false;
    this.#endOffset = undefined;
    this.#hints++;
    return true;
  }

  /**
   * Takes in a head of the store. Forgets the segments when the head shows that records were
   * removed. Returns `false` for a head that is older than the last one.
   */
  #see({ startOffset, rewrites, compaction }: PartitionHead, now: number): boolean {
    if (startOffset < this.#startOffset || rewrites < this.#rewrites) return false;
    // Merging counts as a rewrite too, but changes no records.
    const isRewritten = compaction.cleaned.length > 0 && rewrites > this.#rewrites;
    if (startOffset > this.#startOffset || isRewritten) this.#reset();
    this.#startOffset = startOffset;
    this.#rewrites = rewrites;
    this.#seenAt = now;
    return true;
  }

  /** Records were deleted: forgets the partition until the next read of the head. */
  doubt(): void {
    this.#reset();
    this.#endOffset = undefined;
    this.#hints++;
    this.#isDoubted = true;
  }

  push(segment: Segment): void {
    // Another broker has appended in between, so the segments do not reach up to the new one.
    if (this.#segments.at(-1)?.nextOffset !== segment.baseOffset) this.#reset();
    this.#segments.push(segment);
    this.#endOffset = segment.nextOffset;
  }

  /** Drops `segment` if it is the oldest. */
  drop(segment: Segment): void {
    if (this.#segments[this.#first] !== segment) return;
    this.#segments[this.#first++] = undefined;
    if (this.#first === this.#segments.length) this.#reset();
    else if (this.#first * 2 > this.#segments.length) {
      this.#segments = this.#segments.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Copies of the batches from `offset` on; `undefined` where they are not in memory. */
  read(offset: number, maxBytes: number): SegmentsSlice | undefined {
    let i = this.#covering(offset);
    if (i === undefined) return undefined;
    const segments: ArrayBuffer[] = [];
    let nextOffset = offset;
    let left = maxBytes;
    for (; i < this.#segments.length && (left > 0 || segments.length === 0); i++) {
      const segment = this.#segments[i]!;
      const slice = sliceSegment(segment, nextOffset, left, false);
      // The buffers of an answer are transferred away, so a whole segment is copied too.
      segments.push(slice.bytes === segment.bytes ? slice.bytes.slice(0) : slice.bytes);
      nextOffset = slice.nextOffset;
      left -= slice.bytes.byteLength;
      if (nextOffset < segment.nextOffset) break;
    }
    return { segments, nextOffset };
  }

  /** The index of the segment that has `offset`. */
  #covering(offset: number): number | undefined {
    let low = this.#first;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.nextOffset <= offset) low = middle + 1;
      else high = middle;
    }
    const segment = this.#segments[low];
    return segment !== undefined && segment.baseOffset <= offset ? low : undefined;
  }

  #reset(): void {
    this.#segments = [];
    this.#first = 0;
  }
}
