import { TablogError } from '../../base/error.ts';
import type { FetchedPartition } from '../../protocol/fetch.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { ATTRIBUTE, CODEC, FIELD, MAX_INFLATED_BYTES } from '../../record/batch-format.ts';
import { RecordCursor } from '../../record/record-cursor.ts';
import { DecodeCalls, decodeRecord } from '../message/decode-record.ts';
import type { DecodeFailure, Undecodable } from '../message/decode-record.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';
import type { Message } from '../message/message.ts';
import { PartitionState } from '../message/partition-state.ts';
import { PartitionSource } from '../message/partition-source.ts';
import { FetchBuffer } from './fetch-buffer.ts';
import type { SerdeWait } from '../topics/serde-context.ts';
import type { Topic } from '../topics/topic.ts';

/** Inflates a batch's records, given the id of its codec; throws beyond `limit` bytes. */
export type Inflate = (codec: number, records: Uint8Array, limit: number) => Uint8Array;

/** Called when the serde of a reader's next record waits. `resume` ends the wait. */
export type OnWait = (reader: PartitionReader, wait: SerdeWait) => void;

export interface PartitionReaderOptions {
  readonly topic: Topic;
  readonly topicId: string;
  readonly partition: number;
  /** The offset of the first message. Default 0. */
  readonly offset?: number;
  /** The member's progress in the partition; `undefined` without a group. */
  readonly progress?: PartitionProgress | undefined;
  /**
   * Called with an error that a fetch brought for the partition. Returns true where the error is
   * handled; otherwise the reading loop gets it.
   */
  readonly onError?: (reader: PartitionReader, error: TablogError) => boolean;
  readonly onWait?: OnWait;
}

/**
 * A consumer's position in one partition (Kafka's `TopicPartitionState` and `CompletedFetch`): the
 * records that were fetched and not polled yet, and the cursor that decodes them, record by record.
 */
export class PartitionReader {
  readonly source: PartitionSource;
  readonly topic: Topic;
  readonly topicId: string;
  readonly partition: number;
  /** The member's progress in the partition; `undefined` without a group. */
  readonly progress: PartitionProgress | undefined;
  /**
   * The state that decides whether records are fetched, polled and delivered. Seeks go through the
   * reader.
   */
  readonly state: PartitionState;
  readonly #onError: PartitionReaderOptions['onError'];
  #isPaused = false;
  #position: number;
  #fetchOffset: number;
  #endOffset = 0;
  readonly #buffer = new FetchBuffer();
  #inflate: Inflate | undefined;
  #cursor: RecordCursor | undefined;
  /** The batch at the cursor, as fetched. */
  #batch: Uint8Array | undefined;
  /** Whether the record at the cursor was put back, and so is the next record. */
  #isPutBack = false;
  #error: TablogError | undefined;
  readonly #calls: DecodeCalls;
  /** The wait of the next record's serde; `undefined`: none waits. */
  #wait: SerdeWait | undefined;
  /** The reason why the next record cannot be decoded, where it is known before decoding. */
  #failure: DecodeFailure | undefined;
  readonly #onWait: OnWait | undefined;

  constructor(options: PartitionReaderOptions) {
    const { topic, topicId, partition, offset = 0, progress, onError, onWait } = options;
    this.source = new PartitionSource(topic, topicId, partition, progress);
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
    this.progress = progress;
    this.#onError = onError;
    this.state = progress?.state ?? new PartitionState('reading');
    this.#position = offset;
    this.#fetchOffset = offset;
    this.#calls = new DecodeCalls(topic.name);
    this.#onWait = onWait;
  }

  /** Whether records may be fetched and polled. */
  get isReadable(): boolean {
    return this.state.polls && !this.#isPaused;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** The offset of the next message. */
  get position(): number {
    return this.#position;
  }

  /** The partition's end offset as of the last fetch. */
  get endOffset(): number {
    return this.#endOffset;
  }

  /** The offset of the next fetch: the one after the buffered records. */
  get fetchOffset(): number {
    return this.#fetchOffset;
  }

  /** The number of bytes fetched and not read yet. */
  get bufferedBytes(): number {
    return this.#buffer.byteLength;
  }

  /** Whether an error stopped the partition: nothing is fetched before a seek. */
  get failed(): boolean {
    return this.#error !== undefined;
  }

  /** Pauses or resumes the partition. A paused partition is not polled; its buffer stays. */
  setPaused(paused: boolean): void {
    this.#isPaused = paused;
  }

  /** Takes a fetched part; `inflate` where a batch of it is compressed. */
  accept(fetched: FetchedPartition, inflate?: Inflate): void {
    if ('error' in fetched) {
      const error = fromErrorData(fetched.error);
      if (this.#onError?.(this, error) !== true) this.fail(error);
      return;
    }
    this.#inflate = inflate ?? this.#inflate;
    this.#endOffset = fetched.endOffset;
    this.#buffer.add(fetched.segments);
    this.#fetchOffset = fetched.nextOffset;
  }

  /** Stops the partition: the reading loop gets the error, until a seek. */
  fail(error: TablogError): void {
    this.#error = this.#locate(error, this.#fetchOffset); // after the buffered records
  }

  /** Moves to `offset`, and drops the buffered records. */
  seek(offset: number): void {
    (this.progress ?? this.state).seek(offset);
    this.#position = offset;
    this.#fetchOffset = offset;
    this.#drop();
    this.#error = undefined;
  }

  /**
   * Moves back to `offset`, unless a seek has happened since `seekVersion`, or `offset` is still to
   * be read.
   */
  rewind(seekVersion: number, offset: number): void {
    if (offset < this.#position && this.state.isCurrent(seekVersion)) this.seek(offset);
  }

  /**
   * The next message; `undefined` where a fetch, or the wait of its serde, has to end first. Throws
   * the error that stops the partition.
   */
  next(): Message | Undecodable | undefined {
    if (!this.isReadable || this.#wait !== undefined) return undefined;
    for (;;) {
      const cursor = this.#cursor ?? this.#nextBatch();
      if (cursor === undefined) return undefined;
      if (this.#isPutBack) this.#isPutBack = false;
      else if (!this.#advance(cursor)) continue;
      if (cursor.offset < this.#position) continue; // a seek went into the middle of the batch
      this.#position = cursor.offset + 1;
      const decoded = decodeRecord(this.source, cursor, this.#calls, this.#failure);
      if (this.#failure !== undefined) this.#failure = undefined;
      if (decoded === undefined) this.suspend(this.#calls.wait!);
      return decoded;
    }
  }

  /**
   * The next batch as stored, whole, also where some of its records were read before; `undefined`
   * where a fetch has to come first. Throws the error that stops the partition.
   */
  nextRaw(): Uint8Array | undefined {
    if (!this.isReadable) return undefined;
    for (;;) {
      const cursor = this.#cursor ?? this.#nextBatch(true);
      if (cursor === undefined) return undefined;
      const batch = this.#batch;
      this.#leaveBatch();
      if (cursor.nextOffset <= this.#position) continue;
      this.#position = cursor.nextOffset;
      return batch;
    }
  }

  /** Whether the next record's serde waits. No record is read before `resume`. */
  get isWaiting(): boolean {
    return this.#wait !== undefined;
  }

  /** Puts back the record that `next()` returned last, until its serde can be called again. */
  suspend(wait: SerdeWait): void {
    this.putBack();
    this.#wait = wait;
    this.#onWait?.(this, wait);
  }

  /**
   * Ends a wait, unless a seek has ended it. The record is decoded again, or, given `failure`,
   * counts as undecodable. Returns whether `wait` was the current wait of the reader.
   */
  resume(wait: SerdeWait, failure?: DecodeFailure): boolean {
    if (this.#wait !== wait) return false;
    this.#wait = undefined;
    this.#failure = failure;
    return true;
  }

  /**
   * The cursor at the record that `next()` returned last, valid until the next call; `undefined`
   * after a seek.
   */
  get cursor(): RecordCursor | undefined {
    return this.#cursor;
  }

  /** Puts back the record that `next()` returned last: the next call decodes it again. */
  putBack(): void {
    this.#isPutBack = true;
    this.#position = this.#cursor!.offset;
  }

  /** Skips the record that was put back. Returns false where a seek has changed the next record. */
  pass(offset: number): boolean {
    if (!this.#isPutBack || this.#cursor?.offset !== offset) return false;
    this.#isPutBack = false;
    this.#position = offset + 1;
    return true;
  }

  #advance(cursor: RecordCursor): boolean {
    try {
      if (cursor.next()) return true;
    } catch (error) {
      throw this.#stop(error);
    }
    this.#leaveBatch();
    this.#position = Math.max(this.#position, cursor.nextOffset);
    return false;
  }

  /**
   * A cursor for the next batch. With `isRaw`, the cursor finds no records in a compressed batch.
   */
  #nextBatch(isRaw = false): RecordCursor | undefined {
    for (;;) {
      try {
        const bytes = this.#buffer.take();
        if (bytes === undefined) break;
        // Control batches, the markers of transactions, have no records for applications.
        if ((bytes[FIELD.attributes + 1]! & ATTRIBUTE.control) !== 0) {
          this.#position = Math.max(this.#position, new RecordCursor({ bytes }).nextOffset);
          continue;
        }
        this.#batch = bytes;
        const records = isRaw ? undefined : this.#inflated(bytes);
        return (this.#cursor = new RecordCursor({ bytes }, records));
      } catch (error) {
        throw this.#stop(error);
      }
    }
    if (this.#error !== undefined) throw this.#error;
    return undefined;
  }

  /** The records of a compressed batch. */
  #inflated(batch: Uint8Array): Uint8Array | undefined {
    const codec = batch[FIELD.attributes + 1]! & ATTRIBUTE.codec;
    if (codec === CODEC.none) return undefined;
    return this.#inflate!(codec, batch.subarray(FIELD.records), MAX_INFLATED_BYTES);
  }

  /** Stops the partition before a batch that cannot be read, until a seek. */
  #stop(error: unknown): unknown {
    if (!(error instanceof TablogError)) return error;
    this.#error = this.#locate(error, this.#position);
    this.#drop();
    return this.#error;
  }

  #locate(error: TablogError, offset: number): TablogError {
    const { partition } = this;
    const topic = this.topic.name;
    const where = `topic '${topic}', partition ${partition}, offset ${offset}`;
    return error.at(where, { topic, partition, offset });
  }

  #drop(): void {
    this.#buffer.clear();
    this.#leaveBatch();
  }

  /** Leaves the batch at the cursor: none of its records is read any more. */
  #leaveBatch(): void {
    this.#batch = undefined;
    this.#cursor = undefined;
    this.#isPutBack = false;
    this.#wait = undefined;
    this.#failure = undefined;
  }
}
