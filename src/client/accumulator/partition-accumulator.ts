import type { TablogError } from '../../base/error.ts';
import type { Delivery } from '../connection/delivery.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import { BatchWriter, recordBytes } from '../../record/batch-writer.ts';
import type { RecordParts } from '../../record/batch-writer.ts';
import { isAhead } from '../../record/sequence.ts';
import type { Numbered, BatchSequencer } from './batch-sequencer.ts';

/** The place of a stored record (Kafka's `RecordMetadata`). */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /**
   * Milliseconds since 1970: the time of the record, or the time of the append where the topic has
   * `timestampType: 'append'`.
   */
  readonly timestamp: number;
}

/** Called with the outcome of each record of a call, by the index of the record. */
export type Sink<R extends RecordMetadata = RecordMetadata> = (
  index: number,
  result: R | Error,
) => void;

/** The outcome of a batch: its base offset, or the error that kept it from being stored. */
export type BatchResult =
  | { readonly baseOffset: number; readonly appendTime: number | null }
  | TablogError;

/** The call that sends a record. */
export interface SendCall {
  /** Gets the outcome of each record. */
  readonly sink: Sink;
  /** Withdraws the record. */
  readonly signal: AbortSignal | undefined;
  /** The time of the call, in milliseconds since 1970. */
  readonly sentAt: number;
}

/** A batch that takes no more records, with the callers that wait for its outcome. */
export interface SealedBatch extends Numbered {
  readonly accumulator: PartitionAccumulator;
  /** @internal TypeScript before 5.7 cannot parse the generic `Uint8Array`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `bytes.length`, which is 0 after the buffer has been transferred. */
  readonly byteLength: number;
  /** The only offset at which the batch may be stored; null: the end of the partition. */
  readonly expectedOffset: number | null;
  /** Withdraws all records of the batch, as long as none is possibly stored. */
  readonly signal: AbortSignal | undefined;
  /** The attempts to send the batch, and their outcome so far. */
  readonly delivery: Delivery;
  /** The batch's number among the batches of the partition, in the order of sealing. */
  readonly order: number;
  /** The number of batches of the partition that were settled when this batch was last sent. */
  settledBefore: number;
  /** Tells the callers of the outcome. */
  settle(result: BatchResult): void;
}

/** A batch whose bytes are complete, before it is sealed. */
export interface FinishedBatch extends Pick<
  SealedBatch,
  'bytes' | 'recordCount' | 'expectedOffset' | 'keepsOffset' | 'signal' | 'settle'
> {
  /** The time of the call that sends the batch, in milliseconds since 1970. */
  readonly sentAt: number;
}

export interface AccumulatorOptions {
  readonly topic: TopicInfo;
  readonly partition: number;
  readonly batchBytes: number;
  /** The delivery of a batch; `sentAt`: the time of the first call that sends a record of it. */
  readonly newDelivery: (sentAt: number) => Delivery;
  /** Numbers the batches of an idempotent producer. */
  readonly sequence: BatchSequencer | undefined;
  readonly onSealed: (batch: SealedBatch) => void;
}

/** Collects the records of one partition: the open batch, and the sealed batches. */
export class PartitionAccumulator {
  readonly topic: TopicInfo;
  readonly partition: number;
  /** The number of batches that are being sent. */
  inFlight = 0;

  readonly #options: AccumulatorOptions;
  readonly #writer = new BatchWriter();
  readonly #sealed: SealedBatch[] = [];
  /** Unsettled batches, in the order of sealing. */
  readonly #unsettled = new Set<SealedBatch>();
  #lastOrder = 0;
  #settled = 0;
  /** The signal of the open batch. */
  #signal: AbortSignal | undefined;
  /** The delivery of the open batch; `undefined`: there is no open batch. */
  #delivery: Delivery | undefined;
  #sinks: Sink[] = [];
  #indices: number[] = [];
  #timestamps: number[] = [];

  constructor(options: AccumulatorOptions) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.#options = options;
  }

  /** Whether there is an open batch. */
  get isOpen(): boolean {
    return this.#writer.recordCount > 0;
  }

  get hasSealed(): boolean {
    return this.#sealed.length > 0;
  }

  /** The time at which the open batch expires; `Infinity`: there is none, or it does not expire. */
  get expiresAt(): number {
    return this.#delivery?.expiresAt ?? Infinity;
  }

  /**
   * Adds a record of at most `size` bytes; returns the number of bytes that the record takes. All
   * records of a batch have the same signal, so a signal withdraws whole batches.
   */
  add(record: RecordParts, size: number, index: number, call: SendCall): number {
    const { signal } = call;
    const writer = this.#writer;
    // For text, `size` is an upper bound. The exact size is counted only where the bound does not
    // fit.
    const room = this.#options.batchBytes - writer.byteLength;
    const isFull = size > room && recordBytes(record) > room;
    if (this.isOpen && (isFull || signal !== this.#signal)) this.seal();
    this.#signal = signal;
    const before = this.isOpen ? writer.byteLength : 0;
    writer.append(record);
    this.#delivery ??= this.#options.newDelivery(call.sentAt);
    const bytesAdded = writer.byteLength - before;
    this.#sinks.push(call.sink);
    this.#indices.push(index);
    this.#timestamps.push(record.timestamp);
    return bytesAdded;
  }

  /** Adds a record that must be stored at `expectedOffset`, in a batch of its own. */
  addAlone(record: RecordParts, expectedOffset: number, index: number, call: SendCall): number {
    this.seal();
    const bytesAdded = this.add(record, 0, index, call);
    this.seal(expectedOffset);
    return bytesAdded;
  }

  /** Adds a batch after the records so far; returns its number of bytes. */
  addRaw({ sentAt, ...batch }: FinishedBatch): number {
    this.seal();
    this.#seal({ ...batch, delivery: this.#options.newDelivery(sentAt) }, true);
    return batch.bytes.length;
  }

  /** Seals the open batch, if there is one. */
  seal(expectedOffset: number | null = null): void {
    if (!this.isOpen) return;
    const { recordCount } = this.#writer;
    const bytes = this.#writer.finish();
    const signal = this.#signal;
    const delivery = this.#delivery!;
    this.#signal = undefined;
    this.#delivery = undefined;
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
    this.#seal({ bytes, recordCount, expectedOffset, signal, delivery, settle }, false);
  }

  #seal(
    batch: Omit<FinishedBatch, 'sentAt'> & Pick<SealedBatch, 'delivery'>,
    isRaw: boolean,
  ): void {
    const sealed: SealedBatch = {
      ...batch,
      accumulator: this,
      isRaw,
      byteLength: batch.bytes.length,
      order: ++this.#lastOrder,
      number: undefined,
      settledBefore: 0,
    };
    this.#sealed.push(sealed);
    this.#unsettled.add(sealed);
    this.#options.onSealed(sealed);
  }

  /** Takes the batches of `signal` that wait to be sent and are certainly not stored. */
  withdraw(signal: AbortSignal): SealedBatch[] {
    if (this.#signal === signal) this.seal();
    return this.#takeOut((batch) => batch.signal === signal && !batch.delivery.mayBeStored);
  }

  /** Takes the batches that wait to be sent, and have waited until `now` or longer. */
  expire(now: number): SealedBatch[] {
    if (this.expiresAt <= now) this.seal();
    return this.#takeOut(({ delivery }) => delivery.expiresAt <= now);
  }

  /** Takes sealed batches out, the newest first: numbers that were assigned can be used again. */
  #takeOut(isChosen: (batch: SealedBatch) => boolean): SealedBatch[] {
    const chosen = this.#sealed.filter(isChosen);
    for (const batch of chosen) this.#sealed.splice(this.#sealed.indexOf(batch), 1);
    this.inFlight += chosen.length; // settle() subtracts each
    return chosen.reverse();
  }

  /**
   * Takes the oldest sealed batch. Returns `undefined` where the batch has to wait: `limit` batches
   * are in flight, or the batches in flight have numbers of another epoch.
   */
  take(limit: number): SealedBatch | undefined {
    const { sequence } = this.#options;
    const isBroken = sequence?.isBroken === true;
    const [batch] = this.#sealed;
    if (batch === undefined || (isBroken && this.inFlight > 0)) return undefined;
    // The broker keeps the last `MAX_IN_FLIGHT` batches of each producer and partition: a retry of
    // an older batch would look like a gap.
    const [oldest] = this.#unsettled;
    if (sequence !== undefined && batch.order - oldest!.order >= limit) return undefined;
    // A batch that may be stored is sent again unchanged: its old number is what lets the broker
    // recognize a duplicate.
    if (!(isBroken && batch.delivery.mayBeStored)) sequence?.number(batch);
    this.#sealed.shift();
    batch.settledBefore = this.#settled;
    this.inFlight++;
    return batch;
  }

  /** Puts a batch back to be sent again, before the batches that were sealed later. */
  putBack(batch: SealedBatch): void {
    this.inFlight--;
    const later = this.#sealed.findIndex(({ order }) => order > batch.order);
    this.#sealed.splice(later === -1 ? this.#sealed.length : later, 0, batch);
  }

  /** Notes a batch that is stored, or is not sent any more. */
  settle(batch: SealedBatch, result: BatchResult): void {
    this.inFlight--;
    this.#settled++;
    this.#unsettled.delete(batch);
    // The broker notes the number of a batch in `CONFLICT` as it notes that of a stored batch.
    const hasNumber = 'baseOffset' in result || result.code === 'CONFLICT';
    if (!hasNumber) this.#options.sequence?.drop(batch, !batch.delivery.mayBeStored);
  }

  /**
   * Decides whether a batch is sent again after `OUT_OF_ORDER_SEQUENCE`; `expected` is the next
   * sequence number of the broker. A batch is sent again unchanged when an earlier batch was
   * settled since, or is still unsettled. Otherwise numbers are missing, and the batch is sent with
   * a new number. Returns false where the batch may have been stored so long ago that the broker
   * does not remember it.
   */
  reorder(batch: SealedBatch, expected: number): boolean {
    const sequence = this.#options.sequence!;
    if (this.hasMoved(batch) || this.#hasOlder(batch)) return true;
    if (!isAhead(batch.number!.sequence, expected)) return false;
    // A worker that hung may still store the previous batch, and then this batch.
    if (batch.delivery.mayBeStored && sequence.isDoubtful) return false;
    batch.delivery.renumbered();
    sequence.restart();
    return true;
  }

  /** Whether a batch of the partition was settled since this batch was sent. */
  hasMoved({ settledBefore }: SealedBatch): boolean {
    return settledBefore !== this.#settled;
  }

  /** Whether an earlier batch is unsettled. */
  #hasOlder({ order }: SealedBatch): boolean {
    const [oldest] = this.#unsettled;
    return oldest !== undefined && oldest.order < order;
  }
}
