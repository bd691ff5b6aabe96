import type { TablogError } from '../base/error.ts';
import type { TopicInfo } from '../protocol/broker.ts';
import { BatchWriter, recordBytes } from '../record/batch-writer.ts';
import type { RecordParts } from '../record/batch-writer.ts';

/** Where a record was stored. */
export interface Placement {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970: the record's own, or the time it was stored, as the topic says. */
  readonly timestamp: number;
}

/** Told what became of each record of a `send`, by its index there. */
export type Sink = (index: number, result: Placement | Error) => void;

/** What became of a batch. */
export type BatchResult =
  | { readonly baseOffset: number; readonly appendTime: number | null }
  | TablogError;

/** A batch that takes no more records, with those who wait for them. */
export interface SealedBatch {
  readonly accumulator: PartitionAccumulator;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `bytes.length`, which is 0 after the buffer has been transferred. */
  readonly byteLength: number;
  settle(result: BatchResult): void;
}

/** Collects the records of one partition: the batch that is being filled, and those that are full. */
export class PartitionAccumulator {
  readonly topic: TopicInfo;
  readonly partition: number;
  /** Batches that were taken and are not settled yet. */
  inFlight = 0;

  readonly #batchBytes: number;
  readonly #onSealed: (batch: SealedBatch) => void;
  readonly #writer = new BatchWriter();
  readonly #sealed: SealedBatch[] = [];
  #sinks: Sink[] = [];
  #indices: number[] = [];
  #timestamps: number[] = [];

  constructor(
    topic: TopicInfo,
    partition: number,
    batchBytes: number,
    onSealed: (batch: SealedBatch) => void,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.#batchBytes = batchBytes;
    this.#onSealed = onSealed;
  }

  /** Has a batch that is being filled. */
  get isOpen(): boolean {
    return this.#writer.recordCount > 0;
  }

  get hasSealed(): boolean {
    return this.#sealed.length > 0;
  }

  /** Adds a record of at most `size` bytes; returns how many bytes it took. */
  add(record: RecordParts, size: number, sink: Sink, index: number): number {
    const writer = this.#writer;
    // The size is a guess for text; it is counted only where the guess would not fit.
    const room = this.#batchBytes - writer.byteLength;
    if (this.isOpen && size > room && recordBytes(record) > room) this.seal();
    const before = this.isOpen ? writer.byteLength : 0;
    writer.append(record);
    const taken = writer.byteLength - before;
    this.#sinks.push(sink);
    this.#indices.push(index);
    this.#timestamps.push(record.timestamp);
    return taken;
  }

  /** Completes the batch that is being filled, if there is one. */
  seal(): void {
    if (!this.isOpen) return;
    const bytes = this.#writer.finish();
    const { partition } = this;
    const topic = this.topic.name;
    const sinks = this.#sinks;
    const indices = this.#indices;
    const timestamps = this.#timestamps;
    const settle = (result: BatchResult): void => {
      for (let i = 0; i < sinks.length; i++) {
        if ('baseOffset' in result) {
          const offset = result.baseOffset + i;
          const timestamp = result.appendTime ?? timestamps[i]!;
          sinks[i]!(indices[i]!, { topic, partition, offset, timestamp });
        } else {
          sinks[i]!(indices[i]!, result);
        }
      }
    };
    const sealed = { accumulator: this, bytes, byteLength: bytes.length, settle };
    this.#sinks = [];
    this.#indices = [];
    this.#timestamps = [];
    this.#sealed.push(sealed);
    this.#onSealed(sealed);
  }

  /** Takes the oldest full batch. */
  take(): SealedBatch | undefined {
    return this.#sealed.shift();
  }
}
