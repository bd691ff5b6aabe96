import { partitionKey } from '../../base/topic-id-partition.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { Segment } from '../../log/segment.ts';
import { PartitionTail } from './partition-tail.ts';

interface Remembered {
  readonly tail: PartitionTail;
  readonly segment: Segment;
}

/**
 * The tails of all partitions, within one bound of memory: the oldest segments are dropped first.
 */
export class TailCache {
  readonly #maxBytes: number;
  readonly #tails = new Map<string, PartitionTail>();
  /** A set keeps the order of insertion, and forgets its oldest in constant time. */
  readonly #oldestFirst = new Set<Remembered>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(topicId: string, partition: number): PartitionTail | undefined {
    return this.#tails.get(partitionKey({ topicId, partition }));
  }

  /** The tail of a partition; creates it when there is none. */
  of(topicId: string, partition: number): PartitionTail {
    let tail = this.get(topicId, partition);
    if (tail === undefined) {
      tail = new PartitionTail();
      this.#tails.set(partitionKey({ topicId, partition }), tail);
    }
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

  /** Records of a partition were deleted: its segments must not be read from memory any more. */
  doubt(topicId: string, partition: number): void {
    const tail = this.of(topicId, partition);
    this.#forget(tail);
    tail.doubt();
  }

  /** Forgets the tails of all topics but these; returns the forgotten partitions. */
  retain(topicIds: ReadonlySet<string>): TopicIdPartition[] {
    const gone: TopicIdPartition[] = [];
    for (const [key, tail] of this.#tails) {
      const at = key.lastIndexOf('/');
      const name = { topicId: key.slice(0, at), partition: Number(key.slice(at + 1)) };
      if (topicIds.has(name.topicId)) continue;
      this.#forget(tail);
      this.#tails.delete(key);
      gone.push(name);
    }
    return gone;
  }

  #forget(tail: PartitionTail): void {
    for (const remembered of this.#oldestFirst) {
      if (remembered.tail !== tail) continue;
      this.#oldestFirst.delete(remembered);
      this.#bytes -= remembered.segment.bytes.byteLength;
    }
  }
}
