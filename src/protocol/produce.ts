import type { Compression } from '../record/batch-format.ts';
import type { ErrorData } from './error-data.ts';
import type { CommitRequest } from './group.ts';

export interface Append {
  readonly topicId: string;
  readonly partition: number;
  /** One whole record batch, uncompressed, in a buffer of its own; the buffer is transferred. */
  readonly batch: ArrayBuffer;
  readonly compression: Compression;
  /** The only offset at which the batch may be stored, else `CONFLICT`. Default: any, the end. */
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

/** The result of one append of a request; an append that fails does not touch the others. */
export type AppendResult = BatchMetadata | { readonly error: ErrorData };

/** The place of a batch in its partition; of a batch that came again, the place of the first time. */
export interface BatchMetadata {
  readonly baseOffset: number;
  /** Milliseconds since 1970, where the topic's records have the time of their append. */
  readonly appendTime: number | null;
}

/** Records and offsets that are stored together or not at all. */
export interface TransactRequest extends ProduceRequest {
  readonly commits: readonly CommitRequest[];
  /** The producer, which is fenced where another has its transactional id; null: it has none. */
  readonly producer: TransactionalProducer | null;
}

/** The producer id and epoch, as the headers of a producer's batches have them. */
export interface ProducerIdentity {
  readonly id: number;
  readonly epoch: number;
}

/** The producer that has a transactional id. */
export interface TransactionalHolder extends ProducerIdentity {
  /** Made by the producer that has it. */
  readonly holder: string;
}

export interface TransactionalProducer extends ProducerIdentity {
  readonly transactionalId: string;
}
