import type { TablogError } from '../../base/error.ts';
import type { Delivery } from '../connection/delivery.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import { BatchWriter, recordBytes } from '../../record/batch-writer.ts';
import type { RecordParts } from '../../record/batch-writer.ts';
import { MAX_IN_FLIGHT, isAhead } from '../../record/sequence.ts';
import type { Numbered, BatchSequencer } from './batch-sequencer.ts';

/** Where a record was stored. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970: the record's own, or the time it was stored, as the topic says. */
  readonly timestamp: number;
}

/** Told what became of each record of a call, by its index there. */
export type Sink<R extends RecordMetadata = RecordMetadata> = (
  index: number,
  result: R | Error,
) => void;

/** The outcome of a batch: its place, or why it was not stored. */
export type BatchResult =
  | { readonly baseOffset: number; readonly appendTime: number | null }
  | TablogError;

/** A batch that takes no more records, with those who wait for them. */
export interface SealedBatch extends Numbered {
  readonly accumulator: PartitionAccumulator;
  /** @internal TypeScript before 5.7 cannot parse the generic `Uint8Array`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `bytes.length`, which is 0 after the buffer has been transferred. */
  readonly byteLength: number;
  /** Where it must be stored, or nowhere; null: at the end, wherever that is. */
  readonly expectedOffset: number | null;
  /** Withdraws all of its records, as long as it is certain that none is stored. */
  readonly signal: AbortSignal | undefined;
  /** How it fares, where a producer sends it by itself. */
  readonly delivery: Delivery;
  /** Counts the partition's batches. */
  readonly order: number;
  /** How many batches of the partition were settled when it was sent last. */
  settledBefore: number;
  settle(result: BatchResult): void;
}

/** A batch whose bytes are complete, and that is not sealed yet. */
export interface FinishedBatch {
  /** @internal TypeScript before 5.7 cannot parse the generic `Uint8Array`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly recordCount: number;
  readonly expectedOffset: number | null;
  readonly signal: AbortSignal | undefined;
  settle(result: BatchResult): void;
}

export interface AccumulatorOptions {
  readonly topic: TopicInfo;
  readonly partition: number;
  readonly batchBytes: number;
  readonly newDelivery: () => Delivery;
  /** Numbers the batches of an idempotent producer. */
  readonly sequence: BatchSequencer | undefined;
  readonly onSealed: (batch: SealedBatch) => void;
}

/**
 * Collects the records of one partition: the batch that is being filled, and those that are full.
 */
export class PartitionAccumulator {
  readonly topic: TopicInfo;
  readonly partition: number;
  /** Batches that are under way. */
  inFlight = 0;

  readonly #options: AccumulatorOptions;
  readonly #writer = new BatchWriter();
  readonly #sealed: SealedBatch[] = [];
  /** In the order in which they were sealed. */
  readonly #unsettled = new Set<SealedBatch>();
  #lastOrder = 0;
  #settled = 0;
  /** Of the batch that is being filled. */
  #signal: AbortSignal | undefined;
  #sinks: Sink[] = [];
  #indices: number[] = [];
  #timestamps: number[] = [];

  constructor(options: AccumulatorOptions) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.#options = options;
  }

  /** Has a batch that is being filled. */
  get isOpen(): boolean {
    return this.#writer.recordCount > 0;
  }

  get hasSealed(): boolean {
    return this.#sealed.length > 0;
  }

  /**
   * Adds a record of at most `size` bytes; returns how many bytes it took. All records of a batch
   * have the same signal, so that it withdraws whole batches.
   */
  add(record: RecordParts, size: number, sink: Sink, index: number, signal?: AbortSignal): number {
    const writer = this.#writer;
    // The size is a guess for text; it is counted only where the guess would not fit.
    const room = this.#options.batchBytes - writer.byteLength;
    const isFull = size > room && recordBytes(record) > room;
    if (this.isOpen && (isFull || signal !== this.#signal)) this.seal();
    this.#signal = signal;
    const before = this.isOpen ? writer.byteLength : 0;
    writer.append(record);
    const taken = writer.byteLength - before;
    this.#sinks.push(sink);
    this.#indices.push(index);
    this.#timestamps.push(record.timestamp);
    return taken;
  }

  /** Adds a record that is to be stored at `expectedOffset`, in a batch of its own. */
  addAlone(
    record: RecordParts,
    sink: Sink,
    index: number,
    expectedOffset: number,
    signal: AbortSignal | undefined,
  ): number {
    this.seal();
    const taken = this.add(record, 0, sink, index, signal);
    this.seal(expectedOffset);
    return taken;
  }

  /** Adds a batch behind the records so far; returns its bytes. */
  addRaw(batch: FinishedBatch): number {
    this.seal();
    this.#seal(batch, true);
    return batch.bytes.length;
  }

  /** Completes the batch that is being filled, if there is one. */
  seal(expectedOffset: number | null = null): void {
    if (!this.isOpen) return;
    const { recordCount } = this.#writer;
    const bytes = this.#writer.finish();
    const signal = this.#signal;
    this.#signal = undefined;
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
    this.#sinks = [];
    this.#indices = [];
    this.#timestamps = [];
    this.#seal({ bytes, recordCount, expectedOffset, signal, settle }, false);
  }

  #seal(batch: FinishedBatch, isRaw: boolean): void {
    const sealed: SealedBatch = {
      ...batch,
      accumulator: this,
      isRaw,
      byteLength: batch.bytes.length,
      delivery: this.#options.newDelivery(),
      order: ++this.#lastOrder,
      number: undefined,
      settledBefore: 0,
    };
    this.#sealed.push(sealed);
    this.#unsettled.add(sealed);
    this.#options.onSealed(sealed);
  }

  /** Takes the batches of the signal that wait to be sent and are certainly not stored. */
  withdraw(signal: AbortSignal): SealedBatch[] {
    if (this.#signal === signal) this.seal();
    const withdrawn = this.#sealed.filter(
      (batch) => batch.signal === signal && !batch.delivery.mayBeStored,
    );
    for (const batch of withdrawn) this.#sealed.splice(this.#sealed.indexOf(batch), 1);
    this.inFlight += withdrawn.length; // until each is settled
    return withdrawn;
  }

  /**
   * Takes the oldest full batch, unless it must wait: `limit` batches are in flight, or those in
   * flight were numbered in another epoch.
   */
  take(limit: number = MAX_IN_FLIGHT): SealedBatch | undefined {
    const { sequence } = this.#options;
    const isBroken = sequence?.isBroken === true;
    const [batch] = this.#sealed;
    if (batch === undefined || (isBroken && this.inFlight > 0)) return undefined;
    // The broker keeps a producer's last `MAX_IN_FLIGHT` batches of a partition: a retry of an
    // older one would look like a gap.
    const [oldest] = this.#unsettled;
    if (sequence !== undefined && batch.order - oldest!.order >= limit) return undefined;
    // One that may be stored comes again as it is: only its number can tell.
    if (!(isBroken && batch.delivery.mayBeStored)) sequence?.number(batch);
    this.#sealed.shift();
    batch.settledBefore = this.#settled;
    this.inFlight++;
    return batch;
  }

  /** It comes once more, before those that were sealed later. */
  putBack(batch: SealedBatch): void {
    this.inFlight--;
    const later = this.#sealed.findIndex(({ order }) => order > batch.order);
    this.#sealed.splice(later === -1 ? this.#sealed.length : later, 0, batch);
  }

  /** It is stored, or will not be sent any more. */
  settle(batch: SealedBatch, result: BatchResult): void {
    this.inFlight--;
    this.#settled++;
    this.#unsettled.delete(batch);
    // The partition has noted the number of one that is in conflict, as of one that it has stored.
    const hasNumber = 'baseOffset' in result || result.code === 'CONFLICT';
    if (!hasNumber) this.#options.sequence?.drop(batch, !batch.delivery.mayBeStored);
    batch.settle(result);
  }

  /**
   * What is to become of a batch that is out of order where `expected` is the next. It comes once
   * more when something became of one before it since it was sent, or is still to. Else numbers are
   * missing, and it comes with a new one; `false`: it may have been stored so long ago that the
   * partition does not remember.
   */
  reorder(batch: SealedBatch, expected: number): boolean {
    const sequence = this.#options.sequence!;
    if (this.hasMoved(batch) || this.#hasOlder(batch)) return true;
    if (!isAhead(batch.number!.sequence, expected)) return false;
    // A worker that hung may yet store the one before it, and then this one.
    if (batch.delivery.mayBeStored && sequence.isDoubtful) return false;
    batch.delivery.renumbered();
    sequence.restart();
    return true;
  }

  /** Whether something became of a batch of the partition since this one was sent. */
  hasMoved({ settledBefore }: SealedBatch): boolean {
    return settledBefore !== this.#settled;
  }

  /** Whether something is still to become of a batch before this one. */
  #hasOlder({ order }: SealedBatch): boolean {
    const [oldest] = this.#unsettled;
    return oldest !== undefined && oldest.order < order;
  }
}
