import type { Compression } from '../record/batch-format.ts';
import type { ProducerStamp } from '../record/batch-seal.ts';
import type { ErrorData } from './error-data.ts';
import type { CommitRequest } from './group.ts';

export interface Append {
  readonly topicId: string;
  readonly partition: number;
  /**
   * One whole record batch, uncompressed unless it is `raw`, in a buffer of its own; the buffer is
   * transferred.
   */
  readonly batch: ArrayBuffer;
  readonly compression: Compression;
  /** The batch is stored at this offset, or refused as `CONFLICT`. Default: no condition. */
  readonly expectedOffset?: number | null;
  /**
   * The batch was made elsewhere, and is stored as it is. Its CRC is checked; the producer in its
   * header is of another log, so `producer` numbers it instead (null: nothing does). Missing: the
   * batch is a producer's own, whose CRC the broker writes.
   */
  readonly raw?: {
    readonly producer: ProducerStamp | null;
    /**
     * The batch is stored at its own base offset, behind a gap where the partition ends before it. So
     * `expectedOffset`, which is then needed, is the end of the partition.
     */
    readonly keepsOffset?: boolean;
  };
  /**
   * The records are dead letters from another topic, so this topic's rules for record size and keys
   * do not apply: a dead letter that no topic accepts would block its consumer for good.
   */
  readonly isDeadLetter?: boolean;
}

export interface ProduceRequest {
  readonly appends: readonly Append[];
  readonly durability: 'relaxed' | 'strict';
}

/** The result of one append of a request; an append that fails does not touch the others. */
export type AppendResult = BatchMetadata | { readonly error: ErrorData };

/** The place of a batch in its partition. A retried batch has the place of its first try. */
export interface BatchMetadata {
  readonly baseOffset: number;
  /** Milliseconds since 1970; null unless the topic's `timestampType` is 'append'. */
  readonly appendTime: number | null;
}

/** Records and offsets that are stored together or not at all. */
export interface TransactRequest extends ProduceRequest {
  readonly commits: readonly CommitRequest[];
  /** The producer, to be fenced when it has lost its transactional id; null: it has no such id. */
  readonly producer: TransactionalProducer | null;
}

/** The producer id and epoch, as the headers of a producer's batches have them. */
export interface ProducerIdentity {
  readonly id: number;
  readonly epoch: number;
}

/** The producer that has a transactional id. */
export interface TransactionalHolder extends ProducerIdentity {
  /** A random id made by the producer itself. */
  readonly holder: string;
}

export interface TransactionalProducer extends ProducerIdentity {
  readonly transactionalId: string;
}
