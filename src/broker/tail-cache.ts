import type { Segment } from '../log/append.ts';
import { PartitionTail } from './partition-tail.ts';

interface Remembered {
  readonly tail: PartitionTail;
  readonly segment: Segment;
}

/** The tails of all partitions, within one budget of memory: the oldest segments go first. */
export class TailCache {
  readonly #maxBytes: number;
  readonly #tails = new Map<string, PartitionTail>();
  /** A set keeps the order of insertion, and forgets its oldest in constant time. */
  readonly #oldestFirst = new Set<Remembered>();
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
    this.#oldestFirst.add({ tail, segment });
    this.#bytes += segment.bytes.byteLength;
    for (const oldest of this.#oldestFirst) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#oldestFirst.delete(oldest);
      oldest.tail.drop(oldest.segment);
      this.#bytes -= oldest.segment.bytes.byteLength;
    }
  }

  clear(): void {
    this.#tails.clear();
    this.#oldestFirst.clear();
    this.#bytes = 0;
  }
}
