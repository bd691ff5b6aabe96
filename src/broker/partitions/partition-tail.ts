import type { PartitionHead } from '../../log/head.ts';
import type { Segment } from '../../log/segment.ts';
import type { SegmentsSlice } from '../../log/segment-reader.ts';
import { sliceSegment } from '../../log/segment-slice.ts';

/** What this broker remembers of a partition: its newest segments, and the end as last seen. */
export class PartitionTail {
  /** The end offset when last seen; `undefined`: somebody may have moved it, so look. */
  endOffset: number | undefined;
  /** How often somebody has said that it moved, or that records are gone. */
  heard = 0;
  /** When the store was last asked whether records are gone. */
  seenAt: number = -Infinity;
  /** Records are gone, and what commits that are under way say may be of before that. */
  isDoubted = false;
  /** Without gaps, from `#first` on: what lies before it has been dropped. */
  #segments: (Segment | undefined)[] = [];
  #first = 0;
  #startOffset = -1;
  #rewrites = -1;

  /**
   * How the store has it: what was remembered before records were removed there is forgotten. `false`:
   * that was before what has been seen already.
   */
  see({ startOffset, rewrites, compaction }: PartitionHead, now: number): boolean {
    if (startOffset < this.#startOffset || rewrites < this.#rewrites) return false;
    // Rows are merged also, and nobody is to notice.
    const isRewritten = compaction.cleaned.length > 0 && rewrites > this.#rewrites;
    if (startOffset > this.#startOffset || isRewritten) this.#reset();
    this.#startOffset = startOffset;
    this.#rewrites = rewrites;
    this.seenAt = now;
    return true;
  }

  /** Somebody says that records are gone: nothing is known until the store has been asked. */
  doubt(): void {
    this.#reset();
    this.endOffset = undefined;
    this.heard++;
    this.isDoubted = true;
  }

  push(segment: Segment): void {
    // Another broker appended in between: what we had no longer reaches up to what is new.
    if (this.#segments.at(-1)?.nextOffset !== segment.baseOffset) this.#reset();
    this.#segments.push(segment);
    this.endOffset = segment.nextOffset;
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
      // What is handed out is transferred away, so a whole segment is copied too.
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
