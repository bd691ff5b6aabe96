import type { Segment } from '../log/append.ts';
import { sliceSegment } from '../log/segment-reader.ts';
import type { SegmentsSlice } from '../log/segment-reader.ts';

/** What this broker remembers of a partition: its newest segments, and the end as last seen. */
export class PartitionTail {
  /** The end offset when last seen; `undefined`: somebody may have moved it, so look. */
  endOffset: number | undefined;
  readonly #segments: Segment[] = [];

  push(segment: Segment): void {
    // Another broker appended in between: what we had no longer reaches up to what is new.
    if (this.#segments.at(-1)?.nextOffset !== segment.baseOffset) this.#segments.length = 0;
    this.#segments.push(segment);
    this.endOffset = segment.nextOffset;
  }

  /** Drops `segment` if it is the oldest. */
  drop(segment: Segment): void {
    if (this.#segments[0] === segment) this.#segments.shift();
  }

  /** Copies of the batches from `offset` on; `undefined` where they are not in memory. */
  read(offset: number, maxBytes: number): SegmentsSlice | undefined {
    const first = this.#segments.findIndex(
      (segment) => segment.baseOffset <= offset && offset < segment.nextOffset,
    );
    if (first === -1) return undefined;
    const found: ArrayBuffer[] = [];
    let next = offset;
    let left = maxBytes;
    for (const segment of this.#segments.slice(first)) {
      if (left <= 0) break;
      const slice = sliceSegment(segment.bytes, next, left);
      if (slice === undefined) break;
      // What is handed out is transferred away, so a whole segment is copied too.
      const bytes = slice.bytes === segment.bytes ? slice.bytes.slice(0) : slice.bytes;
      found.push(bytes);
      next = slice.nextOffset;
      left -= bytes.byteLength;
      if (next < segment.nextOffset) break;
    }
    return { segments: found, nextOffset: next };
  }
}

/** The tails of all partitions, within one budget of memory: the oldest segments go first. */
export class TailCache {
  readonly #maxBytes: number;
  readonly #tails = new Map<string, PartitionTail>();
  #oldestFirst: { readonly tail: PartitionTail; readonly segment: Segment }[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  of(topicId: string, partition: number): PartitionTail {
    const key = `${topicId}/${partition}`;
    let tail = this.#tails.get(key);
    if (tail === undefined) this.#tails.set(key, (tail = new PartitionTail()));
    return tail;
  }

  push(topicId: string, partition: number, segment: Segment): void {
    const tail = this.of(topicId, partition);
    tail.push(segment);
    this.#oldestFirst.push({ tail, segment });
    this.#bytes += segment.bytes.byteLength;
    let dropped = 0;
    while (this.#bytes > this.#maxBytes) {
      const oldest = this.#oldestFirst[dropped++]!;
      oldest.tail.drop(oldest.segment);
      this.#bytes -= oldest.segment.bytes.byteLength;
    }
    if (dropped > 0) this.#oldestFirst.splice(0, dropped);
  }

  clear(): void {
    this.#tails.clear();
    this.#oldestFirst = [];
    this.#bytes = 0;
  }
}
