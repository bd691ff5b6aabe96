import type { Compression } from '../record/batch-format.ts';
import type { ErrorData } from './error-data.ts';
import type { CommitRequest } from './group.ts';

export interface Append {
  readonly topicId: string;
  readonly partition: number;
  /** One whole record batch, uncompressed, in a buffer of its own; the buffer is transferred. */
  readonly batch: ArrayBuffer;
  readonly compression: Compression;
  /** Where it must be stored, or nowhere (`CONFLICT`); without it at the end, wherever that is. */
  readonly expectedOffset?: number | null;
  /**
   * The records come from another topic, whose rules they kept, so this topic's rules for record
   * size and keys do not apply. A record that cannot be buried would block its partition for good.
   */
  readonly isDeadLetter?: boolean;
}

export interface ProduceRequest {
  readonly appends: readonly Append[];
  readonly durability: 'relaxed' | 'strict';
}

/** What became of one append of a request; one that fails does not touch the others. */
export type AppendResult = BatchPlacement | { readonly error: ErrorData };

/** Where a batch was stored, now or, when it came once more, before. */
export interface BatchPlacement {
  readonly baseOffset: number;
  /** Milliseconds since 1970, where the topic's records have the time of their append. */
  readonly appendTime: number | null;
}

/** Records and offsets that are stored together or not at all. */
export interface TransactRequest extends ProduceRequest {
  readonly commits: readonly CommitRequest[];
  /** Who must not have been replaced; null: a producer without a transactional id. */
  readonly producer: TransactionalProducer | null;
}

/** Who writes, in the headers of its batches. */
export interface ProducerIdentity {
  readonly id: number;
  readonly epoch: number;
}

/** Who has a transactional id. */
export interface TransactionalHolder extends ProducerIdentity {
  /** Made by the producer that has it. */
  readonly holder: string;
}

export interface TransactionalProducer extends ProducerIdentity {
  readonly transactionalId: string;
}
