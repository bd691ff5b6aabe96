import { randomProducerId } from '../../platform/random-id.ts';
import type { ProducerIdentity } from '../../protocol/produce.ts';
import { stampProducer } from '../../record/batch-seal.ts';
import type { ProducerStamp } from '../../record/batch-seal.ts';
import { MAX_EPOCH, sequenceAfter } from '../../record/sequence.ts';

/** A batch that gets a sequence number. */
export interface Numbered {
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  /**
   * Whether the batch is raw, made by another client: its bytes stay as they are, and its sequence
   * number travels beside the bytes.
   */
  readonly isRaw: boolean;
  /** Whether a raw batch is stored at its own base offset. */
  readonly keepsOffset?: boolean | undefined;
  /** The batch's last producer id, epoch and sequence; `undefined`: not numbered yet. */
  number: ProducerStamp | undefined;
}

/**
 * Numbers one producer's batches of one partition (the sequences of Kafka's `TransactionManager`).
 * The broker recognizes a batch that it has stored before, and refuses a batch whose predecessor is
 * missing.
 */
export class BatchSequencer {
  #id: number;
  #epoch: number;
  #next = 0;
  #isBroken = false;
  #isDoubtful = false;

  constructor({ id, epoch }: ProducerIdentity) {
    this.#id = id;
    this.#epoch = epoch;
  }

  /**
   * Whether a sequence number was lost. The batches after the gap get new numbers in the next epoch
   * (KIP-360). No batch with an old number may be in flight at that moment: the new epoch would
   * fence it.
   */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * Whether a batch of this epoch was given up that a worker may have stored. A worker that hung
   * may also store the batch later.
   */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** Numbers a batch. A batch that has a number in this epoch keeps it. */
  number(batch: Numbered): void {
    if (this.#isBroken) this.#beginEpoch();
    const { number } = batch;
    if (number?.id === this.#id && number.epoch === this.#epoch) return;
    batch.number = { id: this.#id, epoch: this.#epoch, sequence: this.#next };
    if (!batch.isRaw) stampProducer(batch.bytes, batch.number);
    this.#next = sequenceAfter(this.#next, batch.recordCount);
  }

  /** Starts a new epoch before the next batch: every unsettled batch gets a new number. */
  restart(): void {
    this.#isBroken = true;
  }

  /**
   * Notes that the batch is not sent any more. `isKnown`: the batch was certainly not stored, so
   * its number can be used again if it is the newest.
   */
  drop({ number, recordCount }: Numbered, isKnown: boolean): void {
    if (number === undefined || number.id !== this.#id || number.epoch !== this.#epoch) return;
    if (!isKnown) this.#isDoubtful = true;
    const isLast = sequenceAfter(number.sequence, recordCount) === this.#next;
    if (isKnown && isLast) this.#next = number.sequence;
    else this.#isBroken = true;
  }

  #beginEpoch(): void {
    this.#isDoubtful = false;
    this.#isBroken = false;
    this.#next = 0;
    this.#epoch++;
    if (this.#epoch <= MAX_EPOCH) return;
    this.#id = randomProducerId();
    this.#epoch = 0;
  }
}
