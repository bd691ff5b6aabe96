import type { TablogError } from '../base/error.ts';
import { BatchWriter } from '../record/batch-writer.ts';
import type { RecordParts } from '../record/batch-writer.ts';

/** Told what became of each record of a batch. */
export interface Sink {
  placed(index: number, partition: number, offset: number, timestamp: number): void;
  failed(index: number, error: Error): void;
}

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
  readonly topicId: string;
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
    topicId: string,
    partition: number,
    batchBytes: number,
    onSealed: (batch: SealedBatch) => void,
  ) {
    this.topicId = topicId;
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
    if (this.isOpen && writer.byteLength + size > this.#batchBytes) this.seal();
    const before = this.isOpen ? writer.byteLength : 0;
    writer.append(record);
    this.#sinks.push(sink);
    this.#indices.push(index);
    this.#timestamps.push(record.timestamp);
    return writer.byteLength - before;
  }

  /** Completes the batch that is being filled, if there is one. */
  seal(): void {
    if (!this.isOpen) return;
    const bytes = this.#writer.finish();
    const sealed = {
      accumulator: this,
      bytes,
      byteLength: bytes.length,
      settle: settler(this.partition, this.#sinks, this.#indices, this.#timestamps),
    };
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

function settler(
  partition: number,
  sinks: readonly Sink[],
  indices: readonly number[],
  timestamps: readonly number[],
): SealedBatch['settle'] {
  return (result) => {
    for (let i = 0; i < sinks.length; i++) {
      if ('baseOffset' in result) {
        const timestamp = result.appendTime ?? timestamps[i]!;
        sinks[i]!.placed(indices[i]!, partition, result.baseOffset + i, timestamp);
      } else {
        sinks[i]!.failed(indices[i]!, result);
      }
    }
  };
}
