import { randomProducerId } from '../../platform/random-id.ts';
import type { ProducerIdentity } from '../../protocol/produce.ts';
import { stampProducer } from '../../record/batch-seal.ts';
import type { ProducerStamp } from '../../record/batch-seal.ts';
import { MAX_EPOCH, sequenceAfter } from '../../record/sequence.ts';

/** A batch that is numbered. */
export interface Numbered {
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  /** Made elsewhere: its bytes stay as they are, and its number travels beside them. */
  readonly isRaw: boolean;
  /** How the batch was numbered last; `undefined`: not yet. */
  number: ProducerStamp | undefined;
}

/**
 * Numbers a producer's batches of one partition, so that the broker can tell one that it has seen
 * from one that is new, and refuses one before which another is missing.
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
   * A number was lost: the batches after it are numbered anew, in the next epoch (KIP-360). Nothing
   * that has an old number may be under way then, or the new epoch would fence it.
   */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** One of this epoch was given up that may be stored, or may be yet, by a worker that hung. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** Numbers a batch; one that has its number in this epoch keeps it. */
  number(batch: Numbered): void {
    if (this.#isBroken) this.#beginEpoch();
    const { number } = batch;
    if (number?.id === this.#id && number.epoch === this.#epoch) return;
    batch.number = { id: this.#id, epoch: this.#epoch, sequence: this.#next };
    if (!batch.isRaw) stampProducer(batch.bytes, batch.number);
    this.#next = sequenceAfter(this.#next, batch.recordCount);
  }

  /** Nobody knows where the numbers are: all that is not settled is numbered anew. */
  restart(): void {
    this.#isBroken = true;
  }

  /** The batch will not be sent any more. `isKnown`: it was certainly not stored. */
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
