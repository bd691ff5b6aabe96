import type { MessageBatch, PartitionDescription } from '../src/index.ts';
import { keyOf } from './demo-log.ts';
import type { DemoMessage, DemoTopic } from './demo-log.ts';

/** How many records of a lane are kept for showing: more than the widest screen has cells. */
export const RECENT_RECORDS = 64;
const RECENT_KEYS = 6;

export interface RecentRecord {
  readonly message: DemoMessage;
  readonly key: string;
}

/** What is known of one partition. */
export class LaneState {
  readonly partition: number;
  startOffset: number;
  endOffset: number;
  bytes: number;
  /** The newest records, in order. */
  recent: readonly RecentRecord[] = [];
  #keys: readonly string[] = [];

  constructor({
    partition,
    startOffset,
    endOffset,
    bytes,
  }: Omit<PartitionDescription, 'segments'>) {
    this.partition = partition;
    this.startOffset = startOffset;
    this.endOffset = endOffset;
    this.bytes = bytes;
  }

  get records(): number {
    return this.endOffset - this.startOffset;
  }

  /** Keys seen lately, the newest first. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  /** Takes what the broker tells; returns how many records are new by it. */
  describe({ startOffset, endOffset, bytes }: PartitionDescription): number {
    this.startOffset = startOffset;
    this.bytes = bytes;
    // Records that retention has deleted are not shown either.
    if (this.recent.some(({ message }) => message.offset < startOffset)) {
      this.recent = this.recent.filter(({ message }) => message.offset >= startOffset);
    }
    return this.#advanceTo(endOffset);
  }

  /** Takes what a consumer read; returns how many records are new by it. */
  add({ messages, firstOffset, endOffset }: MessageBatch<DemoTopic>): number {
    // Only what can be shown is decoded: the rest of a batch costs nothing.
    const newest = messages
      .slice(-RECENT_RECORDS)
      .map((message) => ({ message, key: keyOf(message) }));
    // A consumer that began anew reads the last records again.
    const before = this.recent.filter(({ message }) => message.offset < firstOffset);
    this.recent = [...before, ...newest].slice(-RECENT_RECORDS);
    const seen = new Set(newest.reverse().map(({ key }) => key));
    this.#keys = [...new Set([...seen, ...this.#keys])].slice(0, RECENT_KEYS);
    return this.#advanceTo(endOffset);
  }

  #advanceTo(endOffset: number): number {
    const added = Math.max(endOffset - this.endOffset, 0);
    this.endOffset += added;
    return added;
  }
}
